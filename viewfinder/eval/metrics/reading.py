"""Text that was read: bag-of-tokens F1 (CC-OCR), character error rate, fields of documents (KIE)."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from viewfinder.eval.metrics.edit_distance import edit_distance
from viewfinder.eval.metrics.regions import F1

_CHARACTER_LANGUAGES = frozenset({"zh", "ja", "ko", "ar"})


def text_tokens(text: str, language: str = "en", alphanumeric: bool = False) -> list[str]:
    """Words, or characters where a language does not part words (zh, ja, ko; and ar, as CC-OCR has it).

    Lower case; `alphanumeric` keeps only a-z and 0-9 of each word (CC-OCR's multi-scene track).
    """
    flat = re.sub(r"\s+", " ", text.strip().replace("###", "").replace("***", "")).lower()
    tokens = list(flat.replace(" ", "")) if language in _CHARACTER_LANGUAGES else flat.split(" ")
    if alphanumeric:
        tokens = [re.sub(r"[^a-z0-9]+", "", token) for token in tokens]
    return [token for token in tokens if token]


def bag_of_tokens_f1(prediction: str, truth: str, language: str = "en", alphanumeric: bool = False) -> F1:
    """Tokens in common, in any order, each as often as both have it. CC-OCR's score is the mean F1 of pages.

    `"a b b"` read as `"b c"` has one hit, one false alarm, two misses.
    """
    said = Counter(text_tokens(prediction, language, alphanumeric))
    true = Counter(text_tokens(truth, language, alphanumeric))
    hits = (said & true).total()
    return F1(hits, said.total() - hits, true.total() - hits)


def character_error_rate(prediction: str, truth: str) -> float:
    """Edit distance over the length of the truth; may exceed 1."""
    return edit_distance(prediction, truth) / len(truth) if truth else float(bool(prediction))


def field_f1(prediction: Any, truth: Any) -> F1:
    """Fields of two JSON values (Donut's definition, used by CC-OCR): leaves with their path, equal as text;
    lists add nothing to a path. As in the published code an empty text is a field, null is the text "None", and only
    lists of plain values lose their empty items. Add up over documents, then take `f1`.

    {"menu": [{"name": "cake"}]} has the one field ("menu.name", "cake").
    """
    said, true = Counter(_fields(prediction)), Counter(_fields(truth))
    hits = (said & true).total()
    return F1(hits, said.total() - hits, true.total() - hits)


def _fields(value: Any, path: str = "") -> Sequence[tuple[str, str]]:
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in _fields(part, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list | tuple):
        if all(isinstance(part, dict) for part in value):
            return [leaf for part in value for leaf in _fields(part, path)]
        plain = [str(part).strip() for part in value if type(part) in (str, int, float)]
        return [(path, text) for text in plain if text]
    return [(path, str(value).strip())]
