"""Regular expressions for numbers that cannot exceed a bound, and string literals: the grammars' building stones.

Written digit by digit, without look-ahead, so that any regex engine can run them. Python's `re` reads
them too, which is how they are tested.
"""

import json


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
