"""Labels of answer tokens: where the thing or text stands that the next token says, -100 where nothing is known.

A small model learns to read and to place much sooner when it is told where to look (docs/notes/2026-11-26-looking.md).

Before each of the tokens 2, 4, 6, 8 of "[2, 4, 6, 8]" stands the place of (4, 6).
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viewfinder.data.synth.scene import Scene
from viewfinder.data.synth.shapes import COLOR_NAMES
from viewfinder.data.synth.text_lines import TextLine
from viewfinder.inputs import ModelInputs
from viewfinder.processor.processor import Processor
from viewfinder.tiny.clip_questions import View
from viewfinder.tiny.token_labels import ANSWER_HEADS, IGNORE, KINDS, place_of

Labels = dict[str, NDArray[np.int64]]
"""By head, one answer for each token of a conversation."""
Turns = Sequence[Mapping[str, Any]]
"""What is true of each question: "boxes" or "count" of all that fits it, "at" the place its answer is about."""


def scene_answer_labels(processor: Processor, item: ModelInputs, scene: Scene, turns: Turns) -> Labels:
    """Labels of the answers about a scene.

    An answer that is the text of the picture has the place of the next character; an answer with boxes or points the
    middle of the one whose numbers are said; another answer the thing it is about. Before the first number also how
    many things there will be.
    """

    def marks(said: str, turn: int) -> list[_Mark]:
        spots = _read_spots(said, scene) or _told_spots(said, turns[turn].get("at"), _named_places(scene))
        return _with_number(spots, said, turns[turn])

    return _next_labels(processor, item, marks)


def text_answer_labels(processor: Processor, item: ModelInputs, lines: Sequence[TextLine], turns: Turns) -> Labels:
    """Labels of any answer about a picture whose lines are known: of words repeated from the picture, and of the
    numbers of boxes and points."""

    def marks(said: str, turn: int) -> list[_Mark]:
        return _with_number(_repeated_spots(said, lines), said, turns[turn])

    return _next_labels(processor, item, marks)


def clip_answer_labels(processor: Processor, item: ModelInputs, view: View) -> Labels:
    """For the seconds of a start or an end, the first pair of frames that shows it: what comes at 3.6 s is not in the
    pair of 3.0 and 3.5 s."""
    return _next_labels(processor, item, lambda said, _: _told_steps(said, view))


_Mark = Mapping[str, int]
"""Answers to questions of `ANSWER_HEADS`; empty where nothing is asked."""
_NOTHING: _Mark = {}


def _place(x: float, y: float, named: Sequence["_Named"] = ()) -> _Mark:
    """The labels of a place, and of the thing whose middle it is."""
    place = dict(zip(("next_rows", "next_columns", "next_cells"), place_of(x, y), strict=True))
    known = (mark for middle, mark in named if math.dist(middle, (x, y)) <= _ROUNDED)
    return {**place, **next(known, _NOTHING)}


_ROUNDED = 1.0
"""Pixels by which a middle that was said in whole pixels may differ."""
_Named = tuple[tuple[float, float], _Mark]
"""A middle, and the labels of what is there."""


def _named_places(scene: Scene) -> list[_Named]:
    found = [(thing.center, thing.shape, thing.color) for thing in scene.things]
    found += [(((b[0] + b[2]) / 2, (b[1] + b[3]) / 2), "text", line.color) for line in scene.lines for b in (line.box,)]
    return [
        (middle, {"next_kinds": KINDS.index(kind), "next_colors": COLOR_NAMES.index(color)})
        for middle, kind, color in found
    ]


def _next_labels(processor: Processor, item: ModelInputs, marks: Callable[[str, int], list[_Mark]]) -> Labels:
    """The labels before each token of an answer, from marks of the answer's characters."""
    assert item.labels is not None
    ids, labels = item.input_ids.tolist(), item.labels.numpy()
    found: Labels = {name: np.full(len(ids), IGNORE) for name in ANSWER_HEADS}
    for turn, (start, stop) in enumerate(_runs(labels != IGNORE)):
        pieces = [processor.tokenizer.decode([token]) for token in ids[start:stop]]
        told = marks("".join(pieces[:-1]), turn)  # without the end of the turn
        offset = 0
        for token, piece in enumerate(pieces, start):
            for name, value in told[offset].items() if offset < len(told) else ():
                found[name][token - 1] = value
            offset += len(piece)
    return found


def _with_number(marks: list[_Mark], said: str, turn: Mapping[str, Any]) -> list[_Mark]:
    """Up to the first digit also how many boxes or points there will be, 9 for more."""
    boxes = turn.get("boxes")
    number = len(boxes) if isinstance(boxes, list | tuple) else turn.get("count")
    if number is None:
        return marks
    first = next((i for i, character in enumerate(said) if character.isdigit()), len(said))
    told = {"next_number": min(int(number), ANSWER_HEADS["next_number"][1] - 1)}
    return [{**mark, **told} if i < first else mark for i, mark in enumerate(marks or [_NOTHING] * len(said))]


_NUMBERS = re.compile(r"""\[(\d+), ?(\d+)(?:, ?(\d+), ?(\d+))?\]|"(\d+) (\d+) (\d+) (\d+)\"""")


def _read_spots(said: str, scene: Scene) -> list[_Mark]:
    """The place of each character of an answer that is the text of the picture; nothing for other answers."""
    if not scene.lines or said != "\n".join(line.text for line in scene.lines):
        return []
    spots: list[_Mark] = []
    for line in scene.lines:
        spots += [*(_place(x, line.middle) for x in line.centers), _NOTHING]
    return spots


def _told_spots(said: str, at: tuple[float, float] | None = None, named: Sequence[_Named] = ()) -> list[_Mark]:
    """The place of the middle of a box or point for its numbers: the characters of "[2, 4, 6, 8]" from "2" to "8"; `at`
    elsewhere."""
    spots: list[_Mark] = [_NOTHING if at is None else _place(*at, named)] * len(said)
    for match in _NUMBERS.finditer(said):
        numbers = [float(n) for n in match.groups() if n]
        xs, ys = numbers[::2], numbers[1::2]
        first, last = match.start() + 1, match.end() - 1
        spots[first:last] = [_place(sum(xs) / len(xs), sum(ys) / len(ys), named)] * (last - first)
    return spots


def _repeated_spots(said: str, lines: Sequence[TextLine]) -> list[_Mark]:
    """Whole lines first, then the words of what is left, each where it is next said: of "1 ab 1" a picture that says
    "1", "ab", "1" from top to bottom marks all three."""
    spots = _told_spots(said)
    left = [line for line in lines if not _mark_next(spots, said, line.text, line.centers, line.middle)]
    for line in left:
        for word in re.finditer(r"[A-Za-z0-9][^\s:,()]+", line.text):
            _mark_next(spots, said, word[0], line.centers[word.start() : word.end()], line.middle)
    return spots


def _mark_next(spots: list[_Mark], said: str, words: str, centers: Sequence[float], middle: float) -> bool:
    """Mark the first place where the words stand by themselves and nothing is marked; False where there is none."""
    for match in re.finditer(rf"(?<![^\W_]){re.escape(words)}(?![^\W_])", said):
        first, last = match.span()
        if not any(spots[first:last]):
            spots[first:last] = [_place(x, middle) for x in centers]
            return True
    return False


_SPAN = re.compile(r"(\d+\.\d) - (\d+\.\d) seconds")


def _told_steps(said: str, view: View) -> list[_Mark]:
    edges = (view.clip.start - view.start, view.clip.end - view.start)
    last_step = min(view.count // 2, ANSWER_HEADS["next_steps"][1]) - 1
    steps = [min(max(0, math.ceil(round(edge * view.fps, 6))) // 2, last_step) for edge in edges]
    marks: list[_Mark] = [_NOTHING] * len(said)
    for match in _SPAN.finditer(said):
        for group, step in enumerate(steps, 1):
            first, last = match.span(group)
            marks[first:last] = [{"next_steps": step}] * (last - first)
    return marks


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and stop of each run of True: [0, 1, 1, 0, 1] gives (1, 3) and (4, 5)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
