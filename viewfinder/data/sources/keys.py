"""The one place where the keys of a row, a turn or a part are read: what nobody read is refused by name, never dropped.

    keys = Keys({"image": "a.png", "labels": [1], "id": 7, "video": None})
    keys.take("image", "img")      "a.png"
    keys.finish("the row")         DataError: key 'labels' of the row is not read ...

Nulls, NaN and empty values are absent: Arrow and pandas write them for what a row does not have. Knows no layout.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from viewfinder.errors import DataError

_HARMLESS = """
    id idx index uid uuid key __key__ __url__ sample_id question_id image_id video_id row_id name hash sha256 md5
    source sources data_source dataset dataset_name origin split subset metadata meta url page_url status
    error_message exif original_width original_height similarity nsfw punsafe pwatermark aesthetic created_at
    licence license language lang domain task category subfield topic topic_difficulty difficulty question_type
    img_type data_type application platform ui_type group width height tags
"""
HARMLESS = frozenset(_HARMLESS.split())
"""Keys that say something about a row and nothing of what is taught; any row may have them."""


_SIZED, _WORDS = (str, list, tuple, dict), (str, int, float)  # tuples: isinstance with a union is five times slower


def absent(value: Any) -> bool:
    """Whether a value says nothing: null, NaN, or empty; False and 0 say something."""
    return value is None or value != value or (not value and isinstance(value, _SIZED))


class Keys:
    """An object's keys, each read once.

    Args:
        raw: the object.
        harmless: keys that may stay unread.
    """

    def __init__(self, raw: Mapping[str, Any], harmless: Collection[str] = HARMLESS) -> None:
        self.values = {key: value for key, value in raw.items() if value == value and (value or not absent(value))}
        self.harmless = harmless
        self._read: set[str] = set()

    def has(self, *names: str) -> bool:
        return not self.values.keys().isdisjoint(names)

    def find(self, *names: str) -> str:
        """The first of `names` that is there, "" where none is."""
        for name in names:
            if name in self.values:
                return name
        return ""

    def take(self, *names: str) -> Any:
        """The value of the first of `names` that is there, else None. The others stay unread: two are refused."""
        for name in names:
            if name in self.values:
                self._read.add(name)
                return self.values[name]
        return None

    def text(self, *names: str) -> str:
        """A value as words; "" where it is absent.

        Raises:
            DataError: it is neither words nor a number.
        """
        value = self.take(*names)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, _WORDS):
            raise DataError(f"key {self.find(*names)!r} is {show(value)}, expected words")
        return str(value)

    def finish(self, what: str) -> None:
        """Check that all was read.

        Raises:
            DataError: names the keys that were not.
        """
        if left := [key for key in self.values.keys() - self._read if key not in self.harmless]:
            left.sort(key=list(self.values).index)
            read = ", ".join(sorted(self._read)) or "nothing"
            others = f" (nor {', '.join(map(repr, left[1:]))})" if left[1:] else ""
            raise DataError(
                f"key {left[0]!r} of {what} is not read{others}, so what it says would be lost; read were {read}. "
                "Give it in a layout of docs/data.md, take it out, or name it in 'ignore'"
            )


def read_json(text: str) -> Any:
    """JSON text as values; a key that stands twice in one object is an error, not the last one.

    Raises:
        ValueError: no JSON, or such a key.
    """
    return json.loads(text, object_pairs_hook=_unique)


def as_value(value: Any, what: str) -> Any:
    """A value, or that which JSON text says; `what` begins the sentence of the error.

    Raises:
        DataError: text that is no JSON.
    """
    try:
        return read_json(value) if isinstance(value, str) else value
    except ValueError as error:
        raise DataError(f"{what} no JSON ({error})") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return found


def read_object(row: Any) -> dict[str, Any]:
    """A row as an object; lines of JSON are read.

    Raises:
        DataError: it is none.
    """
    row = as_value(row, "the line is")
    if not isinstance(row, dict):
        raise DataError(f"the row is a {type(row).__name__}, expected an object with 'conversations' or 'messages'")
    return row  # pyright: ignore[reportUnknownVariableType]


def show(value: Any) -> str:
    """A value as an error shows it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def listed(text: str) -> frozenset[str]:
    """The names of a setting such as "license,score"."""
    return frozenset(name.strip() for name in text.split(",") if name.strip())
