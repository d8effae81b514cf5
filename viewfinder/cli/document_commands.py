"""`parse`, `extract` and `chart`: documents into text, tables and values."""

import csv
import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import (
    PLOTS,
    check_writable,
    counting,
    interruptible,
    print_json,
    print_warning,
    rounded,
    save_plot,
    stopped,
    working,
)
from viewfinder.storage.atomic import write_whole

if TYPE_CHECKING:
    from viewfinder.chat.documents.extract import Extraction
    from viewfinder.outputs.document import Document

Sources = Annotated[list[str], typer.Argument(help="PDFs, pictures, folders or URLs.", metavar="DOCUMENT...")]
DocumentArgument = Annotated[str, typer.Argument(help="A PDF, picture or URL.", metavar="DOCUMENT")]
Image = Annotated[str, typer.Argument(help="A picture of a chart.", metavar="IMAGE")]
Format = Annotated[
    list[str] | None,
    typer.Option("--format", "-f", help="One or several of html, clean, viewer, md, json, txt (md when not said)."),
]
Folder = Annotated[Path | None, typer.Option("--out", help="Folder to write to; needed for several documents.")]
Pages = Annotated[str | None, typer.Option("--pages", help="Pages counted from 1, as in 1-3,7.")]
NoCheck = Annotated[bool, typer.Option("--no-check", help="Do not compare with the text layer and the ink.")]
Password = Annotated[str | None, typer.Option("--password", help="Opens PDFs that are locked.")]
Resume = Annotated[Path | None, typer.Option("--resume", help="Keep finished pages here, and go on from there.")]
Fields = Annotated[str | None, typer.Option("--fields", help="Names of fields, parted by commas.")]
Schema = Annotated[Path | None, typer.Option("--schema", help="A file with a JSON schema.")]
ToCsv = Annotated[Path | None, typer.Option("--csv", help="Write the values as CSV.")]
NoPlaces = Annotated[bool, typer.Option("--no-places", help="Ask for values only, in the short official form.")]

_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d.,]+\s*%?$)")


@options.grouped
def parse(
    documents: Sources,
    given: options.ModelOptions,
    formats: Format = None,
    out: Folder = None,
    pages: Pages = None,
    password: Password = None,
    correct: options.Correct = False,
    no_check: NoCheck = False,
    resume: Resume = None,
    workers: options.PageWorkers = 1,
    as_json: options.AsJson = False,
) -> None:
    options.check_files(documents if len(documents) == 1 else ())  # of many, one that fails stops no other
    from viewfinder.chat.documents.files import FORMATS, parse_files
    from viewfinder.chat.documents.sources import find_documents
    from viewfinder.media.source import Limits

    formats = formats or ["md"]
    unknown = [kind for kind in formats if kind not in FORMATS]
    if unknown:
        raise typer.BadParameter(f"unknown format {unknown[0]!r}; give {', '.join(FORMATS)}", param_hint="--format")
    check_writable(resume, [".jsonl"], "--resume")
    files = find_documents(documents)
    if out is None and (len(files) > 1 or len(formats) > 1):
        raise typer.BadParameter(f"{len(files)} documents in {len(formats)} formats need --out FOLDER to write to")
    viewfinder, sampling = given.open()
    how: dict[str, Any] = {
        "pages": page_list(pages),
        "password": password,
        "limits": Limits(max_pages=sys.maxsize),  # pages are read one at a time
        "correct": correct,
        "check": not no_check,
        "workers": workers,
        "sampling": sampling,
    }

    if len(files) > 1:
        assert out is not None
        summary = parse_files(
            files, lambda file, keep: viewfinder.parse(file, resume=keep, **how), out, formats, password,
            settings=_settings(viewfinder, how),
        )  # fmt: skip
        print_json(summary.to_dict()) if as_json else typer.echo(summary.sentence())
        raise typer.Exit(130 if summary.left else 1 if summary.failed else 0)
    with counting(Path(files[0]).name) as progress, interruptible(stopped(resume, "pages")):
        document = viewfinder.parse(files[0], resume=resume, progress=progress, **how)
    _show(document, files[0], formats, out, as_json, password)
    for number, reason in document.failed.items():
        print_warning(f"page {number + 1} failed: {reason}")
    for page in document.pages:
        for note in page.repairs:
            if "was cut" in note:
                print_warning(f"page {page.number + 1}: {note}, so something may be missing")
    raise typer.Exit(1 if document.failed else 0)


@options.grouped
def extract(
    document: DocumentArgument,
    given: options.ModelOptions,
    fields: Fields = None,
    schema: Schema = None,
    pages: Pages = None,
    password: Password = None,
    no_places: NoPlaces = False,
    as_json: options.AsJson = False,
    plot: options.Plot = None,
) -> None:
    shape = _shape(fields, schema)
    options.check_files([document])
    check_writable(plot, PLOTS, "--plot")
    from viewfinder.chat.documents.sources import open_pages
    from viewfinder.outputs.results import provenance

    with open_pages(document, password=password):  # before the model: a bad file should not cost a load
        pass
    viewfinder, sampling = given.open()
    how = {"pages": page_list(pages), "password": password, "places": not no_places}
    with working(document):
        found = viewfinder.extraction(document, shape, sampling=sampling, **how)
    if as_json:
        print_json({**found.to_dict(), **provenance(found.reply)})
    for field in found.fields if not as_json else ():
        place = "" if field.box is None else f"  (page {(field.page or 0) + 1}: {rounded(field.box)})"
        verified = {None: "", True: "  in the text layer", False: "  NOT in the text layer"}[field.verified]
        said = "not present" if field.value is None else json.dumps(field.value, ensure_ascii=False)
        typer.echo(f"{field.path}: {said}{place}{verified}")
    if plot is not None:
        _plot_fields(document, found, plot, (page_list(pages) or [0])[0], password)


@options.grouped
def chart(image: Image, given: options.ModelOptions, to_csv: ToCsv = None, as_json: options.AsJson = False) -> None:
    from viewfinder.media.image import load_image

    check_writable(to_csv, [".csv"], "--csv")
    picture = load_image(image)
    from viewfinder.outputs.document.markdown import table_markdown
    from viewfinder.outputs.results import provenance

    viewfinder, sampling = given.open()
    with working(image):
        found = viewfinder.chart(picture, sampling=sampling)
    grid = found.table.grid()
    if as_json:
        box = None if found.chart.box is None else list(found.chart.box)
        print_json({"rows": grid, "box": box, "confidence": found.confidence, **provenance(found.reply)})
    else:
        typer.echo(table_markdown(found.table) if grid else "no values found")
        if not found.complete:
            print_warning("the answer was cut, so values may be missing")
    if to_csv is not None:
        write_whole(to_csv, _csv(grid))


def _settings(viewfinder: Any, how: dict[str, Any]) -> dict[str, Any]:
    from viewfinder.chat.documents.parse import ParseOptions, parse_settings

    asked = ParseOptions(check=how["check"], correct=how["correct"], sampling=how["sampling"])
    return {**parse_settings(viewfinder.model, viewfinder.processor, asked), "pages": how["pages"]}


def page_list(text: str | None) -> list[int] | None:
    """`1-3,7` as [0, 1, 2, 6]."""
    if text is None:
        return None
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()) or int(first) < 1:
            raise typer.BadParameter(f"{text!r} names no pages; write them as 1-3,7", param_hint="--pages")
        numbers += range(int(first) - 1, int(last or first))
    return numbers


def _show(
    document: "Document", source: str, formats: Sequence[str], out: Path | None, as_json: bool, password: str | None
) -> None:
    from viewfinder.chat.documents.files import text_of, write_document
    from viewfinder.chat.documents.sources import PageImages, open_pages

    if out is not None:
        written = write_document(document, source, out / Path(source.split("?")[0]).stem, formats, password)
        if not as_json:
            typer.echo("\n".join(str(path) for path in written))
    if as_json:
        print_json(document.to_dict())
    elif out is None:
        with open_pages(source, password=password) as opened:
            numbers = [page.number for page in document.pages]
            typer.echo(text_of(document, formats[0], PageImages(opened, numbers)), nl=False)
    differing = sum(len(page.disagreements) for page in document.pages)
    if differing:
        print_warning(f"{differing} elements differ from the text layer or the ink of their page; --json names them")


def _shape(fields: str | None, schema: Path | None) -> Any:
    if (fields is None) == (schema is None):
        raise typer.BadParameter("say what to extract: --fields a,b,c or --schema FILE, one of them")
    if fields is not None:
        return [name.strip() for name in fields.split(",") if name.strip()]
    assert schema is not None
    try:
        return json.loads(schema.read_text())
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{schema} holds no JSON schema ({error})", param_hint="--schema") from error


def _plot_fields(document: str, found: "Extraction[Any]", plot: Path, first: int, password: str | None) -> None:
    """The page that most values are on (the first that was asked about when none is placed), with their boxes."""
    from viewfinder.chat.documents.extract import field_boxes
    from viewfinder.chat.documents.sources import open_pages
    from viewfinder.outputs.draw import draw

    numbers = [field.page for field in found.fields if field.page is not None]
    page = max(set(numbers), key=numbers.count) if numbers else first
    with open_pages(document, password=password) as opened:
        save_plot(draw(opened.picture(page).image, field_boxes(found, page), note=""), plot)


def _csv(grid: Sequence[Sequence[str]]) -> str:
    """Rows for a spreadsheet; a text that it would run as a formula gets a quote before it."""
    sink = io.StringIO()
    safe = ([f"'{cell}" if _FORMULA.match(cell) else cell for cell in row] for row in grid)
    csv.writer(sink, lineterminator="\n").writerows(safe)
    return sink.getvalue()
