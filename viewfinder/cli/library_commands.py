"""`library add | ask | search | list | remove`: a collection of documents that answers with citations."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.lazy import subgroup
from viewfinder.cli.show import counting, interruptible, print_json, print_warning, rounded, save_plot, working
from viewfinder.errors import MediaError

if TYPE_CHECKING:
    from viewfinder.chat.library import Citation, Hit, Library, Retriever

Where = Annotated[
    Path | None,
    typer.Option("--library", help="The library's file; one for you alone when not said.", show_default=False),
]
Folders = Annotated[
    list[str] | None, typer.Argument(help="Folders and files; those added before when none.", metavar="[FOLDER]...")
]
Question = Annotated[str, typer.Argument(help="What you want to know.")]
Query = Annotated[str, typer.Argument(help="Words to look for.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Most pages that are looked at.")]
Look = Annotated[bool, typer.Option("--look", help="Also show the model the pages themselves.")]
Again = Annotated[bool, typer.Option("--again", help="Read documents again that have not changed.")]
With = Annotated[
    str | None,
    typer.Option(
        "--retriever",
        help="Find pages by what they look like too, by this ColQwen2.5-like checkpoint, or CHECKPOINT,ADAPTER.",
    ),
]
Plot = Annotated[
    Path | None, typer.Option("--plot", help="Write the pages, with what matched drawn on them, to this folder.")
]
Taken = Annotated[str, typer.Argument(help="A file, or a folder with all below it.")]

library = subgroup()


@library.command()
@options.grouped
def add(
    given: options.ModelOptions,
    folders: Folders = None,
    library: Where = None,
    correct: options.Correct = False,
    workers: options.PageWorkers = 1,
    again: Again = False,
    retriever: With = None,
    as_json: options.AsJson = False,
) -> None:
    """Read new and changed documents, forget those that are gone; can be interrupted at any page."""
    from viewfinder.chat.documents.parse import ParseOptions

    looking = _retriever(retriever)
    reader, sampling = given.open()
    how = ParseOptions(correct=correct, max_pixels=given.max_pixels, sampling=sampling)
    kept = "stopped; pages read so far are in the library, and the same command goes on with the next"
    with _open(library, new=True) as shelf, counting("documents") as show, interruptible(kept):
        synced = shelf.add(
            reader, folders or (), options=how, workers=workers, again=again, retriever=looking,
            progress=lambda file, done, total: show(done, total, Path(file).name),
        )  # fmt: skip
    print_json(synced.to_dict()) if as_json else typer.echo(synced.sentence())
    raise typer.Exit(1 if synced.failed else 0)


@library.command()
def ask(
    question: Question,
    library: Where = None,
    model: options.Model = "tiny",
    limit: Limit = 5,
    look: Look = False,
    retriever: With = None,
    plot: Plot = None,
    as_json: options.AsJson = False,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    """Answer a question from the documents, citing page and box, or say that they do not hold the answer."""
    with _open(library) as shelf:
        looking = _retriever(retriever, shelf)
        reader = options.open_model(model, dtype)
        sampling = options.sampling_of(reader.model, max_new_tokens)
        with working("reading the pages found"):
            answer = shelf.ask(reader, question, limit=limit, look=look, sampling=sampling, retriever=looking)
    _plot(plot, answer.citations)
    if as_json:
        return print_json(answer.to_dict())
    typer.echo(answer.text)
    for citation in answer.citations:
        place = "" if citation.box is None else f" at {rounded(citation.box)}"
        typer.echo(f"  {citation.file}, page {citation.page + 1}{place}: {_shortened(citation.text)}")
    if answer.supported is False:
        print_warning("a number of this answer stands in none of the passages cited; look at them")
    return None


@library.command()
def search(
    query: Query,
    library: Where = None,
    limit: Limit = 10,
    retriever: With = None,
    plot: Plot = None,
    as_json: options.AsJson = False,
) -> None:
    """Pages that have words of the query, the best first; with --retriever, pages that look like an answer too."""
    if plot is not None and retriever is None:
        raise typer.BadParameter("what matched has a place only with --retriever; give one", param_hint="--plot")
    with _open(library) as shelf:
        hits = shelf.search(query, limit, retriever=_retriever(retriever, shelf))
    _plot(plot, hits)
    if as_json:
        return print_json({"pages": [hit.to_dict() for hit in hits]})
    for hit in hits:
        place = "" if hit.look is None or hit.look.box is None else f", patch at {rounded(hit.look.box)}"
        typer.echo(f"{hit.file}, page {hit.page.number + 1}{place}: {_shortened(hit.page.text)}")
    if not hits:
        typer.echo("no page has these words")
    return None


@library.command("list")
def list_(library: Where = None, as_json: options.AsJson = False) -> None:
    """The documents in the library, and which of their pages are embedded."""
    with _open(library) as shelf:
        files, embedded, retriever = shelf.files(), shelf.embedded(), shelf.shelf.vectors.retriever
    if as_json:
        rows = [
            {
                "file": file.path,
                "pages": file.pages,
                "settings": file.read_with,
                "embedded": embedded.get(file.digest, 0),
            }
            for file in files
        ]
        return print_json({"files": rows, "retriever": retriever})
    for file in files:
        looks = f", {embedded.get(file.digest, 0)} embedded" if embedded else ""
        typer.echo(f"{file.path}  {file.pages} pages{looks}  {_read_with(file.read_with)}")
    pages, done = sum(file.pages for file in files), sum(embedded.get(file.digest, 0) for file in files)
    looks = f", {done} embedded by retriever {retriever}" if retriever else ""
    typer.echo(f"{len(files)} documents, {pages} pages{looks}")
    return None


@library.command()
def remove(path: Taken, library: Where = None) -> None:
    """Take documents out of the library, with all their words. The files themselves stay."""
    with _open(library) as shelf:
        taken = shelf.remove(path)
    typer.echo("\n".join([*taken, f"{len(taken)} removed"]))


def _read_with(settings: dict[str, Any]) -> str:
    """`weights 6b1f0c, max_pixels 802816, corrected`: the model and the options that were given."""
    if not settings:
        return "read by an earlier version"
    given = [f"weights {settings['weights'][:12]}"]
    given += [f"max_pixels {settings['max_pixels']}"] if settings["max_pixels"] else []
    return ", ".join(given + (["corrected"] if settings["correct"] else []))


def default_library() -> Path:
    """The user's own: `viewfinder/library.db` in the folder for data of the system."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "viewfinder" / "library.db"


def _open(path: Path | None, *, new: bool = False) -> "Library":
    """The library at a path; only `add` makes a new one."""
    path = path or default_library()
    if not new and not path.is_file():
        raise MediaError(f"there is no library {path}; make it with `viewfinder library add FOLDER`, or name another")
    from viewfinder.chat.library import Library

    return Library(path)


def _retriever(name: str | None, shelf: "Library | None" = None) -> "Retriever | None":
    """The retriever that is named; says how many pages of a library it cannot find."""
    if name is None:
        return None
    with working(f"loading {name}"):
        from viewfinder.chat.library import Retriever

        checkpoint, _, adapter = name.partition(",")
        retriever = Retriever.load(checkpoint, adapter or None)
    if shelf is not None and shelf.embedded():
        missing = sum(file.pages - shelf.embedded().get(file.digest, 0) for file in shelf.files())
        if missing:
            remedy = "`library add --retriever` embeds them"
            print_warning(f"{missing} pages are not embedded and are found by words alone; {remedy}")
    return retriever


def _plot(folder: Path | None, found: "Sequence[Hit | Citation]") -> None:
    """Draw each page found, numbered in their order."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(
            f"{folder} is no folder to write to ({error}); name another", param_hint="--plot"
        ) from error
    for rank, item in enumerate(found, 1):
        page = item.to_dict()["page"]
        save_plot(item.draw(), folder / f"{rank:02d}-{Path(item.file).stem}-page-{page}.png")


def _shortened(text: str, most: int = 100) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 3]}..."
