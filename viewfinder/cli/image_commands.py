"""`ask`, `locate`, `point`, `count` and `read`: one picture, or many with `--out`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import print_json, print_warning, save_plot, working

if TYPE_CHECKING:
    from viewfinder.chat import Viewfinder
    from viewfinder.messages import Reply

Images = Annotated[
    list[str], typer.Argument(help="Picture files, folders or URLs, then the query.", metavar="IMAGE... QUERY")
]
Media = Annotated[
    list[str],
    typer.Argument(help="Pictures, clips or PDFs (none is fine), then the question.", metavar="[MEDIA]... QUESTION"),
]
ReadImages = Annotated[list[str], typer.Argument(help="Picture files, folders or URLs.", metavar="IMAGE...")]
Verify = Annotated[bool, typer.Option("--verify", help="Look again, closer, at each box and say whether it holds.")]
Lines = Annotated[bool, typer.Option("--lines", help="Each line of text with its box.")]


FileResult = tuple[Sequence[Any], dict[str, Any], "Reply", list[str]]
"""Of one picture: things to draw on it, fields for programs, the reply, lines for people."""
Job = Callable[["Viewfinder", Any], FileResult]


def ask(
    media: Media,
    model: options.Model = "tiny",
    as_json: options.AsJson = False,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    *sources, question = media
    options.check_files(sources)
    from viewfinder.messages import Reply
    from viewfinder.outputs.results import provenance

    viewfinder = options.open_model(model, dtype, max_pixels=max_pixels)
    sampling = options.sampling_of(viewfinder.model, max_new_tokens)
    if as_json:
        answer = viewfinder.ask(sources, question, sampling=sampling)
        return print_json({"answer": str(answer), "confidence": answer.confidence, **provenance(answer.reply)})
    for piece in viewfinder.stream(sources, question, sampling=sampling):
        if isinstance(piece, Reply):
            typer.echo()
            _warn_if_cut(piece)
        else:
            typer.echo(piece, nl=False)
    return None


def locate(
    images: Images,
    model: options.Model = "tiny",
    as_json: options.AsJson = False,
    plot: options.Plot = None,
    verify: Verify = False,
    out: options.Out = None,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    sources, query = _split(images)

    def run(viewfinder: "Viewfinder", image: Any) -> FileResult:
        boxes = viewfinder.locate(
            image, query, verify=verify, sampling=options.sampling_of(viewfinder.model, max_new_tokens)
        )
        fields = {"boxes": [box.to_dict() for box in boxes]}
        lines = [_place_line(box.label, box.xyxy, box.confidence, box.verified) for box in boxes]
        return boxes, fields, boxes.reply, lines or ["nothing found"]

    _run(run, sources, model, as_json, plot, out, max_pixels, dtype)


def point(
    images: Images,
    model: options.Model = "tiny",
    as_json: options.AsJson = False,
    plot: options.Plot = None,
    out: options.Out = None,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    sources, query = _split(images)

    def run(viewfinder: "Viewfinder", image: Any) -> FileResult:
        points = viewfinder.point(image, query, sampling=options.sampling_of(viewfinder.model, max_new_tokens))
        lines = [_place_line(p.label, p.xy, p.confidence) for p in points]
        return points, {"points": [p.to_dict() for p in points]}, points.reply, lines or ["nothing found"]

    _run(run, sources, model, as_json, plot, out, max_pixels, dtype)


def count(
    images: Images,
    model: options.Model = "tiny",
    as_json: options.AsJson = False,
    plot: options.Plot = None,
    out: options.Out = None,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    sources, query = _split(images)

    def run(viewfinder: "Viewfinder", image: Any) -> FileResult:
        result = viewfinder.count(image, query, sampling=options.sampling_of(viewfinder.model, max_new_tokens))
        assert result.reply is not None
        return result.points, result.to_dict(), result.reply, [str(result.value)]

    _run(run, sources, model, as_json, plot, out, max_pixels, dtype)


def read(
    images: ReadImages,
    model: options.Model = "tiny",
    as_json: options.AsJson = False,
    plot: options.Plot = None,
    lines: Lines = False,
    out: options.Out = None,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    def run(viewfinder: "Viewfinder", image: Any) -> FileResult:
        sampling = options.sampling_of(viewfinder.model, max_new_tokens)
        if lines or plot:
            found = viewfinder.spot(image, sampling=sampling)
            fields = {"lines": [box.to_dict() for box in found]}
            read_lines = [_place_line(box.text or "", box.xyxy, box.confidence) for box in found]
            return found, fields, found.reply, read_lines
        answer = viewfinder.read(image, sampling=sampling)
        return [], {"text": str(answer), "confidence": answer.confidence}, answer.reply, [str(answer)]

    _run(run, images, model, as_json, plot, out, max_pixels, dtype)


def _run(
    job: Job,
    sources: Sequence[str],
    model: str,
    as_json: bool,
    plot: Path | None,
    out: Path | None,
    max_pixels: int | None,
    dtype: str | None,
) -> None:
    if out is None and (len(sources) > 1 or Path(sources[0]).is_dir()):
        raise typer.BadParameter(f"{len(sources)} sources or a folder need --out results.jsonl to write to")
    if out is not None:
        return _run_many(job, sources, model, as_json, plot, out, max_pixels, dtype)
    from viewfinder.media.image import load_image

    picture = load_image(sources[0])  # before torch is imported: a bad file is answered at once
    viewfinder = options.open_model(model, dtype, max_pixels=max_pixels)
    with working(sources[0]):
        drawn, fields, reply, lines = job(viewfinder, picture)
    if plot is not None:
        from viewfinder.outputs.draw import draw

        save_plot(draw(picture.image, drawn), plot)
    if as_json:
        print_json(_document(fields, reply))
    else:
        typer.echo("\n".join(lines))
        if reply.finish_reason != "stop":
            print_warning(f"the answer was cut ({reply.finish_reason}), so something may be missing")
    return None


def _run_many(
    job: Job,
    sources: Sequence[str],
    model: str,
    as_json: bool,
    plot: Path | None,
    out: Path,
    max_pixels: int | None,
    dtype: str | None,
) -> None:
    if plot is not None:
        raise typer.BadParameter("--plot is for one picture; leave it out with --out")
    from viewfinder.chat.batch import find_images, run_many

    files = find_images(sources)
    viewfinder = options.open_model(model, dtype, max_pixels=max_pixels)
    summary = run_many(files, lambda file: _document(*job(viewfinder, file)[1:3]), out)
    if as_json:
        print_json(summary.to_dict())
    else:
        typer.echo(summary.sentence())
    if summary.failed:
        raise typer.Exit(1)


def _document(fields: dict[str, Any], reply: "Reply") -> dict[str, Any]:
    from viewfinder.outputs.results import provenance

    return {**fields, **provenance(reply)}


def _split(images: list[str]) -> tuple[list[str], str]:
    *sources, query = images
    if not sources:
        raise typer.BadParameter(f"got only {query!r}; give a picture and then what to look for")
    return sources, query


def _place_line(label: str, numbers: Sequence[float], confidence: float | None, verified: bool | None = None) -> str:
    place = ", ".join(f"{number:.0f}" for number in numbers)
    sure = "" if confidence is None else f"  {confidence:.0%}"
    again = {None: "", True: "  holds on a second look", False: "  does not hold on a second look"}[verified]
    return f"{place}  {label}{sure}{again}"


def _warn_if_cut(reply: "Reply") -> None:
    if reply.finish_reason != "stop":
        print_warning(f"the answer was cut ({reply.finish_reason})")
