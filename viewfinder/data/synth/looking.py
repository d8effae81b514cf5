"""Where to look while an answer is said: labels of the heads on the language model's states, for each token the next.

Reading is following the letters with the eye, and placing is having found the thing before its numbers are said: told
where to look, a small model finds out how much sooner (docs/log.md, 2026-11-26). Elsewhere the labels are -100.

Before each of the tokens 2, 4, 6, 8 of "[2, 4, 6, 8]" stands the place of (4, 6).
"""

import re
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from viewfinder.data.synth.clip_questions import View
from viewfinder.data.synth.dense import ANSWER_HEADS, IGNORE, place_of
from viewfinder.data.synth.scene import Scene
from viewfinder.inputs import ModelInputs
from viewfinder.processor.processor import Processor

Labels = dict[str, NDArray[np.int64]]
"""By head, one answer for each token of a conversation."""


def look_in_picture(processor: Processor, item: ModelInputs, scene: Scene) -> Labels:
    """In answers that are the text of the picture where the next character stands, and in answers with boxes and points
    the middle of the one whose numbers are being said."""
    return _next_labels(processor, item, lambda said: _read_spots(said, scene) or _told_spots(said))


def look_in_clip(processor: Processor, item: ModelInputs, view: View) -> Labels:
    """While the seconds of a start or an end are said, the pair of frames it falls into."""
    return _next_labels(processor, item, partial(_told_steps, view=view))


_Mark = tuple[int, ...] | None
"""Answers to the questions of `ANSWER_HEADS`; None where nothing is asked."""


def _next_labels(processor: Processor, item: ModelInputs, marks: Callable[[str], list[_Mark]]) -> Labels:
    """The labels before each token of an answer, from marks of the answer's characters."""
    assert item.labels is not None
    ids, labels = item.input_ids.tolist(), item.labels.numpy()
    places = np.full((len(ids), len(ANSWER_HEADS)), IGNORE)
    for start, stop in _runs(labels != IGNORE):
        pieces = [processor.tokenizer.decode([token]) for token in ids[start:stop]]
        found = marks("".join(pieces[:-1]))  # without the end of the turn
        offset = 0
        for token, piece in enumerate(pieces, start):
            if offset < len(found) and (mark := found[offset]) is not None:
                places[token - 1] = mark
            offset += len(piece)
    return {name: places[:, i] for i, name in enumerate(ANSWER_HEADS)}


_NUMBERS = re.compile(r"\[(\d+), ?(\d+)(?:, ?(\d+), ?(\d+))?\]")


def _read_spots(said: str, scene: Scene) -> list[_Mark]:
    """The place of each character of an answer that is the text of the picture; nothing for other answers."""
    if not scene.lines or said != "\n".join(line.text for line in scene.lines):
        return []
    spots: list[_Mark] = []
    for line in scene.lines:
        spots += [*((*place_of(x, line.middle), IGNORE) for x in line.centers), None]
    return spots


def _told_spots(said: str) -> list[_Mark]:
    """The place of the middle of a box or point for its numbers: the characters of "[2, 4, 6, 8]" from "2" to "8"."""
    spots: list[_Mark] = [None] * len(said)
    for match in _NUMBERS.finditer(said):
        numbers = [float(n) for n in match.groups() if n]
        xs, ys = numbers[::2], numbers[1::2]
        first, last = match.start() + 1, match.end() - 1
        spots[first:last] = [(*place_of(sum(xs) / len(xs), sum(ys) / len(ys)), IGNORE)] * (last - first)
    return spots


_SPAN = re.compile(r"(\d+\.\d) - (\d+\.\d) seconds")


def _told_steps(said: str, view: View) -> list[_Mark]:
    marks: list[_Mark] = [None] * len(said)
    for match in _SPAN.finditer(said):
        for group in (1, 2):
            step = min(int(float(match[group]) * view.fps / 2), view.count // 2 - 1, ANSWER_HEADS["next_steps"][1] - 1)
            first, last = match.span(group)
            marks[first:last] = [(IGNORE, IGNORE, IGNORE, step)] * (last - first)
    return marks


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and stop of each run of True: [0, 1, 1, 0, 1] gives (1, 3) and (4, 5)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
