"""Answers with places, held against the form that `locate`, `point` and `count` write and are held to.

`[{"bbox": [1, 2, 3, 4], "name": "cat"}]` becomes the fenced list with `bbox_2d` and `label`. Numbers stay as they are,
but for fractions of a pixel.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import format_boxes, parse_boxes
from viewfinder.outputs.places import find_places
from viewfinder.outputs.points import format_points, parse_points

_ANY_SIZE = Transform.identity((1 << 20, 1 << 20))
_OTHER = re.compile(r"<html|<tool_call>|\"value\"\s*:|data-bbox")
"""Pages, actions and fields with their places have forms of their own."""
_COUNTED = re.compile(r"\s*There (?:is|are) \d+ .+\.\s*")
_BETWEEN = re.compile(r"```(?:json)?|[\s\[\],]")


def canonical_answer(text: str) -> str | None:
    """The answer in the form that is asked for; the same where it has it, None where it is of another kind.

    Words around the places are none of the form: with them, the answer is "" (it cannot be rewritten without loss).
    """
    if text.strip() == "[]":
        return format_boxes([], _ANY_SIZE)
    places = [] if _OTHER.search(text) else find_places(text)
    if not places:
        return None
    only_points = all(place.kind == "point" for place in places)
    listing = (
        format_points(parse_points(text, _ANY_SIZE), _ANY_SIZE)
        if only_points
        else format_boxes(parse_boxes(text, _ANY_SIZE), _ANY_SIZE)
    )
    rest, end = "", 0
    for place in places:
        rest, end = rest + text[end : max(end, place.start)], max(end, place.end)
    after = _COUNTED.search(text, end)
    rest += text[end : after.start() if after else None]
    if _BETWEEN.sub("", rest):
        return ""
    return f"{listing}\n\n{after[0].strip()}" if after else listing


def differing_answers(samples: Sequence[Sample]) -> dict[str, dict[str, str]]:
    """By sample that has some: each answer in another form, and what it should be ("" where only a person can say)."""
    found: dict[str, dict[str, str]] = {}
    for number, sample in enumerate(samples, 1):
        answers = [message.text for message in sample.messages if message.role == "assistant"]
        wrong = {text: right for text in answers if (right := canonical_answer(text)) is not None and right != text}
        if wrong:
            found[sample.id or f"row {number}"] = wrong
    return found


def rewrite_rows(rows: Sequence[Any], answers: dict[str, str]) -> list[Any]:
    """Rows of a file with these texts replaced wherever they stand whole; lines of JSON are read first."""

    def rewrite(part: Any) -> Any:
        if isinstance(part, str):
            return answers.get(part) or part
        if isinstance(part, list):
            return [rewrite(one) for one in part]
        return {key: rewrite(one) for key, one in part.items()} if isinstance(part, dict) else part

    return [rewrite(json.loads(row) if isinstance(row, str | bytes) else row) for row in rows]
