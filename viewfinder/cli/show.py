"""How results reach people and programs: text, one JSON document, a plot, a sign of progress."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from viewfinder.storage.atomic import replacing


def print_json(content: dict[str, Any]) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def print_warning(text: str) -> None:
    """A sentence for people, on standard error, so that standard output stays clean."""
    typer.echo(f"viewfinder: {text}", err=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show a spinner with the time elapsed on standard error, on a terminal only."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(what, total=None)
        yield


@contextmanager
def counting(what: str) -> Iterator[Callable[..., None]]:
    """Yield `show(done, total, what)`, which draws a bar on standard error, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)

        def show(done: int, total: int, now: str = what) -> None:
            progress.update(task, description=now, completed=done, total=total)

        yield show


def save_plot(image: Any, path: Path) -> None:
    """Write a picture; the format follows the suffix.

    Raises:
        typer.BadParameter: a suffix of no known format, or a folder that does not exist.
    """
    try:
        with replacing(path) as partial:
            image.save(partial)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(f"cannot write {path} ({error}); name a .png or .jpg in an existing folder") from error
