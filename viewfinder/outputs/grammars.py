"""Grammars for valid-by-construction answers: Lark texts, bounded by the picture or clip of one request.

Each allows exactly the canonical text of its formatter (`format_boxes`, `format_points`, `format_count`,
`format_spans`, `format_tool_call`), with no number outside the picture or the clip, and the empty list.
The grammars of pages and of tool calls stand with their parsers. Compiled by `engine/grammar.py`; nothing
here knows tokens. Sizes are those of the resized picture.

Numbers that cannot exceed a bound are regular expressions, written digit by digit without look-ahead, so that any regex
engine can run them. Python's `re` reads them too, which is how they are tested.
"""

import json
from collections.abc import Sequence
from typing import Literal

from viewfinder.errors import SettingsError
from viewfinder.outputs.canonical import CLOSING, OPENING
from viewfinder.outputs.spans import NONE_SENTENCE
from viewfinder.outputs.times import TimeStyle

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
    if max_items < 1:
        raise SettingsError(f"max_items is {max_items}, and a list of places holds at least 1; name a number from 1")
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


def quote(text: str) -> str:
    """A Lark string literal for `text`."""
    return json.dumps(text, ensure_ascii=False)


def integer_up_to(limit: int) -> str:
    """Whole numbers 0..limit without leading zeros.

    `integer_up_to(25)` is `(0|[1-9]|1[0-9]|2[0-5])`, up to the order of its parts.
    """
    assert limit >= 0
    digits = len(str(limit))
    shorter = ["[0-9]"] if digits > 1 else []
    shorter += [f"[1-9]{_digits(n - 1)}" for n in range(2, digits)]
    return _any([*shorter, *_same_length(str(limit), first="1" if digits > 1 else "0")])


def padded_up_to(limit: int, width: int) -> str:
    """Whole numbers 0..limit with leading zeros to `width` digits: `padded_up_to(59, 2)` is `([0-4][0-9]|5[0-9])`."""
    text = str(limit).zfill(width)
    assert len(text) == width, f"{limit} does not fit into {width} digits"
    return _any(_same_length(text, first="0"))


def decimal_up_to(limit: float, places: int = 1) -> str:
    """Numbers 0..limit with exactly `places` digits after the point.

    `decimal_up_to(3.4)` takes 0.0 to 2.9 and 3.0 to 3.4.
    """
    assert limit >= 0
    assert places >= 1
    whole, fraction = divmod(int(limit * 10**places + 1e-6), 10**places)
    parts = [rf"{whole}\.{padded_up_to(fraction, places)}"]
    if whole > 0:
        parts.insert(0, rf"{integer_up_to(whole - 1)}\.{_digits(places)}")
    return _any(parts)


def clock_up_to(limit: float, hours: bool = False, frames: int | None = None) -> str:
    """Times 0..limit seconds as `mm:ss.ff`, or as `h:mm:ss.ff` with `hours`; ff are hundredths.

    With `frames` per second the form is `mm:ss:ff` or `h:mm:ss:ff`, and ff counts frames.

    `clock_up_to(75.5)` takes 00:00.00 to 00:59.99 and 01:00.00 to 01:15.50.
    """
    units, point = (frames, ":") if frames else (100, r"\.")
    places = max(2, len(str(units - 1)))
    minutes, rest = divmod(int(limit * units + 1e-6), 60 * units)
    seconds, fraction = divmod(rest, units)
    any_fraction = f"{point}{padded_up_to(units - 1, places)}"
    below = [f"{padded_up_to(seconds - 1, 2)}{any_fraction}"] if seconds else []
    last = _any([*below, f"{seconds:02}{point}{padded_up_to(fraction, places)}"])
    full = f"{padded_up_to(59, 2)}{any_fraction}"
    if not hours:
        width = max(2, len(str(minutes)))
        earlier = [f"{padded_up_to(minutes - 1, width)}:{full}"] if minutes else []
        return _any([*earlier, f"{minutes:0{width}}:{last}"])
    hour, minute = divmod(minutes, 60)
    parts = [f"{integer_up_to(hour - 1)}:{padded_up_to(59, 2)}:{full}"] if hour else []
    parts += [f"{hour}:{padded_up_to(minute - 1, 2)}:{full}"] if minute else []
    return _any([*parts, f"{hour}:{minute:02}:{last}"])


def _same_length(limit: str, first: str) -> list[str]:
    """Numbers with as many digits as `limit`, up to it, whose first digit is at least `first`: 345 splits into
    [1-2][0-9][0-9], 3[0-3][0-9], 34[0-4] and 345."""
    parts: list[str] = []
    for i, digit in enumerate(limit):
        low = first if i == 0 else "0"
        if digit > low:
            parts.append(limit[:i] + _between(low, chr(ord(digit) - 1)) + _digits(len(limit) - i - 1))
    return [*parts, limit]


def _between(low: str, high: str) -> str:
    return low if low == high else f"[{low}-{high}]"


def _digits(count: int) -> str:
    return "[0-9]" * count


def _any(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({'|'.join(parts)})"
