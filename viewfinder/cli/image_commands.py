"""`ask`, `locate`, `point`, `count` and `read`: one picture, or many with `--out`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.picture_jobs import FileResult, Request, run
from viewfinder.cli.show import print_json, print_warning

if TYPE_CHECKING:
    from viewfinder.chat import Viewfinder
    from viewfinder.messages import Reply, Sampling

Images = Annotated[
    list[str], typer.Argument(help="Pictures, PDFs, folders or URLs, then the query.", metavar="IMAGE... QUERY")
]
Media = Annotated[
    list[str],
    typer.Argument(help="Pictures, clips or PDFs (none is fine), then the question.", metavar="[MEDIA]... QUESTION"),
]
ReadImages = Annotated[list[str], typer.Argument(help="Pictures, PDFs, folders or URLs.", metavar="IMAGE...")]
Verify = Annotated[bool, typer.Option("--verify", help="Look again, closer, at each box and say whether it holds.")]
MinConfidence = Annotated[
    float, typer.Option("--min-confidence", min=0.0, max=1.0, help="Leave out what the model is less sure of.")
]
Lines = Annotated[bool, typer.Option("--lines", help="Each line of text with its box.")]


def ask(
    media: Media,
    model: options.Model = "tiny",
    mmproj: options.Mmproj = None,
    as_json: options.AsJson = False,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    *sources, question = media
    options.check_files(sources)
    from viewfinder.messages import Reply
    from viewfinder.outputs.results import provenance

    viewfinder = options.open_model(model, dtype, max_pixels=max_pixels, mmproj=mmproj)
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
    min_confidence: MinConfidence = 0.0,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    sources, query = _split(images)

    def job(viewfinder: "Viewfinder", image: Any, sampling: "Sampling | None") -> FileResult:
        found = viewfinder.locate(image, query, verify=verify, sampling=sampling)
        boxes = request.sure(found)
        fields = {"boxes": [box.to_dict() for box in boxes]}
        lines = [_place_line(box.label, box.xyxy, box.confidence, box.verified) for box in boxes]
        return boxes, fields, found.reply, lines or ["nothing found"]

    request = Request(
        job, sources, {"job": "locate", "query": query, "verify": verify, "min_confidence": min_confidence},
        model, as_json, plot, out,
        min_confidence=min_confidence, opened={"max_pixels": max_pixels}, max_new_tokens=max_new_tokens, dtype=dtype,
    )  # fmt: skip
    run(request)


def point(
    images: Images,
    model: options.Model = "tiny",
    as_json: options.AsJson = False,
    plot: options.Plot = None,
    out: options.Out = None,
    min_confidence: MinConfidence = 0.0,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    sources, query = _split(images)

    def job(viewfinder: "Viewfinder", image: Any, sampling: "Sampling | None") -> FileResult:
        found = viewfinder.point(image, query, sampling=sampling)
        points = request.sure(found)
        lines = [_place_line(p.label, p.xy, p.confidence) for p in points]
        return points, {"points": [p.to_dict() for p in points]}, found.reply, lines or ["nothing found"]

    request = Request(
        job, sources, {"job": "point", "query": query, "min_confidence": min_confidence},
        model, as_json, plot, out,
        min_confidence=min_confidence, opened={"max_pixels": max_pixels}, max_new_tokens=max_new_tokens, dtype=dtype,
    )  # fmt: skip
    run(request)


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

    def job(viewfinder: "Viewfinder", image: Any, sampling: "Sampling | None") -> FileResult:
        result = viewfinder.count(image, query, sampling=sampling)
        assert result.reply is not None
        return result.points, result.to_dict(), result.reply, [str(result.value)]

    request = Request(
        job, sources, {"job": "count", "query": query},
        model, as_json, plot, out,
        opened={"max_pixels": max_pixels}, max_new_tokens=max_new_tokens, dtype=dtype,
    )  # fmt: skip
    run(request)


def read(
    images: ReadImages,
    model: options.Model = "tiny",
    as_json: options.AsJson = False,
    plot: options.Plot = None,
    lines: Lines = False,
    out: options.Out = None,
    min_confidence: MinConfidence = 0.0,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    def job(viewfinder: "Viewfinder", image: Any, sampling: "Sampling | None") -> FileResult:
        if lines or plot:
            found = viewfinder.spot(image, sampling=sampling)
            sure = request.sure(found)
            fields = {"lines": [box.to_dict() for box in sure]}
            return sure, fields, found.reply, [_place_line(b.text or "", b.xyxy, b.confidence) for b in sure]
        answer = viewfinder.read(image, sampling=sampling)
        return [], {"text": str(answer), "confidence": answer.confidence}, answer.reply, [str(answer)]

    asked = {"job": "read", "lines": lines or plot is not None, "min_confidence": min_confidence}
    request = Request(
        job, images, asked,
        model, as_json, plot, out,
        min_confidence=min_confidence, opened={"max_pixels": max_pixels}, max_new_tokens=max_new_tokens, dtype=dtype,
        tables=(".csv", ".jsonl"),
    )  # fmt: skip
    run(request)


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
