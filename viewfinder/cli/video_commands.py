"""`moments` and `describe`: times in a clip, as lines, JSON, WebVTT, or a timeline with frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import PLOTS, check_writable, counting, interruptible, print_json, save_plot, stopped
from viewfinder.storage.atomic import write_whole

if TYPE_CHECKING:
    from viewfinder.chat import Found
    from viewfinder.outputs.spans import Span

Video = Annotated[str, typer.Argument(help="A video file or URL.")]
Query = Annotated[str, typer.Argument(help="What happens.")]
Vtt = Annotated[Path | None, typer.Option("--vtt", help="Write the times as WebVTT subtitles.")]
Resume = Annotated[Path | None, typer.Option("--resume", help="Keep finished windows here, and go on from there.")]
Longest = Annotated[
    float | None,
    typer.Option("--window", min=1, help="Seconds that are asked at once. [as many as the budget allows]"),
]
SheetPlot = Annotated[Path | None, typer.Option("--plot", help="Write a timeline with the evidence frames.")]


@dataclass(frozen=True)
class ClipOptions:
    """The options of both commands; each result is written to a file of its own."""

    model: options.Model = "tiny"
    as_json: options.AsJson = False
    plot: SheetPlot = None
    vtt: Vtt = None
    resume: Resume = None
    fps: options.Fps = None
    window: Longest = None
    max_new_tokens: options.MaxTokens = None
    dtype: options.Dtype = None


@options.grouped
def moments(video: Video, query: Query, given: ClipOptions) -> None:
    _run(video, given, lambda viewfinder, **how: viewfinder.moments(video, query, **how))


@options.grouped
def describe(video: Video, given: ClipOptions) -> None:
    _run(video, given, lambda viewfinder, **how: viewfinder.describe(video, **how))


def _run(video: str, given: ClipOptions, job: "Callable[..., Found[Span]]") -> None:
    options.check_files([video])
    check_writable(given.plot, PLOTS, "--plot")
    check_writable(given.vtt, [".vtt"], "--vtt")
    check_writable(given.resume, [".jsonl"], "--resume")
    from viewfinder.media.video import probe_video

    info = probe_video(video)  # before the model: a bad file should not cost a load
    viewfinder = options.open_model(given.model, given.dtype)
    sampling = options.sampling_of(viewfinder.model, given.max_new_tokens)
    how: dict[str, Any] = {"fps": given.fps, "window": given.window, "resume": given.resume, "sampling": sampling}
    with counting("windows") as progress, interruptible(stopped(given.resume, "windows")):
        spans = job(viewfinder, progress=progress, **how)
    _show(video, info.duration, spans, given.as_json, given.plot, given.vtt)


def _show(
    video: str, duration: float, spans: "Found[Span]", as_json: bool, plot: Path | None, vtt: Path | None
) -> None:
    if as_json:
        print_json(
            {
                "moments": [span.to_dict() for span in spans],
                "duration": duration,
                "text": spans.reply.text,
                "media": [info.model_dump(exclude_none=True) for info in spans.media],
                "stamp": spans.reply.stamp,
            }
        )
    else:
        for span in spans:
            sure = "" if span.confidence is None else f"  {span.confidence:.0%}"
            typer.echo(f"{span.start:.2f} - {span.end:.2f} s  {span.label}{sure}")
        if not spans:
            typer.echo("nothing found")
    if plot is not None:
        from viewfinder.outputs.timeline import timeline

        save_plot(timeline(spans, duration, evidence_frames(video, spans, duration)), plot)
    if vtt is not None:
        from viewfinder.outputs.spans import to_webvtt

        write_whole(vtt, to_webvtt(spans))


def evidence_frames(video: str, spans: "Sequence[Span]", duration: float, most: int = 12) -> list[tuple[float, Any]]:
    """Frames for the contact sheet: evidence of each span, and the rest evenly over the clip."""
    from PIL import Image

    from viewfinder.media.video import load_video

    times = sheet_times(spans, duration, most)
    clip = load_video(video, frame_times=times, max_pixels=320 * 240, min_pixels=28 * 28)
    frames = dict(zip(clip.times, clip.frames, strict=True))  # moments of one still picture give it once
    return [(time, Image.fromarray(frame)) for time, frame in frames.items()]


def sheet_times(spans: "Sequence[Span]", duration: float, most: int) -> list[float]:
    """At most `most` moments: of each span one to three of its evidence frames, then the middles of equal parts.

    A span seen at 2, 3, 4, 5 s of a clip of 8 s, four moments: 2.0, 4.0 and 5.0 of it, and 6.0.
    """
    if not spans:
        return [(i + 0.5) * duration / most for i in range(most)]
    share = max(1, min(3, (most * 3 // 4) // max(1, len(spans))))
    chosen: set[float] = set()
    for span in spans[: most * 3 // 4]:
        seen = span.evidence or (span.start,)
        chosen.update(seen[round(i * (len(seen) - 1) / max(1, share - 1))] for i in range(share))
    count = most - len(chosen)
    even = [(i + 0.5) * duration / max(1, 2 * count) for i in range(2 * count)]
    # of twice as many moments those that lie farthest from what is chosen
    for _ in range(count):
        far = max(even, key=lambda t: min(abs(t - c) for c in chosen))
        chosen.add(far)
        even.remove(far)
    return sorted(chosen)
