"""What `locate`, `point`, `count` and `read` share: one picture, or many with `--out` and `--plot FOLDER`."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import PLOTS, check_writable, counting, print_json, print_warning, save_plot, working

if TYPE_CHECKING:
    from viewfinder.chat import Viewfinder
    from viewfinder.messages import Reply, Sampling

FileResult = tuple[Sequence[Any], Mapping[str, Any], "Reply", list[str]]
"""Of one picture: things to draw on it, fields for programs, the reply, lines for people."""
Job = Callable[["Viewfinder", Any, "Sampling | None"], FileResult]
BATCH = 8
"""Pictures asked about at the same time."""
_CLIPS = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts")


@dataclass(frozen=True)
class PictureOptions(options.ModelOptions):
    """The options of every picture command."""

    as_json: options.AsJson = False
    plot: options.Plot = None
    out: options.Out = None


@dataclass(frozen=True)
class Request:
    """A picture command; `asked` is what its answers depend on beside model and picture."""

    job: Job
    sources: Sequence[str]
    given: PictureOptions
    asked: Mapping[str, Any]
    min_confidence: float = 0.0
    tables: Sequence[str] = (".csv", ".json", ".jsonl")

    def sure(self, places: Sequence[Any]) -> list[Any]:
        """Those at or above the threshold; a place without a confidence stays."""
        return [p for p in places if p.confidence is None or p.confidence >= self.min_confidence]


def run(request: Request) -> None:
    """Do the job on every picture and page named."""
    _refuse_clips(request.sources)
    check_writable(request.given.out, request.tables, "--out")
    pictures = _pictures(request.sources)
    one = len(pictures) == 1 and not Path(request.sources[0]).is_dir() and request.given.out is None
    folder = request.given.plot is not None and (request.given.plot.is_dir() or not request.given.plot.suffix)
    if one and not folder:
        check_writable(request.given.plot, PLOTS, "--plot")
        return _run_one(request, pictures[0])
    if not folder and request.given.plot is not None:
        raise typer.BadParameter(
            f"{request.given.plot} is one file and there are {len(pictures)} pictures; name a folder"
        )
    given = request.given
    out = given.out or (given.plot / "results.jsonl" if given.plot is not None else None)
    if out is not None:
        return _run_many(request, pictures, out)
    with TemporaryDirectory() as unkept:
        return _run_many(request, pictures, Path(unkept) / "results.jsonl", kept=False)


def load_page(name: str) -> Any:
    """The picture that a name from `_pictures` stands for."""
    from viewfinder.media.find import split_page
    from viewfinder.media.image import load_image

    file, page = split_page(name)
    if page is None:
        return load_image(file)
    from viewfinder.chat.documents.sources import open_pages

    with open_pages(file) as pages:
        return pages.picture(page - 1)


def _refuse_clips(sources: Sequence[str]) -> None:
    for source in sources:
        if Path(source.split("?")[0]).suffix.lower() in _CLIPS:
            raise typer.BadParameter(
                f"{source} is a clip, and this looks at one picture; ask `viewfinder moments {source} 'what happens'` "
                "for times, or `viewfinder ask` about the whole clip"
            )


def _pictures(sources: Sequence[str]) -> list[str]:
    """Pictures by path or URL, and pages of PDFs as `paper.pdf#page=1`."""
    from viewfinder.media.find import find_images
    from viewfinder.media.image import IMAGE_SUFFIXES

    names: list[str] = []
    for file in find_images(sources, {*IMAGE_SUFFIXES, ".pdf"}):
        if not file.split("?")[0].lower().endswith(".pdf"):
            names.append(file)
            continue
        from viewfinder.chat.documents.sources import open_pages

        with open_pages(file) as pages:
            names += [f"{file}#page={number}" for number in range(1, len(pages) + 1)]
    return names


def _run_one(request: Request, name: str) -> None:
    picture = load_page(name)  # before torch is imported: a bad file is answered at once
    viewfinder, sampling = request.given.open()
    with working(name):
        drawn, fields, reply, lines = request.job(viewfinder, picture, sampling)
    if request.given.as_json:
        print_json(document(fields, reply))
    else:
        typer.echo("\n".join(lines))
        if reply.finish_reason != "stop":
            print_warning(f"the answer was cut ({reply.finish_reason}), so something may be missing")
    if request.given.plot is not None:
        from viewfinder.outputs.draw import draw

        save_plot(draw(picture.image, drawn, note=_note(fields, drawn)), request.given.plot)


def _run_many(request: Request, pictures: Sequence[str], out: Path, *, kept: bool = True) -> None:
    from viewfinder.chat.answer_cache import answer_settings
    from viewfinder.chat.batch import run_many
    from viewfinder.chat.batching import batched

    def told(done: int, total: int, result: Mapping[str, Any]) -> None:
        show(done, total, f"{Path(result['file']).name}: {_found(result)}")

    viewfinder, sampling = request.given.open()
    with batched(viewfinder, BATCH, exact=request.given.dtype is None) as shared, counting(out.name) as show:
        settings = answer_settings(shared.model, shared.processor, sampling, **request.asked)

        def job(name: str) -> dict[str, Any]:
            return document(*request.job(shared, load_page(name), sampling)[1:3])

        summary = run_many(pictures, job, out, settings, workers=BATCH, progress=told)
    if request.given.plot is not None:
        _draw_all(summary.rows, request.given.plot)
    if request.given.as_json:
        print_json(summary.to_dict() if kept else {"results": list(summary.rows), "left": summary.left})
    else:
        said = summary.sentence() if kept else _unkept(summary.done, summary.left, len(summary.failed))
        typer.echo("\n".join([*_table(summary.rows, 40 if kept else len(summary.rows)), said]))
    if summary.left or summary.failed:
        raise typer.Exit(130 if summary.left else 1)


def _unkept(done: int, left: int, failed: int) -> str:
    stopped = f", {left} not reached" if left else ""
    return f"{done} done, {failed} failed{stopped}; --out results.jsonl keeps all, and goes on after an interruption"


def document(fields: Mapping[str, Any], reply: "Reply") -> dict[str, Any]:
    """The JSON of one picture."""
    from viewfinder.outputs.results import provenance

    return {**fields, **provenance(reply)}


def _places(result: Mapping[str, Any]) -> list[Any]:
    """Boxes and points of a result, to draw and count."""
    from viewfinder.outputs.boxes import Box
    from viewfinder.outputs.points import Point

    made: list[Any] = []
    for row in (*result.get("boxes", ()), *result.get("lines", ())):
        made.append(
            Box(*row["box"], label=row.get("label", ""), confidence=row.get("confidence"), text=row.get("text"))
        )
    for row in result.get("points", ()):
        made.append(Point(*row["point"], label=row.get("label", ""), confidence=row.get("confidence")))
    return made


def _note(fields: Mapping[str, Any], places: Sequence[Any]) -> str | None:
    """The total of `count`; None leaves it to the drawing."""
    if "count" not in fields:
        return None
    label = next((place.label for place in places if place.label), "")
    return f"{fields['count']} {label}".strip()


def _found(result: Mapping[str, Any]) -> str:
    """`2 cat, 1 dog`, the count, the first words, or what went wrong."""
    if "error" in result:
        return f"failed ({result['error']})"
    if "count" in result:
        return str(result["count"])
    if not any(key in result for key in ("boxes", "points", "lines")):
        return " ".join(str(result.get("text", "")).split())[:60] or "nothing found"
    names = Counter(place.label or "line" for place in _places(result))
    return ", ".join(f"{number} {name}" for name, number in names.most_common(6)) or "nothing found"


def _table(rows: Sequence[Mapping[str, Any]], most: int = 40) -> list[str]:
    """A line a picture (`most` of them), and the sum of each label."""
    width = max((len(Path(row["file"]).name) for row in rows), default=0)
    lines = [f"{Path(row['file']).name:<{width}}  {_found(row)}" for row in rows[:most]]
    if len(rows) > most:
        lines.append(f"... and {len(rows) - most} more")
    totals = Counter(place.label or "line" for row in rows for place in _places(row))
    if totals and len(rows) > 1:
        said = ", ".join(f"{number} {name}" for name, number in totals.most_common(10))
        lines.append(f"{'in all':<{width}}  {said}")
    return lines


def _draw_all(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Each picture with its results, one at a time; one that cannot be read any more is passed over."""
    from viewfinder.errors import ViewfinderError
    from viewfinder.media.find import file_stems
    from viewfinder.outputs.draw import draw

    folder.mkdir(parents=True, exist_ok=True)
    drawn = [row for row in rows if "error" not in row]
    stems = file_stems([row["file"] for row in drawn])
    for row in drawn:
        places = _places(row)
        try:
            image = load_page(row["file"]).image
        except ViewfinderError as error:
            print_warning(f"{row['file']} was not drawn ({error})")
            continue
        save_plot(draw(image, places, note=_note(row, places)), folder / f"{stems[row['file']]}.png")
