"""The name of a place: from its JSON object, or from the words of its line."""

import re

from viewfinder.outputs.loose_json import FoundObject, JsonObject, JsonValue

LABEL_KEYS = ("label", "name", "class", "category", "object", "description", "caption", "ref", "labels", "text_content")
_CONTAINERS = frozenset(
    ("objects", "boxes", "bboxes", "results", "detections", "items", "answer", "predictions", "points", "arguments")
)
_TRIM = " \t\r\"'`()[]{}<>（）【】:;,.=-–—•*|→。，：；"
_MARKUP = re.compile(r"</?\|?[a-z_]{1,30}\|?>")
_LONGEST = 2000
_DIGIT = re.compile(r"[-+]?\d")
_NUMBER_ONLY = re.compile(r"[\d.]+")
_BULLET = re.compile(r"\A\s*\d{1,3}[.)](?!\d)")
_ARGUMENT = re.compile(
    r"(?:\w+\()?\b(?:[xy][12]?|[xy]m(?:in|ax)|(?:start|end)_(?:box|point)|point|coordinate)\s*[=:]\W*\Z"
)
_FILLER = re.compile(
    r"(?:\b(?:is|are|was|at|in|on|located|found|here|its|the|final|answer|bounding|box|bbox|point|coordinates?|position|and)"
    r"\b\W*)+\Z",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"\b(?:an?|the)\s+", re.IGNORECASE)


def read_label(value: JsonValue) -> str:
    """A label however it was typed: text as it is, nothing as "", lists joined by commas."""
    if isinstance(value, list):
        return ", ".join(map(read_label, value))
    return "" if value is None else str(value)


def label_key(fields: JsonObject) -> str:
    """The key that names an object; "" where none does."""
    return next((key for key in LABEL_KEYS if key in fields), "")


def object_labels(found: FoundObject, count: int = 1) -> list[str]:
    """The labels of `count` places of an object: its own, or the key under which it stands."""
    key = label_key(found.fields)
    if not key:
        plain = found.owner.lower()
        return ["" if plain in _CONTAINERS or plain.endswith(("_2d", "box", "point")) else found.owner] * count
    value = found.fields[key]
    if isinstance(value, list) and len(value) == count > 1:
        return [read_label(one) for one in value]
    return ["" if key == "text_content" else read_label(value)] * count


def line_start(text: str, at: int) -> int:
    """Where the line around `at` begins; lines of more than 2,000 characters begin later."""
    earliest = max(0, at - _LONGEST)
    return max(earliest, text.rfind("\n", earliest, at) + 1)


def _behind(text: str, end: int, after: int) -> str:
    words = _MARKUP.split(text[end : min(after, end + _LONGEST)].split("\n", 1)[0], maxsplit=1)[0].strip(_TRIM)
    return "" if _NUMBER_ONLY.fullmatch(words) else words


def line_label(text: str, start: int, end: int, before: int, after: int) -> str:
    """The name of the numbers `text[start:end]`, which is found before them where their line begins with words
    (`cat: [..], dog: [..]`), else behind them (`1,2,3,4 cat`); never beyond `before` and `after`, the neighbors."""
    if start == 0 or text[start - 1] == "\n":
        return _behind(text, end, after)
    line = line_start(text, start)
    first = _DIGIT.split(_BULLET.sub("", _MARKUP.split(text[line:start])[-1]), maxsplit=1)[0]
    if not _ARGUMENT.sub("", first).strip(_TRIM):
        return _behind(text, end, after)
    words = _BULLET.sub("", _MARKUP.split(text[max(line, before) : start])[-1])
    named = words.rstrip(" \t([{（【<\"'`*").endswith((":", "=", "-", "–", "—", "→", "：", "|"))
    words = _ARGUMENT.sub("", words).strip(_TRIM)
    words = _FILLER.sub("", words).strip(_TRIM)
    if named and "." not in words:
        return words
    words = _ARTICLE.split(words)[-1].strip(_TRIM)
    return words if len(words.split()) <= 6 else ""
