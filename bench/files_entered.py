"""Which files of the package one command enters, and how they call each other: how much one has to read.

    python bench/files_entered.py locate examples/three.png "the red circle"
    python bench/files_entered.py --list train sft ...

A profiler hook sees every call of a function of the package; what runs at import does not count.

    calls   A -> B: a function of A called one of B, directly or through other code (a callback, an iterator)
    steps   A -> B: the first function entered after one of A is one of B, as a debugger that steps into calls shows it,
            so a caller in C that calls A and then B makes a step from A to B

A two-way pair has both A -> B and B -> A.
"""

import argparse
import contextlib
import inspect
import io
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import viewfinder

_COMPREHENSIONS = {"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"}
PACKAGE = str(Path(viewfinder.__file__).parent) + "/"


@dataclass
class Trace:
    """Functions entered by file, and both kinds of edges."""

    files: Counter[str] = field(default_factory=Counter)
    calls: set[tuple[str, str]] = field(default_factory=set)
    steps: set[tuple[str, str]] = field(default_factory=set)
    last: str = ""

    def hook(self, frame: FrameType, event: str, _: Any) -> None:
        """To be set as the profiler of a thread."""
        called = _file_of(frame) if event == "call" else None
        if called is None:
            return
        self.files[called] += 1
        caller = next(filter(None, map(_file_of, _outward(frame.f_back))), called)
        self.calls |= {(caller, called)} - {(called, called)}
        self.steps |= {(self.last, called)} - {(called, called), ("", called)}
        self.last = called


def two_way(edges: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs with an edge in both directions, each once."""
    return sorted((a, b) for a, b in edges if a < b and (b, a) in edges)


def _file_of(frame: FrameType) -> str | None:
    """The package's file that a frame runs; None for other code, and for the body of a module or class with its
    comprehensions."""
    code = frame.f_code
    while code.co_name in _COMPREHENSIONS and (outer := frame.f_back) is not None:
        if outer.f_code.co_filename != code.co_filename:
            break
        frame, code = outer, outer.f_code
    if not code.co_filename.startswith(PACKAGE) or not code.co_flags & inspect.CO_OPTIMIZED:
        return None
    return code.co_filename.removeprefix(PACKAGE)


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def trace(run: Callable[[], object]) -> Trace:
    """Run and watch, in all threads that are started meanwhile."""
    seen = Trace()
    sys.setprofile(seen.hook)
    threading.setprofile(seen.hook)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the files and the two-way pairs")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="a command of viewfinder with its arguments")
    options = parser.parse_args()
    from viewfinder.cli.app import app

    with contextlib.redirect_stdout(io.StringIO()):
        seen = trace(lambda: app(options.command, standalone_mode=False))
    lines = sum(len((Path(PACKAGE) / file).read_text().splitlines()) for file in seen.files)
    print(f"files {len(seen.files)}, lines in them {lines:,}")
    for name, edges in (("calls", seen.calls), ("steps", seen.steps)):
        print(f"{name}: {len(edges)} edges between files, {len(two_way(edges))} two-way pairs")
        if options.list:
            print(*(f"  {a} <-> {b}" for a, b in two_way(edges)), sep="\n")
    if options.list:
        print(*sorted(seen.files), sep="\n")


if __name__ == "__main__":
    main()
