"""When things happen in a clip of any length: windows asked one by one, answers merged on the original's clock.

Memory is that of one window. With a `resume` file each window's answer is kept as soon as it is there, so an
interrupted run goes on where it stopped.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viewfinder.chat.windows import Window, cut, merged, window_seconds
from viewfinder.media.video import Clip, probe_video
from viewfinder.messages import ChatModel, Reply, Sampling, VideoPart, user
from viewfinder.outputs import grammars, prompts
from viewfinder.outputs.json_lines import append_values, read_kept
from viewfinder.outputs.results import Found, confidence
from viewfinder.outputs.spans import Span, parse_spans
from viewfinder.processor.processor import Processor

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """What is asked of each window: the prompt, the grammar for a window of some seconds, the label of what is
    found (None keeps the model's own)."""

    prompt: str
    grammar: Callable[[float], str]
    label: str | None = None


def moments_question(query: str) -> Question:
    return Question(prompts.moments_prompt(query), grammars.moments_grammar, query)


def describe_question() -> Question:
    return Question(prompts.describe_prompt(), grammars.spans_grammar)


def find_spans(
    model: ChatModel,
    processor: Processor,
    video: Any,
    question: Question,
    *,
    fps: float | None = None,
    options: dict[str, Any] | None = None,
    sampling: Sampling | None = None,
    resume: Path | None = None,
    progress: Progress | None = None,
) -> Found[Span]:
    """Ask every window of a clip.

    Args:
        video: file, URL, bytes or `Clip`.
        fps: frames a second to look at; the processor's setting when None.
        options: further keys of `VideoPart`.
        resume: a JSONL file of finished windows; another question or other settings start anew.
        progress: called with windows done and all.

    Raises:
        MediaError: the clip cannot be read.
    """
    fps = fps or processor.settings.fps
    if isinstance(video, Clip):
        windows = [Window(0.0, video.duration)]
    else:
        info = probe_video(video)
        windows = cut(info.duration, window_seconds(info, processor.settings, fps))
    key = {"prompt": question.prompt, "stamp": processor.stamp.hash, "fps": fps, "options": options or {}}
    done = _finished(resume, key)
    spans: list[Span] = []
    reply = Reply(text="", stamp=processor.stamp.hash)
    for i, window in enumerate(windows):
        found = done.get(round(window.start, 3))
        if found is None:
            part = _part(video, window, len(windows) > 1, fps, options or {})
            reply = model.chat(
                [user(part, question.prompt)], grammar=question.grammar(window.seconds), sampling=sampling
            )
            found = _read(reply, window, question.label)
            _keep(resume, key, window, found)
        spans += found
        if progress is not None:
            progress(i + 1, len(windows))
    return Found(merged(spans, gap=1.0 / fps), reply)


def _part(video: Any, window: Window, is_cut: bool, fps: float, options: dict[str, Any]) -> VideoPart:
    if isinstance(video, Clip):
        return VideoPart(video=video)
    bounds = {"video_start": window.start, "video_end": window.end} if is_cut else {}
    rate = {} if "nframes" in options else {"fps": fps}
    return VideoPart(video=video, **{**rate, **bounds, **options})


def _read(reply: Reply, window: Window, label: str | None) -> list[Span]:
    """Spans on the original's clock: the model's zero is the first frame it saw."""
    frame_times = reply.media[0].frame_times or ()
    zero = frame_times[0] if frame_times else window.start
    sure = confidence(reply)
    result: list[Span] = []
    for span in parse_spans(reply.text, max(0.0, window.end - zero)):
        start, end = span.start + zero, span.end + zero
        result.append(
            dataclasses.replace(
                span,
                start=start,
                end=end,
                label=span.label if label is None else label,
                confidence=sure,
                evidence=tuple(time for time in frame_times if start <= time <= end),
            )
        )
    return result


def _keep(resume: Path | None, key: dict[str, Any], window: Window, found: Sequence[Span]) -> None:
    if resume is not None:
        spans = [dataclasses.asdict(span) for span in found]
        append_values(resume, [{"key": key, "start": round(window.start, 3), "spans": spans}])


def _finished(resume: Path | None, key: dict[str, Any]) -> dict[float, list[Span]]:
    lines = [] if resume is None else [line for line in read_kept(resume, "key") if line["key"] == key]
    return {
        line["start"]: [Span(**{**span, "evidence": tuple(span["evidence"])}) for span in line["spans"]]
        for line in lines
    }
