"""Text to draw: common words, invented words, numbers, prices, codes, dates.

Invented words and random codes keep a model from guessing what it cannot read.
"""

from functools import lru_cache
from importlib.resources import files

import numpy as np

from viewfinder.data.synth.choose import pick

CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'-+*/=%$&#@()"
"""Every character that synthetic text may hold, besides the space."""

_VOWELS = ("a", "e", "i", "o", "u", "a", "e", "o", "ai", "ou", "ea", "y")
_STARTS = (
    *("b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z"),
    *("br", "ch", "cl", "dr", "fl", "gr", "pl", "qu", "sh", "sl", "sp", "st", "th", "tr", "x"),
)
_ENDS = ("", "", "", "n", "r", "s", "t", "l", "m", "ck", "nd", "st", "x", "ng", "p", "d")


@lru_cache(maxsize=1)
def common_words() -> tuple[str, ...]:
    """The shipped list of everyday English words."""
    return tuple(files("viewfinder.data.synth").joinpath("words.txt").read_text().split())


def make_word(rng: np.random.Generator, max_length: int = 10) -> str:
    """One word: everyday, invented, a number or a code, in one of the usual cases."""
    kind = rng.random()
    if kind < 0.4:
        word = pick(rng, common_words())
    elif kind < 0.7:
        word = "".join(_syllable(rng) for _ in range(rng.integers(1, 4)))
    elif kind < 0.86:
        word = _number(rng)
    else:
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789" if rng.random() < 0.6 else CHARACTERS[:52]
        word = "".join(pick(rng, letters) for _ in range(rng.integers(1, 8)))
    word = word[:max_length]
    case = rng.random()
    return word.upper() if case < 0.2 else word.capitalize() if case < 0.5 and word.islower() else word


def make_line(rng: np.random.Generator, max_chars: int = 14) -> str:
    """One to four words of at most `max_chars` characters together, sometimes punctuated."""
    line = make_word(rng, max_chars)
    while rng.random() < 0.45 and len(line) < max_chars - 3:
        line += " " + make_word(rng, max_chars - len(line) - 1)
    if rng.random() < 0.12 and len(line) < max_chars and line[-1].isalnum():
        line += pick(rng, ".,:!?;")
    return line


def invent_word(rng: np.random.Generator) -> str:
    """A word of two or three syllables that is in no dictionary, or is by chance; small letters."""
    return "".join(_syllable(rng) for _ in range(rng.integers(2, 4)))


def _syllable(rng: np.random.Generator) -> str:
    return pick(rng, _STARTS) + pick(rng, _VOWELS) + pick(rng, _ENDS)


def _number(rng: np.random.Generator) -> str:
    a, b, c = (int(n) for n in rng.integers(0, 100, 3))
    forms = (
        str(a),
        str(a * 100 + b),
        f"{a}.{b:02d}",
        f"${a}.{b:02d}",
        f"{a}%",
        f"{a % 24}:{b % 60:02d}",
        f"{a % 28 + 1}/{b % 12 + 1}/20{c:02d}",
        f"#{a * 100 + c}",
        f"20{a:02d}",
        f"{a % 10}+{b % 10}={a % 10 + b % 10}",
    )
    return forms[int(rng.integers(len(forms)))]
