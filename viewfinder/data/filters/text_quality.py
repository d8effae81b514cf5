"""How good a text is to learn from, judged by what can be counted (after C4, Gopher and OmniCorpus).

Each measure is 0..1, 1 is fine; the worst decides, so the name of the worst says what is wrong. Thresholds are those of
ordinary prose; scripts without spaces are measured by their characters.
"""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from viewfinder.data.filters.languages import LITTLE_WORDS, language_of, scripts

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_BOILERPLATE = re.compile(
    r"lorem ipsum|cookies?\b.{0,40}\b(policy|consent|settings)|javascript (is|must be) (disabled|enabled)"
    r"|all rights reserved|terms (of use|and conditions)|click here|subscribe (now|to)|log ?in|sign ?up|add to cart"
    r"|page not found",
    re.IGNORECASE,
)
_ARTICLES = {"en": ("the", "a", "an"), "fr": ("le", "un", "une"), "es": ("el", "un", "una"), "it": ("il", "un", "una")}
_AFTER = {
    "en": "the a an of and to in is was are were that with at by from or but they we it he be had has",
    "fr": "le la les un une et est de du des dans que pour sur sont avec mais ou il elle nous",
    "es": "el la los las un una y es de del en para con son pero o lo se por",
    "it": "il lo la gli un una e è di del della in per con sono ma o si da che",
}
_NEVER_AFTER = {name: frozenset(words.split()) for name, words in _AFTER.items()}


_PAIRS = (
    "aabcdfghijklmnopqrstuvwyz babceghijlnorstuvyz cacdehiklorstuv dabcdefgiklmnoprstuvwyz eabcdefghijklmnopqrstuvwxyz "
    "fadefghiklorstuwy gabdeghiklnorstuy hacdegijklmnorstuvwy iabcdefghijklmnopqrstuvxz jadefgiklmnostuvz "
    "kabdehiklnorstuvy labcdefghijklmnopqstuvyz mabdefgilmnopstuvwy nabcdefghijklmnopqrstuvyz "
    "oabcdefghijklmnoprstuvwyz pacdefghiklnoprstuyz qu rabcdefghijklmnopqrstuvwxyz sabcdefghijklmnopqrstuvwyz "
    "tabcefghijklmnoprstuvwxyz uabcdefghijklmnoprstuvwxyz vabdeiklnorsuvyz waehinorsu xaceilopt yabcdegiklmnoprstuz "
    "zabdehiklmnoprtuvwyz"
)
_FOLLOWERS = {group[0]: frozenset(group[1:]) for group in _PAIRS.split()}
"""By letter, those that follow it more than 1.5 times in 10,000 pairs of a manual in any of ca cs da de en es fr id it
nl pt ro sv; of such text at most 0.3 % of pairs are others."""


def text_quality(text: str) -> tuple[float, str]:
    """The worst of the measures, and its name; ("", 1.0) cannot be: an empty text is (0.0, "empty")."""
    measures = measure_text(text)
    worst = min(measures, key=measures.__getitem__)
    return measures[worst], worst


def measure_text(text: str) -> dict[str, float]:
    """Every measure by name."""
    if not text.strip():
        return {"empty": 0.0}
    spaced = _is_spaced(text)
    words = [word.lower() for word in _WORD.findall(text)] if spaced else []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    units = words if spaced else list("".join(text.split()))
    measures = {
        "letters": _rise(_letters(text), 0.45, 0.7),
        "repeated lines": _fall(_repeated(lines), 0.1, 0.4) if len(lines) > 3 else 1.0,
        "repeated phrases": _fall(repetition(units), 0.12, 0.4),
        "boilerplate": _fall(len(_BOILERPLATE.findall(text)) / max(1, len(units) / 60), 0.6, 2.0),
    }
    if len(text) >= 300:
        measures["information"] = _rise(_squeezed(text), 0.12, 0.28)
    if spaced and len(words) >= 15:
        mean = sum(map(len, words)) / len(words)
        measures["word lengths"] = min(_rise(mean, 2.2, 3.2), _fall(mean, 8.5, 12.0))
        measures["words"] = min(_spelling(words), _order(words, language_of(text)))
        little = sum(any(word in list_ for list_ in LITTLE_WORDS.values()) for word in words) / len(words)
        if len(words) >= 30:
            measures["sentences"] = _rise(little, 0.06, 0.16)
    return measures


def repetition(units: Sequence[str], n: int = 6) -> float:
    """Share of positions whose n units (words, or characters) have stood before: 0 in prose, 0.8 in a loop."""
    if len(units) < 3 * n:
        return 0.0
    seen: set[tuple[str, ...]] = set()
    again = 0
    for i in range(len(units) - n + 1):
        gram = tuple(units[i : i + n])
        again += gram in seen
        seen.add(gram)
    return again / (len(units) - n + 1)


def _is_spaced(text: str) -> bool:
    found = scripts(text)
    return found["HAN"] + found["KANA"] + found["THAI"] < 0.3 * max(1, found.total())


def _letters(text: str) -> float:
    solid = [letter for letter in text if not letter.isspace()]
    return sum(letter.isalpha() for letter in solid) / len(solid)


def _repeated(lines: Sequence[str]) -> float:
    counts = Counter(lines)
    return sum(len(line) * (counts[line] - 1) for line in counts) / max(1, sum(map(len, lines)))


def _squeezed(text: str) -> float:
    data = text.encode()
    return len(zlib.compress(data, 6)) / len(data)


def _spelling(words: Sequence[str]) -> float:
    """Noise puts letters beside each other that no language in Latin letters does."""
    pairs = [pair for word in words for pair in pairwise(word) if pair[0].isascii() and pair[1].isascii()]
    pairs = [(a, b) for a, b in pairs if a.isalpha() and b.isalpha()]
    if len(pairs) < 40:
        return 1.0
    return _fall(sum(b not in _FOLLOWERS[a] for a, b in pairs) / len(pairs), 0.025, 0.07)


def _order(words: Sequence[str], language: str) -> float:
    """Shuffled words put "the" before "of": what may never follow an article follows it about every third time."""
    articles = _ARTICLES.get(language)
    if articles is None:
        return 1.0
    followers = [after for word, after in pairwise(words) if word in articles]
    if len(followers) < 6:
        return 1.0
    return _fall(sum(after in _NEVER_AFTER[language] for after in followers) / len(followers), 0.06, 0.2)


def _rise(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, a line between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _fall(value: float, low: float, high: float) -> float:
    return 1.0 - _rise(value, low, high)
