"""How results reach people and programs: text, one JSON document, a plot, a sign of progress."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def print_json(content: dict[str, Any]) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def print_warning(text: str) -> None:
    """A sentence for people, on standard error, so that standard output stays clean."""
    typer.echo(f"viewfinder: {text}", err=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show a spinner with the time elapsed on standard error, on a terminal only."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(what, total=None)
        yield


def save_plot(image: Any, path: Path) -> None:
    """Write a picture; the format follows the suffix.

    Raises:
        typer.BadParameter: a suffix of no known format, or a folder that does not exist.
    """
    try:
        image.save(path)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(f"cannot write {path} ({error}); name a .png or .jpg in an existing folder") from error
