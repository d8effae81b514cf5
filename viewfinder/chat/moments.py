"""When events happen in a clip of any length. The model is asked about one window at a time, and the answers are merged
in seconds of the original.

Memory use is that of one window. With a `resume` file the answer of each window is saved at once, so an interrupted
run continues where it stopped.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from viewfinder.chat.answer_cache import AnswerCache, answer_settings
from viewfinder.chat.windows import Window, cut, merged, window_seconds
from viewfinder.media.digest import digest_content, digest_media
from viewfinder.media.video import Clip, probe_video
from viewfinder.messages import ChatModel, Reply, Sampling, VideoPart, user
from viewfinder.outputs import grammars, prompts
from viewfinder.outputs.results import Found, confidence
from viewfinder.outputs.spans import Span, parse_spans
from viewfinder.processor.processor import Processor

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """What is asked about each window: the prompt, the grammar for a window of a length in seconds, and the label of
    what is found (None: the model's own label)."""

    prompt: str
    grammar: Callable[[float], str]
    label: str | None = None


def moments_question(query: str, most: int = 20) -> Question:
    return Question(prompts.moments_prompt(query), partial(grammars.moments_grammar, max_items=most), query)


def describe_question() -> Question:
    return Question(prompts.describe_prompt(), grammars.spans_grammar)


def find_spans(
    model: ChatModel,
    processor: Processor,
    video: Any,
    question: Question,
    *,
    fps: float | None = None,
    window: float | None = None,
    options: dict[str, Any] | None = None,
    sampling: Sampling | None = None,
    resume: Path | None = None,
    progress: Progress | None = None,
) -> Found[Span]:
    """Ask every window of a clip.

    Args:
        video: file, URL, bytes or `Clip`.
        fps: frames a second that are shown to the model; the processor's setting when None.
        window: the longest window, seconds; as long as the budget allows when None. Short events are found in windows
            that are no longer than the clips that a model was taught (`docs/studies/02-rates.md`).
        options: further keys of `VideoPart`.
        resume: a JSONL file of finished windows; windows of another clip are not used.
        progress: called with the numbers of finished windows and of all windows.

    Raises:
        MediaError: the clip cannot be read.
        SettingsError: `resume` was begun with another question, model or option.
    """
    fps = fps or processor.settings.fps
    if isinstance(video, Clip):
        rate, windows = None, [Window(0.0, video.duration)]
    else:
        info = probe_video(video)
        rate = info.fps
        windows = cut(info.duration, min(window or math.inf, window_seconds(info, processor.settings, fps)))
    further = options or {}
    asked: dict[str, Any] = {
        "prompt": question.prompt,
        "fps": fps,
        "options": {name: str(value) for name, value in further.items()},
    }
    if window is not None:
        asked["window"] = window
    kept = AnswerCache(resume, answer_settings(model, processor, sampling, **asked))
    content = "" if resume is None else _content(video)
    spans: list[Span] = []
    reply = Reply(text="", stamp=processor.stamp.hash)
    for i, stretch in enumerate(windows):
        start = round(stretch.start, 3)
        line = kept.find(content, start=start) if resume is not None else None
        if line is not None:
            found = [Span(**{**span, "evidence": tuple(span["evidence"])}) for span in line["spans"]]
        else:
            part = _part(video, stretch, len(windows) > 1, fps, further)
            reply = model.chat(
                [user(part, question.prompt)], grammar=question.grammar(stretch.seconds), sampling=sampling
            )
            found = read_spans(reply, stretch, question.label, rate)
            if resume is not None:
                kept.add(content, {"start": start, "spans": [dataclasses.asdict(span) for span in found]})
        spans += found
        if progress is not None:
            progress(i + 1, len(windows))
    return Found(merged(spans, gap=1.0 / fps), reply)


def _content(video: Any) -> str:
    return digest_media([*video.frames, str(video.times)]) if isinstance(video, Clip) else digest_content(video)


def _part(video: Any, window: Window, is_cut: bool, fps: float, options: dict[str, Any]) -> VideoPart:
    if isinstance(video, Clip):
        return VideoPart(video=video)
    bounds = {"video_start": window.start, "video_end": window.end} if is_cut else {}
    rate = {} if "nframes" in options else {"fps": fps}
    return VideoPart(video=video, **{**rate, **bounds, **options})


def read_spans(reply: Reply, window: Window, label: str | None, rate: float | None) -> list[Span]:
    """Spans in seconds of the original. The model counts from the first frame that it saw; `rate` is the original's."""
    frame_times = reply.media[0].frame_times or ()
    zero = frame_times[0] if frame_times else window.start
    sure = confidence(reply)
    result: list[Span] = []
    for span in parse_spans(reply.text, max(0.0, window.end - zero), fps=rate):
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
