"""Grammars for valid-by-construction answers: Lark texts, bounded by the picture or clip of one request.

Each allows exactly the canonical text of its formatter (`format_boxes`, `format_points`, `format_count`,
`format_spans`, `format_tool_call`), with no number outside the picture or the clip, and the empty list.
The grammars of pages and of tool calls stand with their parsers. Compiled by `engine/grammar.py`; nothing
here knows tokens. Sizes are those of the resized picture.
"""

import json
from collections.abc import Sequence
from typing import Literal

from viewfinder.outputs.canonical import CLOSING, OPENING
from viewfinder.outputs.document.grammar import qwenvl_html_grammar as qwenvl_html_grammar
from viewfinder.outputs.ranges import clock_up_to, decimal_up_to, integer_up_to, quote
from viewfinder.outputs.spans import NONE_SENTENCE
from viewfinder.outputs.times import TimeStyle
from viewfinder.outputs.tool_calls import tool_call_grammar as tool_call_grammar

_CHARACTER = r'[^"\\\x00-\x1F]|\\["\\\/bfnrt]|\\u[0-9a-fA-F]{4}'


def boxes_grammar(
    width: int,
    height: int,
    max_items: int = 100,
    key: Literal["label", "text_content"] = "label",
    labels: Sequence[str] = (),
    max_label: int = 200,
) -> str:
    """Grammar of `format_boxes`.

    Args:
        width, height: resized picture, pixels; corners lie in 0..width and 0..height.
        max_items: longest list.
        key: `text_content` for spotting.
        labels: the only labels allowed; any when empty.
        max_label: longest label in characters.
    """
    return _lines(f"start: {_list_of('box', max_items)}", *_box_rules(width, height, key, labels, max_label))


def points_grammar(
    width: int, height: int, max_items: int = 100, labels: Sequence[str] = (), max_label: int = 200
) -> str:
    """Grammar of `format_points` (JSON style); arguments as for `boxes_grammar`."""
    return _lines(f"start: {_list_of('point', max_items)}", *_point_rules(width, height, labels, max_label))


def count_grammar(
    width: int,
    height: int,
    max_items: int = 100,
    places: Literal["boxes", "points"] = "boxes",
    labels: Sequence[str] = (),
    max_noun: int = 80,
) -> str:
    """Grammar of `format_count`: the list, a blank line, then a sentence whose number is the list's length.

    The length is carried by one rule per number of items, so that list and sentence cannot differ:

        n0: item (",\\n\\t" n1 | end "There is 1 ")
        n1: item (",\\n\\t" n2 | end "There are 2 ")
    """
    item = "box" if places == "boxes" else "point"
    rules = (
        _box_rules(width, height, "label", labels, 200)
        if places == "boxes"
        else _point_rules(width, height, labels, 200)
    )
    after = CLOSING + "\n\n"
    none, some = quote(OPENING + "]" + after + "There are 0 "), quote(OPENING + "\n\t")
    steps: list[str] = []
    for n in range(1, max_items + 1):
        said = quote("\n]" + after + f"There {'is' if n == 1 else 'are'} {n} ")
        more = f'",\\n\\t" n{n} | ' if n < max_items else ""
        steps.append(f"n{n - 1}: {item} ({more}{said})")
    return _lines(
        f"start: ({none} | {some} n0) NOUN",
        f"NOUN: /[^\\x00-\\x1F.]{{1,{max_noun}}} in the image\\./",
        *steps,
        *rules,
    )


def spans_grammar(
    duration: float,
    max_items: int = 50,
    style: TimeStyle = "mm:ss.ff",
    fps: float | None = None,
    max_description: int = 400,
) -> str:
    """Grammar of `format_spans`: times lie in 0..duration (seconds of the original clip); `fps` for hmsf."""
    value = "TIME" if style == "seconds" else '"\\"" TIME "\\""'
    start, end, said = quote('{"start_time": '), quote(', "end_time": '), quote(', "description": ')
    return _lines(
        f"start: {_list_of('span', max_items)}",
        f'span: {start} {value} {end} {value} {said} STRING "}}"',
        f"TIME: /{_time_regex(duration, style, fps)}/",
        f"STRING: {string_regex(max_description)}",
    )


def moments_grammar(duration: float, max_items: int = 20) -> str:
    """Grammar of `format_moments`: one sentence, with up to `max_items` stretches or the "not there" twin."""
    more = f'(" and " TIME " - " TIME){{0,{max_items - 1}}} ' if max_items > 1 else ""
    happens = f'{quote("The given query happens in ")} TIME " - " TIME {more}{quote(" seconds.")}'
    return _lines(f"start: {happens} | {quote(NONE_SENTENCE)}", f"TIME: /{decimal_up_to(duration)}/")


def _time_regex(duration: float, style: TimeStyle, fps: float | None) -> str:
    match style:
        case "seconds":
            return decimal_up_to(duration)
        case "mm:ss.ff":
            return clock_up_to(duration)
        case "h:mm:ss.ff":
            return clock_up_to(duration, hours=True)
        case "hmsf":
            assert fps, "a frame number needs frames per second"
            return clock_up_to(duration, hours=True, frames=round(fps))


def _list_of(item: str, max_items: int) -> str:
    assert max_items >= 1
    more = f'(",\\n\\t" {item}){{0,{max_items - 1}}} ' if max_items > 1 else ""
    return f'{quote(OPENING)} ("]" | "\\n\\t" {item} {more}"\\n]") {quote(CLOSING)}'


def _box_rules(width: int, height: int, key: str, labels: Sequence[str], max_label: int) -> list[str]:
    opening, corners = quote('{"bbox_2d": ['), 'X ", " Y ", " X ", " Y'
    return [
        f'box: {opening} {corners} {quote(f"], {json.dumps(key)}: ")} LABEL "}}"',
        *_number_rules(width, height),
        f"LABEL: {label_regex(labels, max_label)}",
    ]


def _point_rules(width: int, height: int, labels: Sequence[str], max_label: int) -> list[str]:
    opening, middle = quote('{"point_2d": ['), quote('], "label": ')
    return [
        f'point: {opening} X ", " Y {middle} LABEL "}}"',
        *_number_rules(width, height),
        f"LABEL: {label_regex(labels, max_label)}",
    ]


def _number_rules(width: int, height: int) -> list[str]:
    return [f"X: /{integer_up_to(width)}/", f"Y: /{integer_up_to(height)}/"]


def label_regex(labels: Sequence[str], max_label: int) -> str:
    """Terminal body: one of `labels` as JSON strings, or any JSON string of at most `max_label` characters."""
    if labels:
        return " | ".join(quote(json.dumps(label, ensure_ascii=False)) for label in labels)
    return string_regex(max_label)


def string_regex(max_length: int) -> str:
    """Terminal body: a JSON string of at most `max_length` characters, as `json.dumps` writes it."""
    return f'/"({_CHARACTER}){{0,{max_length}}}"/'


def _lines(*rules: str) -> str:
    return "\n".join(rules) + "\n"
