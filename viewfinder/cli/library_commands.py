"""`library add | ask | search | list | remove`: a collection of documents that answers with citations."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from viewfinder.chat.documents.parse import ParseOptions
from viewfinder.chat.library import Library
from viewfinder.cli import options
from viewfinder.cli.show import print_json, print_warning, working
from viewfinder.errors import MediaError

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
Correct = Annotated[bool, typer.Option("--correct", help="Put the words of a PDF's text layer in the place of others.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Pages asked about at the same time.")]
Taken = Annotated[str, typer.Argument(help="A file, or a folder with all below it.")]


def register(app: typer.Typer) -> None:
    library = typer.Typer(name="library", help="Collections of documents that answer with citations.")
    for name, command in {"add": add, "ask": ask, "search": search, "list": list_, "remove": remove}.items():
        library.command(name)(command)
    app.add_typer(library, no_args_is_help=True)


def add(
    folders: Folders = None,
    library: Where = None,
    model: options.Model = "tiny",
    correct: Correct = False,
    workers: Workers = 1,
    as_json: options.AsJson = False,
    max_pixels: options.MaxPixels = None,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    """Read new and changed documents, forget those that are gone; can be interrupted at any page."""
    reader = options.open_model(model, dtype, max_pixels=max_pixels)
    how = ParseOptions(correct=correct, sampling=options.sampling_of(reader.model, max_new_tokens))
    with _open(library, new=True) as shelf, _pages() as progress:
        synced = shelf.add(reader, folders or (), options=how, progress=progress, workers=workers)
    print_json(synced.to_dict()) if as_json else typer.echo(synced.sentence())
    raise typer.Exit(1 if synced.failed else 0)


def ask(
    question: Question,
    library: Where = None,
    model: options.Model = "tiny",
    limit: Limit = 5,
    look: Look = False,
    as_json: options.AsJson = False,
    max_new_tokens: options.MaxTokens = None,
    dtype: options.Dtype = None,
) -> None:
    """Answer a question from the documents, citing page and box, or say that they do not hold the answer."""
    reader = options.open_model(model, dtype)
    with _open(library) as shelf, working("reading the pages found"):
        sampling = options.sampling_of(reader.model, max_new_tokens)
        answer = shelf.ask(reader, question, limit=limit, look=look, sampling=sampling)
    if as_json:
        return print_json(answer.to_dict())
    typer.echo(answer.text)
    for citation in answer.citations:
        place = "" if citation.box is None else f" at {', '.join(f'{value:.0f}' for value in citation.box)}"
        typer.echo(f"  {citation.file}, page {citation.page + 1}{place}: {_shortened(citation.text)}")
    if answer.supported is False:
        print_warning("a number of this answer stands in none of the passages cited; look at them")
    return None


def search(query: Query, library: Where = None, limit: Limit = 10, as_json: options.AsJson = False) -> None:
    """Pages that have words of the query, the best first. Needs no model."""
    with _open(library) as shelf:
        hits = shelf.search(query, limit)
    if as_json:
        rows = [{"file": hit.file, "page": hit.page.number, "score": hit.score, "text": hit.page.text} for hit in hits]
        return print_json({"pages": rows})
    for hit in hits:
        typer.echo(f"{hit.file}, page {hit.page.number + 1}: {_shortened(hit.page.text)}")
    if not hits:
        typer.echo("no page has these words")
    return None


def list_(library: Where = None, as_json: options.AsJson = False) -> None:
    """The documents in the library."""
    with _open(library) as shelf:
        files = shelf.files()
    if as_json:
        return print_json({"files": [{"file": file.path, "pages": file.pages} for file in files]})
    for file in files:
        typer.echo(f"{file.path}  {file.pages} pages")
    typer.echo(f"{len(files)} documents, {sum(file.pages for file in files)} pages")
    return None


def remove(path: Taken, library: Where = None) -> None:
    """Take documents out of the library, with all their words. The files themselves stay."""
    with _open(library) as shelf:
        taken = shelf.remove(path)
    typer.echo("\n".join([*taken, f"{len(taken)} removed"]))


def default_library() -> Path:
    """The user's own: `viewfinder/library.db` in the folder for data of the system."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "viewfinder" / "library.db"


def _open(path: Path | None, *, new: bool = False) -> Library:
    """The library at a path; only `add` makes a new one."""
    path = path or default_library()
    if not new and not path.is_file():
        raise MediaError(f"there is no library {path}; make it with `viewfinder library add FOLDER`, or name another")
    return Library(path)


@contextmanager
def _pages() -> Iterator[Callable[[str, int, int], None]]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("documents", total=None)

        def show(file: str, done: int, total: int) -> None:
            bar.update(task, description=Path(file).name, completed=done, total=total)

        yield show


def _shortened(text: str, most: int = 100) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 3]}..."
