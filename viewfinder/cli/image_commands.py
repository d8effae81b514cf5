"""`ask`, `locate`, `point`, `count` and `read`: one picture, or many with `--out`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.picture_jobs import FileResult, PictureOptions, Request, run
from viewfinder.cli.show import print_json, print_warning, rounded

if TYPE_CHECKING:
    from viewfinder.chat import Viewfinder
    from viewfinder.messages import Sampling

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


@options.grouped
def ask(
    media: Media, given: options.ModelOptions, mmproj: options.Mmproj = None, as_json: options.AsJson = False
) -> None:
    *sources, question = media
    options.check_files(sources)
    from viewfinder.messages import Reply
    from viewfinder.outputs.results import provenance

    viewfinder, sampling = given.open(mmproj=mmproj)
    if as_json:
        answer = viewfinder.ask(sources, question, sampling=sampling)
        return print_json({"answer": str(answer), "confidence": answer.confidence, **provenance(answer.reply)})
    for piece in viewfinder.stream(sources, question, sampling=sampling):
        if isinstance(piece, Reply):
            typer.echo()
            if piece.finish_reason != "stop":
                print_warning(f"the answer was cut ({piece.finish_reason})")
        else:
            typer.echo(piece, nl=False)
    return None


@options.grouped
def locate(images: Images, given: PictureOptions, verify: Verify = False, min_confidence: MinConfidence = 0.0) -> None:
    sources, query = _split(images)

    def job(viewfinder: "Viewfinder", image: Any, sampling: "Sampling | None") -> FileResult:
        found = viewfinder.locate(image, query, verify=verify, sampling=sampling)
        boxes = request.sure(found)
        fields = {"boxes": [box.to_dict() for box in boxes]}
        lines = [_place_line(box.label, box.xyxy, box.confidence, box.verified) for box in boxes]
        return boxes, fields, found.reply, lines or ["nothing found"]

    asked = {"job": "locate", "query": query, "verify": verify, "min_confidence": min_confidence}
    request = Request(job, sources, given, asked, min_confidence)
    run(request)


@options.grouped
def point(images: Images, given: PictureOptions, min_confidence: MinConfidence = 0.0) -> None:
    sources, query = _split(images)

    def job(viewfinder: "Viewfinder", image: Any, sampling: "Sampling | None") -> FileResult:
        found = viewfinder.point(image, query, sampling=sampling)
        points = request.sure(found)
        lines = [_place_line(p.label, p.xy, p.confidence) for p in points]
        return points, {"points": [p.to_dict() for p in points]}, found.reply, lines or ["nothing found"]

    asked = {"job": "point", "query": query, "min_confidence": min_confidence}
    request = Request(job, sources, given, asked, min_confidence)
    run(request)


@options.grouped
def count(images: Images, given: PictureOptions) -> None:
    sources, query = _split(images)

    def job(viewfinder: "Viewfinder", image: Any, sampling: "Sampling | None") -> FileResult:
        result = viewfinder.count(image, query, sampling=sampling)
        assert result.reply is not None
        return result.points, result.to_dict(), result.reply, [str(result.value)]

    run(Request(job, sources, given, {"job": "count", "query": query}))


@options.grouped
def read(images: ReadImages, given: PictureOptions, lines: Lines = False, min_confidence: MinConfidence = 0.0) -> None:
    def job(viewfinder: "Viewfinder", image: Any, sampling: "Sampling | None") -> FileResult:
        if lines or given.plot:
            found = viewfinder.spot(image, sampling=sampling)
            sure = request.sure(found)
            fields = {"lines": [box.to_dict() for box in sure]}
            return sure, fields, found.reply, [_place_line(b.text or "", b.xyxy, b.confidence) for b in sure]
        answer = viewfinder.read(image, sampling=sampling)
        return [], {"text": str(answer), "confidence": answer.confidence}, answer.reply, [str(answer)]

    asked = {"job": "read", "lines": lines or given.plot is not None, "min_confidence": min_confidence}
    request = Request(job, images, given, asked, min_confidence, tables=(".csv", ".jsonl"))
    run(request)


def _split(images: list[str]) -> tuple[list[str], str]:
    *sources, query = images
    if not sources:
        raise typer.BadParameter(f"got only {query!r}; give a picture and then what to look for")
    return sources, query


def _place_line(label: str, numbers: Sequence[float], confidence: float | None, verified: bool | None = None) -> str:
    sure = "" if confidence is None else f"  {confidence:.0%}"
    again = {None: "", True: "  holds on a second look", False: "  does not hold on a second look"}[verified]
    return f"{rounded(numbers)}  {label}{sure}{again}"
