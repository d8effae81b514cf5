"""Values of an extraction in the text layer of a digital PDF: whether they stand there, and exactly where.

A text stands there when its words do, one after the other; a number when a word has its digits and sign,
however it is grouped. Of several places the one nearest to the model's box is taken.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from viewfinder.chat.documents.fields import Field
from viewfinder.media.document import Word
from viewfinder.outputs.document.truth import fold, layer_is_sound
from viewfinder.outputs.place import Corners

_EDGE = ".,;:()[]{}\"'$€£¥%#*"


def look_up(fields: Sequence[Field], layers: Sequence[Sequence[Word]]) -> list[Field]:
    """Fields with `verified`, and with the box of their words where the layer has them.

    Args:
        layers: the words of each page in the order they were shown, which `Field.page` counts.
    """
    sound = [words if layer_is_sound(words) else () for words in layers]
    if not any(sound):
        return list(fields)
    return [_looked_up(field, sound) for field in fields]


def _looked_up(field: Field, layers: Sequence[Sequence[Word]]) -> Field:
    if field.value is None or isinstance(field.value, bool | dict | list) or not _wanted(field.value):
        return field
    if field.page is not None and not layers[field.page]:
        return field  # a scanned page among digital ones
    order = sorted(range(len(layers)), key=lambda page: page != field.page)
    for page in order:
        places = _places(field.value, layers[page])
        if places:
            near = field.box if page == field.page else None
            return dataclasses.replace(
                field, page=page, box=min(places, key=lambda b: _distance(b, near)), verified=True
            )
    return dataclasses.replace(field, verified=False)


def _wanted(value: Any) -> list[str]:
    return [word for part in str(value).split() if (word := fold(part).strip(_EDGE).casefold())]


def _places(value: Any, words: Sequence[Word]) -> list[Corners]:
    if isinstance(value, int | float):
        return [word.box for word in words if _number(word.text) == float(value)]
    wanted = _wanted(value)
    texts = [fold(word.text).strip(_EDGE).casefold() for word in words]
    found: list[Corners] = []
    for start in range(len(texts) - len(wanted) + 1):
        if texts[start : start + len(wanted)] == wanted:
            found.append(_around([word.box for word in words[start : start + len(wanted)]]))
    return found


def _number(text: str) -> float | None:
    """`1,234.50`, `$12`, `(3)` for -3 and `12%`; a comma before one or two last digits is a decimal comma."""
    folded = fold(text).strip()
    negative = folded.startswith(("-", "(", "$-")) or folded.endswith("-")
    digits = re.sub(r"[^\d.,]", "", folded).strip(".,")
    if not digits or re.search(r"[A-Za-z]", folded.strip("$€£¥%")):
        return None
    if re.search(r",\d{1,2}$", digits):
        digits = digits.replace(".", "").replace(",", ".")
    try:
        number = float(digits.replace(",", ""))
    except ValueError:
        return None
    return -number if negative else number


def _around(boxes: Sequence[Corners]) -> Corners:
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)


def _distance(box: Corners, near: Corners | None) -> float:
    if near is None:
        return box[1]
    return abs(box[0] + box[2] - near[0] - near[2]) + abs(box[1] + box[3] - near[1] - near[3])
