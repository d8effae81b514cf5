"""How results reach people and programs: text, one JSON document, a plot, a sign of progress."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from viewfinder.storage.atomic import replacing


def print_json(content: Mapping[str, Any]) -> None:
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
def interruptible(kept: str) -> Iterator[None]:
    """On Ctrl-C say what is done and how to go on, and end with code 130."""
    try:
        yield
    except KeyboardInterrupt:
        print_warning(kept)
        raise typer.Exit(130) from None


@contextmanager
def counting(what: str, name: str = "") -> Iterator[Callable[..., None]]:
    """Yield `show(done, total, what)`: a bar on standard error on a terminal, a line for each elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total, now=name or what: print_warning(f"{now}: {done}/{total}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)

        def show(done: int, total: int, now: str = what) -> None:
            progress.update(task, description=now, completed=done, total=total)

        yield show


def check_writable(path: Path | None, suffixes: Iterable[str], option: str) -> None:
    """That a side file can be written, before a model is loaded.

    Raises:
        typer.BadParameter: another suffix than one of `suffixes`, or no such folder.
    """
    if path is None:
        return
    known = sorted(suffixes)
    if path.suffix.lower() not in known:
        raise typer.BadParameter(f"{path} ends in {path.suffix!r}; give {', '.join(known)}", param_hint=option)
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent} for {path.name}; make it first", param_hint=option)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise typer.BadParameter(f"{path} cannot be written; name another file", param_hint=option)


PLOTS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def save_plot(image: Any, path: Path) -> None:
    """Write a picture whose place `check_writable` has looked at.

    Raises:
        typer.BadParameter: the disk refuses it.
    """
    try:
        with replacing(path) as partial:
            image.save(partial)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(f"cannot write {path} ({error}); the answer above is whole") from error


def rounded(numbers: Iterable[float]) -> str:
    """A place for people: `10, 20, 31, 40`."""
    return ", ".join(f"{number:.0f}" for number in numbers)


def stopped(resume: Path | None, parts: str) -> str:
    """What is kept when a job is stopped that can go on from a file."""
    if resume is None:
        return f"stopped; nothing was kept. With --resume FILE.jsonl finished {parts} are"
    return f"stopped; finished {parts} are in {resume}, and the same command goes on with the next"
