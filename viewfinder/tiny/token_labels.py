"""Labels of media tokens: what is drawn at each token, for heads that are thrown away after training.

A token is 28 x 28 pixels. Its labels are the characters (spaces too) centered in each of its sixteen cells (3.5 pixels
wide, 14 high, read row by row), the letters that cover the middle of each of eight wider cells, and of the thing that
covers most of it the shape, the color and its box: relative to the token (what a vision tower with relative positions
can know) and in the picture (what the language model can add). They teach a small model to place and to read several
times faster than answers alone. The labels of the vision tower describe all that a small model must see, so their
embeddings can also replace its features (`tiny.label_embeddings`).

"ab" with centers at x = 2 and 9, y = 5: the first token's cells are [a, -, b, -, -, -, -, -, and eight times -].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viewfinder.data.synth.scene import Scene
from viewfinder.data.synth.shapes import COLOR_NAMES, SHAPE_NAMES
from viewfinder.data.synth.text_lines import TextLine
from viewfinder.data.synth.words import CHARACTERS
from viewfinder.tiny.glyphs import CYRILLIC, GREEK

TOKEN, ROW, CELLS, FINE_CELLS = 28, 14, 8, 16
KINDS = ("", *SHAPE_NAMES, "text")
CHANGES = ("", "came", "went", "changed", "moved")
IGNORE = -100
CHARACTER_IDS = {character: i + 1 for i, character in enumerate(CHARACTERS + " " + CYRILLIC + GREEK)}
"""The answer of each character; capitals of Cyrillic and Greek are not asked for."""


@dataclass(frozen=True)
class TokenLabels:
    """Labels of M tokens in raster order; 0 is "nothing", -100 "not asked".

    Attributes:
        characters: (M, 16) `CHARACTER_IDS`.
        letters: (M, 8) the same without the space, but the character that covers the cell's middle.
        kinds: (M,) index into `KINDS`.
        colors: (M,) index into `COLOR_NAMES`.
        offsets, remainders: (M, 4) x1, y1, x2, y2 from the token's corner, in steps of 8 pixels and the rest:
            -3 pixels are step -1 (class `OFFSET_ZERO` - 1) and rest 5.
        digits: (M, 12) hundreds, tens and ones of x1, y1, x2, y2 in the picture.
        places: (M, 2) row and column of the token.
        times: (M, 4) hundreds, tens, ones and tenths of the second of the frame; not asked of a picture.
        changes: (M,) index into `CHANGES` since the pair of frames before; not asked of a picture.
    """

    characters: NDArray[np.int64]
    letters: NDArray[np.int64]
    kinds: NDArray[np.int64]
    colors: NDArray[np.int64]
    offsets: NDArray[np.int64]
    remainders: NDArray[np.int64]
    digits: NDArray[np.int64]
    places: NDArray[np.int64]
    times: NDArray[np.int64]
    changes: NDArray[np.int64]

    def as_dict(self) -> dict[str, NDArray[np.int64]]:
        return dict(vars(self))


OFFSET_STEP, OFFSET_ZERO, OFFSET_CLASSES = 8, 40, 84

TOWER_HEADS = {
    "characters": (FINE_CELLS, len(CHARACTER_IDS) + 1),
    "letters": (CELLS, len(CHARACTER_IDS) + 1),
    "kinds": (1, len(KINDS)),
    "colors": (1, len(COLOR_NAMES)),
    "offsets": (4, OFFSET_CLASSES),
    "remainders": (4, OFFSET_STEP),
}
"""Per label: questions per token, and answers per question."""
TEXT_HEADS = {"digits": (12, 10), "places": (2, 40), "times": (4, 10), "changes": (1, len(CHANGES))}
"""The same for the hidden states of media tokens half way up the language model."""
LARGEST = 672
"""Pixels of the longest side that places are told on."""
ANSWER_HEADS = {
    "next_rows": (1, LARGEST // ROW),
    "next_columns": (1, LARGEST // TOKEN),
    "next_cells": (1, 8),
    "next_steps": (1, 64),
    "next_number": (1, 10),
    "next_kinds": (1, len(KINDS)),
    "next_colors": (1, len(COLOR_NAMES)),
}
"""The same for the hidden states of answers: place or pair of frames of what the next token says, number of boxes or
points to come, kind and color of the thing that is placed."""


def place_of(x: float, y: float) -> tuple[int, int, int]:
    """Of a point of the picture its row of 14 pixels, its column of 28 and its cell of 3.5 in that.

    (50, 500) stands in row 35, in column 1, 22 pixels into it, which is cell 6.
    """
    x, y = (min(max(value, 0.0), LARGEST - 1.0) for value in (x, y))
    return int(y // ROW), int(x // TOKEN), int(x % TOKEN // 3.5)


def token_labels(scene: Scene) -> TokenLabels:
    """The labels of a picture whose sides are multiples of 28."""
    things = [(t.shape, t.color, t.box, _cover(scene.image.size, t.box, t.mask)) for t in scene.things]
    return _labels(scene.image.size, [*things, *_as_things(scene.image.size, scene.lines)], scene.lines)


def written_labels(size: tuple[int, int], lines: Sequence[TextLine] | None) -> TokenLabels:
    """The labels of a picture of which only the lines of text are known (None: nothing is known); the rest is -100."""
    labels = _labels(size, _as_things(size, lines or ()), lines or ())
    labels.kinds[labels.kinds == 0] = IGNORE
    if lines is None:
        labels.characters[:] = labels.letters[:] = IGNORE
    return labels


_Thing = tuple[str, str, tuple[int, int, int, int], NDArray[np.float64]]
"""Kind, color ("" when unknown), box and share of each token covered."""


def _labels(size: tuple[int, int], things: list[_Thing], lines: Sequence[TextLine]) -> TokenLabels:
    width, height = size
    rows, columns = height // TOKEN, width // TOKEN
    kinds = np.zeros((rows, columns), np.int64)
    colors = np.full((rows, columns), IGNORE)
    digits = np.full((rows, columns, 12), IGNORE)
    boxes = np.zeros((rows, columns, 4), np.int64)
    best = np.full((rows, columns), 0.06)
    for kind, color, box, cover in things:
        wins = cover > best
        best = np.where(wins, cover, best)
        kinds[wins] = KINDS.index(kind)
        colors[wins] = COLOR_NAMES.index(color) if color else IGNORE
        boxes[wins] = box
        digits[wins] = [int(d) for value in box for d in f"{max(0, value):03d}"]
    places = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1)
    away = boxes - np.tile(places[..., ::-1], 2) * TOKEN
    steps = np.clip(away // OFFSET_STEP + OFFSET_ZERO, 0, OFFSET_CLASSES - 1)
    empty = (kinds == 0)[..., None]
    return TokenLabels(
        characters=_characters(lines, rows, columns),
        letters=_letters(lines, rows, columns),
        kinds=kinds.ravel(),
        colors=colors.ravel(),
        offsets=np.where(empty, IGNORE, steps).reshape(-1, 4),
        remainders=np.where(empty, IGNORE, away % OFFSET_STEP).reshape(-1, 4),
        digits=digits.reshape(-1, 12),
        places=places.reshape(-1, 2),
        times=np.full((rows * columns, 4), IGNORE),
        changes=np.full(rows * columns, IGNORE),
    )


def changes_between(before: TokenLabels, after: TokenLabels) -> NDArray[np.int64]:
    """Of each token what came, went, changed its kind or color, or moved: what a start and an end look like.

    Kinds [0, 3, 3], then [3, 0, 3] with another box: "came", "went", "moved".
    """
    was, there = before.kinds != 0, after.kinds != 0
    other = (before.kinds != after.kinds) | (before.colors != after.colors)
    elsewhere = (before.digits != after.digits).any(axis=-1)
    found = np.select([~was & there, was & ~there, was & there & other, was & there & elsewhere], [1, 2, 3, 4], 0)
    return found.astype(np.int64)


def time_digits(seconds: float) -> list[int]:
    """Hundreds, tens, ones and tenths: 12.5 is [0, 1, 2, 5]; what is later than 999.9 is that."""
    return [int(digit) for digit in f"{min(round(seconds * 10), 9999):04d}"]


def _as_things(size: tuple[int, int], lines: Sequence[TextLine]) -> list[_Thing]:
    return [("text", line.color, line.box, _cover(size, line.box, None)) for line in lines]


def _cover(size: tuple[int, int], box: tuple[int, int, int, int], mask: Image.Image | None) -> NDArray[np.float64]:
    full = np.zeros((size[1], size[0]), np.float32)
    full[max(0, box[1]) : box[3], max(0, box[0]) : box[2]] = 1.0 if mask is None else np.asarray(mask, np.float32) / 255
    return full.reshape(size[1] // TOKEN, TOKEN, size[0] // TOKEN, TOKEN).mean(axis=(1, 3), dtype=np.float64)


def _characters(lines: Sequence[TextLine], rows: int, columns: int) -> NDArray[np.int64]:
    """Two narrow letters may share a cell; the second then takes the next free one."""
    cells = np.zeros((rows * 2, columns * 8), np.int64)
    for line in lines:
        row = min(max(int(line.middle // ROW), 0), rows * 2 - 1)
        for character, x in zip(line.text, line.centers, strict=True):
            column = min(max(int(x // 3.5), 0), columns * 8 - 1)
            if cells[row, column] and column + 1 < columns * 8:
                column += 1
            if not cells[row, column]:
                cells[row, column] = CHARACTER_IDS.get(character, IGNORE)
    return _by_token(cells, columns)


def _letters(lines: Sequence[TextLine], rows: int, columns: int) -> NDArray[np.int64]:
    cells = np.zeros((rows * 2, columns * 4), np.int64)
    for line in lines:
        row = min(max(int(line.middle // ROW), 0), rows * 2 - 1)
        centers = np.array(line.centers)
        ids = np.array([0 if character == " " else CHARACTER_IDS.get(character, IGNORE) for character in line.text])
        inside = np.arange(max(line.box[0] // 7, 0), min(line.box[2] // 7 + 1, columns * 4))
        nearest = np.abs(centers[None, :] - (inside[:, None] * 7 + 3.5)).argmin(axis=1)
        cells[row, inside] = ids[nearest]
    return _by_token(cells, columns)


def _by_token(cells: NDArray[np.int64], columns: int) -> NDArray[np.int64]:
    """Two rows of cells for each row of tokens: all cells of a token together, tokens in raster order."""
    rows, wide = cells.shape[0] // 2, cells.shape[1] // columns
    return cells.reshape(rows, 2, columns, wide).transpose(0, 2, 1, 3).reshape(-1, 2 * wide)
