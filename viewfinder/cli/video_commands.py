"""`moments` and `describe`: times in a clip, as lines, JSON, WebVTT, or a timeline with frames."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from viewfinder.chat import Found
from viewfinder.cli import options
from viewfinder.cli.show import print_json, save_plot
from viewfinder.media.video import load_video, probe_video
from viewfinder.outputs.spans import Span, to_webvtt
from viewfinder.outputs.timeline import timeline

Video = Annotated[str, typer.Argument(help="A video file or URL.")]
Query = Annotated[str, typer.Argument(help="What happens.")]
Vtt = Annotated[Path | None, typer.Option("--vtt", help="Write the times as WebVTT subtitles.")]
Resume = Annotated[Path | None, typer.Option("--resume", help="Keep finished windows here, and go on from there.")]
SheetPlot = Annotated[Path | None, typer.Option("--plot", help="Write a timeline with the evidence frames.")]


def register(app: typer.Typer) -> None:
    app.command()(moments)
    app.command()(describe)


def moments(
    video: Video,
    query: Query,
    model: options.Model = "tiny",
    as_json: options.AsJson = False,
    plot: SheetPlot = None,
    vtt: Vtt = None,
    resume: Resume = None,
    fps: options.Fps = None,
    dtype: options.Dtype = None,
) -> None:
    """When something happens, in seconds of the original clip."""
    info = probe_video(video)  # before the model: a bad file should not cost a load
    viewfinder = options.open_model(model, dtype)
    with _windows() as progress:
        spans = viewfinder.moments(video, query, fps=fps, resume=resume, progress=progress)
    _show(video, info.duration, spans, as_json, plot, vtt)


def describe(
    video: Video,
    model: options.Model = "tiny",
    as_json: options.AsJson = False,
    plot: SheetPlot = None,
    vtt: Vtt = None,
    resume: Resume = None,
    fps: options.Fps = None,
    dtype: options.Dtype = None,
) -> None:
    """All events of a clip, with their times."""
    info = probe_video(video)
    viewfinder = options.open_model(model, dtype)
    with _windows() as progress:
        spans = viewfinder.describe(video, fps=fps, resume=resume, progress=progress)
    _show(video, info.duration, spans, as_json, plot, vtt)


@contextmanager
def _windows() -> Iterator[Any]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("windows", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(video: str, duration: float, spans: Found[Span], as_json: bool, plot: Path | None, vtt: Path | None) -> None:
    if plot is not None:
        save_plot(timeline(spans, duration, _evidence(video, spans, duration)), plot)
    if vtt is not None:
        vtt.write_text(to_webvtt(spans))
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
        return
    for span in spans:
        sure = "" if span.confidence is None else f"  {span.confidence:.0%}"
        typer.echo(f"{span.start:.2f} - {span.end:.2f} s  {span.label}{sure}")
    if not spans:
        typer.echo("nothing found")


def _evidence(video: str, spans: Sequence[Span], duration: float, most: int = 12) -> list[tuple[float, Image.Image]]:
    """Frames for the contact sheet: evenly over the clip, the evidence of spans among them."""
    clip = load_video(video, nframes=most, max_pixels=320 * 240, min_pixels=28 * 28)
    return [(time, Image.fromarray(frame)) for time, frame in zip(clip.times, clip.frames, strict=True)]
