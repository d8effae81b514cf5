"""Which files of the package one command enters, and which of them call each other: how much one has to read.

    python bench/files_entered.py locate examples/three.png "the red circle"
    python bench/files_entered.py --list train sft ...

A profiler hook sees every call. An edge A -> B says that a function of A called one of B, directly or through code
outside of the package (a callback, an iterator). A two-way pair has edges in both directions: to follow it, one goes
back and forth between two files. Import-time code does not count, neither do properties of dataclasses that the
interpreter writes itself.
"""

import argparse
import contextlib
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

PACKAGE = str(Path(viewfinder.__file__).parent) + "/"


@dataclass
class Trace:
    """Calls by file, and by pair of files (caller, callee)."""

    calls: Counter[str] = field(default_factory=Counter)
    edges: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def two_way(self) -> list[tuple[str, str]]:
        return sorted(pair for pair in self.edges if pair[0] < pair[1] and pair[::-1] in self.edges)

    def hook(self, frame: FrameType, event: str, _: Any) -> None:
        """To be set as the profiler of a thread."""
        called = _file_of(frame) if event == "call" else None
        if called is None:
            return
        self.calls[called] += 1
        caller = next(filter(None, map(_file_of, _outward(frame.f_back))), None)
        if caller not in (None, called):
            self.edges[caller, called] += 1


def _file_of(frame: FrameType) -> str | None:
    """The package's file that a frame runs; None for other code and for the body of a module or class."""
    code = frame.f_code
    if not code.co_filename.startswith(PACKAGE) or code.co_name == "<module>" or not code.co_flags & 0x2:  # optimized
        return None
    return code.co_filename.removeprefix(PACKAGE)


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None and frame.f_code.co_name != "<module>":
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
    lines = sum(len((Path(PACKAGE) / file).read_text().splitlines()) for file in seen.calls)
    print(f"files {len(seen.calls)}, lines in them {lines:,}, edges {len(seen.edges)}, two-way {len(seen.two_way)}")
    if options.list:
        print("files:", *sorted(seen.calls), sep="\n  ")
        print("two-way pairs:", *(f"{a} <-> {b}" for a, b in seen.two_way), sep="\n  ")


if __name__ == "__main__":
    main()
