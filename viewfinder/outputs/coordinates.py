"""Numbers in a text -> groups that belong together, and what places such groups can be.

Groups are found by what stands between two numbers: a comma (or `, y1=`) goes on with a group, brackets that close and
open begin the next one, two closing brackets end a block, words end the run.

    "[[10, 20], [30, 40]], [[5, 6]]"   two runs: one block of the groups (10, 20) and (30, 40); one of (5, 6)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

PlaceKind = Literal["box", "point", "polygon"]
Expected = Literal["box", "point", "points", "polygon"]
"""What the writer announced: `points` is a list of them; `point` is one, which may be given as a box."""

_ONE = r"[-+−]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+−]?\d+)?"
_RIGHT = r"(?!\.?\d|[A-Za-z_]+\d)"
NUMBER = re.compile(rf"(?<![A-Za-z_\d.]){_ONE}{_RIGHT}")
"""A number by itself: not the 1 of `x1`, nor a part of `1.2.3`."""
_NUMBERS = re.compile(rf"(?<![A-Za-z_\d.]){_ONE}(?:, ?{_ONE})*{_RIGHT}")
"""Numbers with nothing but commas between."""
_ITEM = re.compile(r"[^, ]+")
_NO_SHAPE = re.compile(r"[\s\"'`\\]+|px\b")
_GAP = re.compile(r"(?P<close>[)\]}）】]*)(?P<comma>[,，;；、]?)(?P<open>[(\[{（【]*)(?P<name>[A-Za-z]{1,6}\d?[=:])?")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_LONGEST_GAP = 40


Span = tuple[int, int]
Group = list[Span]
Block = list[Group]


@dataclass
class Run:
    """Numbers that belong together: blocks of groups of their characters, `text[start:end]`."""

    blocks: list[Block]

    @property
    def all(self) -> Group:
        return [span for block in self.blocks for group in block for span in group]

    @property
    def start(self) -> int:
        return self.blocks[0][0][0][0]

    @property
    def end(self) -> int:
        return self.blocks[-1][-1][-1][1]


def find_runs(text: str, start: int = 0, end: int | None = None, *, inside: bool = False) -> Iterator[Run]:
    """The runs of `text[start:end]`. `inside`: the text is one value, so that words part groups and spaces part
    numbers, and all of it is one run."""
    run: Run | None = None
    group: Group = []
    last = start
    for match in _NUMBERS.finditer(text, start, len(text) if end is None else end):
        begins, ends = match.span()
        joint = _joint(text, last, begins, inside) if group else "end"
        last = ends
        spans = [item.span() for item in _ITEM.finditer(text, begins, ends)]
        if joint == "number":
            group += spans
            continue
        group = spans
        if joint == "end":
            if run is not None:
                yield run
            run = Run([[group]])
        elif run is not None and joint == "group":
            run.blocks[-1].append(group)
        elif run is not None:
            run.blocks.append([group])
    if run is not None:
        yield run


def _joint(text: str, start: int, end: int, inside: bool) -> Literal["number", "group", "block", "end"]:
    """How the number after `text[start:end]` goes on from the one before."""
    raw = text[start:end] if end - start <= _LONGEST_GAP else "too long"
    if not inside and raw[-1:].isalpha():  # words, the commonest of all
        return "end"
    gap = _GAP.fullmatch(_NO_SHAPE.sub("", raw))
    if gap is None:
        return "group" if inside else "end"
    closes, opens = len(gap["close"]), len(gap["open"])
    if closes > 1:
        return "block" if inside else "end"
    if closes or opens:
        return "group" if inside or "\n" not in raw else "end"
    return "number" if gap["comma"] or gap["name"] or inside or _bracketed_spaces(text, start, raw) else "end"


def _bracketed_spaces(text: str, start: int, gap: str) -> bool:
    """`[10 20 30 40]`: numbers parted by blanks alone belong together only where a bracket opened close before."""
    line = text[max(0, start - _LONGEST_GAP) : start]
    return "\n" not in gap and line.rfind("[") > line.rfind("]")


def read_block(text: str, block: Block, expected: Expected) -> list[tuple[PlaceKind, Group]]:
    """The places of one block; none where its numbers are none of them.

    Four numbers are a box, eight a quad. Pairs are points where points are expected; else two are the corners
    of a box and more are a polygon.
    """
    if len(block) == 1 and len(block[0]) == 4 and expected in ("box", "point"):
        return [("box", block[0])]
    numbers = [number for group in block for number in group]
    sizes = {len(group) for group in block}
    pairs = [numbers[i : i + 2] for i in range(0, len(numbers), 2)]
    if expected == "polygon" and len(numbers) >= 6 and len(numbers) % 2 == 0:
        return [("polygon", numbers)]
    if sizes == {2} or (expected == "points" and len(block) == 1 and len(numbers) % 2 == 0):
        if expected in ("point", "points") or len(block) == 1:
            return [("point", pair) for pair in pairs]
        return [("box", numbers) if len(block) == 2 else ("polygon", numbers)]
    if sizes == {4}:
        return [("box", group) for group in block]
    if sizes == {8}:
        return [("polygon", group) for group in block]
    if sizes == {5} and all(0 <= to_float(text[slice(*group[4])]) <= 1 for group in block):
        return [("box", group[:4]) for group in block]  # the fifth is a confidence
    return []


def to_float(word: str) -> float:
    """The value; infinite where its exponent is too large."""
    return float(word.replace("−", "-"))


def is_grouped(text: str, run: Run) -> bool:
    """Whether the numbers may as well be one with thousands separators: `1,400`."""
    return _GROUPED.fullmatch(text, run.start, run.end) is not None
