"""JSON as models really write it: fenced, truncated, with trailing commas, single quotes or stray text.

Finds every complete object in a text, at any depth, and never raises: a valid JSON text is read exactly,
anything else is read as far as it makes sense in one pass that only moves forward. Knows nothing of what
the objects mean.
"""

import json
import re
from dataclasses import dataclass
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

_MAX_DEPTH = 48
_SPACE = re.compile(r"[\s,;]*")
_OPENING = re.compile(r"[\[{]")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_ORDINARY = r"-?(?:0|[1-9]\d{0,8})(?:\.\d{1,9})?"
_NUMBERS = re.compile(rf"\[{_ORDINARY}(?:, ?{_ORDINARY})*\]", re.ASCII)
"""A list of ordinary numbers as every encoder writes it: most of what is read, and JSON's own decoder is quicker."""
_BARE_VALUE = re.compile(r"[^\[\](){},\n\"]*")
_BARE_KEY = re.compile(r"[^\[\](){},:\n\"]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_WORDS: dict[str, bool | None] = {
    "true": True,
    "True": True,
    "false": False,
    "False": False,
    "null": None,
    "None": None,
}
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _string_end(quote: str, followers: str) -> re.Pattern[str]:
    """Where a string ends: a quote that something structural follows, so that `"the "red" one"` is one string;
    or a line end before a bracket, for a string that was never closed. What has no `end` is passed over, line ends
    with the space after them, so that none of it is looked at again."""
    structural = rf"[{followers}]|\Z|```|\{{|{quote}\w+{quote}\s*:"
    return re.compile(rf"\\.|(?P<end>{quote})(?=\s*(?:{structural}))|(?P<line>\n)(?=\s*[{{}}\[\]])|\n\s*", re.DOTALL)


_ENDS = {(quote, key): _string_end(quote, ":" if key else r",:}\])") for quote in "\"'" for key in (False, True)}


_SIMPLE_STRINGS = {
    (quote, key): re.compile(rf"{quote}([^{quote}\\\n]*){quote}(?=\s*[{':' if key else ',:}' + chr(92) + '])'}])")
    for quote in "\"'"
    for key in (False, True)
}
"""A string without escapes whose end is plain: most of them."""


@dataclass(frozen=True)
class FoundObject:
    """One object and the characters `text[start:end]` it was read from.

    Attributes:
        spans: key, start and end of each value in order: `text[start:end]`; a key written twice is there twice.
        owner: the key of the enclosing object under which it stands, also inside a list; "" at the top.
        complete: False where the text ends inside it; the key at which it was cut is then None.
    """

    fields: JsonObject
    start: int
    end: int
    spans: list[tuple[str, int, int]]
    owner: str = ""
    complete: bool = True


def read_objects(text: str) -> list[FoundObject]:
    """Every JSON object in `text`, nested and cut ones too, in order of their first character."""
    reader = _Reader(text)
    while (opening := _OPENING.search(text, reader.pos)) is not None:
        reader.pos = opening.start()
        reader.value(0)
    return sorted(reader.objects, key=lambda found: found.start)


def find_objects(text: str) -> list[FoundObject]:
    """Every complete object. One cut off by the end of the text is left out, as in the official parser; the
    complete objects inside it are kept."""
    return [found for found in read_objects(text) if found.complete]


def outermost(objects: list[FoundObject]) -> list[FoundObject]:
    """Those not inside an earlier one of the list, which must be in order of `start`."""
    kept: list[FoundObject] = []
    for found in objects:
        if not kept or found.start >= kept[-1].end:
            kept.append(found)
    return kept


def find_value(text: str) -> JsonValue:
    """The first array or object of `text`, complete or not; None when there is none."""
    opening = _OPENING.search(text)
    if opening is None:
        return None
    reader = _Reader(text)
    reader.pos = opening.start()
    return reader.value(0)[0]


class _Reader:
    """A cursor. Each method reads from `pos` on and returns the value and whether it was complete."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.owner = ""
        self.objects: list[FoundObject] = []
        self._line_end = -1
        self._next_ends: dict[tuple[str, bool], tuple[int, re.Match[str] | None]] = {}

    def value(self, depth: int) -> tuple[JsonValue, bool]:
        char = self.text[self.pos]
        if depth >= _MAX_DEPTH:
            self.pos += 1
            return None, True
        if char == "{":
            return self._object(depth)
        if char in "[(":
            return self._array(depth)
        if char == '"' or (char == "'" and self._closes_on_line()):
            return self._string(char, is_key=False)
        return self._bare_value()

    def _closes_on_line(self) -> bool:
        end = self._end("'", is_key=False)
        if self._line_end < self.pos:
            self._line_end = found if (found := self.text.find("\n", self.pos)) >= 0 else len(self.text)
        return end is not None and end.start() <= self._line_end

    def _end(self, quote: str, is_key: bool) -> re.Match[str] | None:
        """The end of a string that begins at `pos`. One beyond what was searched before is not searched for again."""
        kind = quote, is_key
        start, found = self._next_ends.get(kind, (len(self.text), None))
        if start > self.pos or (found is not None and found.start() <= self.pos):
            ends = _ENDS[kind].finditer(self.text, self.pos + 1)
            found = next((end for end in ends if end.lastgroup), None)
            self._next_ends[kind] = self.pos, found
        return found

    def _skip_space(self) -> str:
        """Move to the next character that is neither space nor comma; "" at the end or at a fence."""
        char = self.text[self.pos : self.pos + 1]
        if char.isspace() or char in (",", ";"):
            found = _SPACE.match(self.text, self.pos)
            assert found is not None
            self.pos = found.end()
            char = self.text[self.pos : self.pos + 1]
        return "" if char == "`" and self.text.startswith("```", self.pos) else char

    def _array(self, depth: int) -> tuple[JsonValue, bool]:
        plain = _NUMBERS.match(self.text, self.pos)
        if plain is not None:
            self.pos = plain.end()
            return json.loads(plain[0]), True
        self.pos += 1
        items: list[JsonValue] = []
        while char := self._skip_space():
            if char in "])":
                self.pos += 1
                return items, True
            if char == "}":  # the closing bracket was forgotten
                return items, True
            start = self.pos
            value, complete = self.value(depth + 1)
            if isinstance(value, str) and self._skip_space() == ":":  # a key: the bracket was forgotten
                if items:
                    self.pos = start
                    return items, True
                self.pos += 1
            elif complete:
                items.append(value)
            self.pos = max(self.pos, start + 1)
        return items, False

    def _object(self, depth: int) -> tuple[JsonValue, bool]:
        start, owner = self.pos, self.owner
        self.pos += 1
        fields: JsonObject = {}
        spans: list[tuple[str, int, int]] = []
        while char := self._skip_space():
            if char in "}])" or (char in "{[" and fields):  # the last two: the brace was forgotten
                self.pos += char == "}"
                self.objects.append(FoundObject(fields, start, self.pos, spans, owner))
                return fields, True
            if char in "{[(":
                self.pos += 1
                continue
            key = self._key(char)
            if self._skip_space() != ":":
                continue
            self.pos += 1
            fields[key] = None
            if not self._skip_space():
                break
            before = self.pos
            self.owner = key
            value, complete = self.value(depth + 1)
            self.owner = owner
            if not complete:
                break
            fields[key] = value
            spans.append((key, before, self.pos))
        self.objects.append(FoundObject(fields, start, self.pos, spans, owner, complete=False))
        return fields, False

    def _key(self, char: str) -> str:
        if char in "\"'":
            key, _ = self._string(char, is_key=True)
            return str(key)
        start = self.pos
        found = _BARE_KEY.match(self.text, start)
        assert found is not None
        self.pos = max(found.end(), start + 1) if self.text[start] != ":" else start + 1
        return self.text[start : self.pos].strip()

    def _string(self, quote: str, is_key: bool) -> tuple[JsonValue, bool]:
        simple = _SIMPLE_STRINGS[quote, is_key].match(self.text, self.pos)
        if simple is not None:
            self.pos = simple.end()
            return simple[1], True
        start = self.pos + 1
        end = self._end(quote, is_key)
        self.pos = len(self.text) if end is None else end.end()
        return _unescape(self.text[start : None if end is None else end.start()]), end is not None

    def _bare_value(self) -> tuple[JsonValue, bool]:
        found = _BARE_VALUE.match(self.text, self.pos)
        assert found is not None
        word = found.group().strip()
        self.pos = max(found.end(), self.pos + 1)
        complete = found.end() < len(self.text)
        if word in _WORDS:
            return _WORDS[word], complete
        return (_number(word) if _NUMBER.fullmatch(word) else word), complete


def _number(word: str) -> int | float | str:
    try:
        return int(word)
    except ValueError:
        value = float(word)
        return value if value - value == 0 else word  # 1e999 stays text: infinity is no measurement


def _unescape(raw: str) -> str:
    if "\\" not in raw:
        return raw
    try:
        value = str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        value = _ESCAPE.sub(lambda match: _SIMPLE.get(match.group(1), match.group(1)), raw)
    return _SURROGATE.sub("\ufffd", value)


def read_numbers(value: JsonValue) -> list[float]:
    """All numbers in a value, in order: `["243, 291"]` -> [243.0, 291.0]; `[[1, 2], [3, 4]]` -> four."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [as_float(value)] if as_float(value) is not None else []  # type: ignore[list-item]
    if isinstance(value, str):
        return [number for word in _NUMBER.findall(value) if (number := as_float(word)) is not None]
    parts = value if isinstance(value, list) else list(value.values())
    return [number for part in parts for number in read_numbers(part)]


def as_float(value: int | float | str) -> float | None:
    """`float(value)`, or None where that is infinite or no number."""
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number - number == 0 else None
