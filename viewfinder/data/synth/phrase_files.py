"""The shipped files of words and sentences, and filling their slots.

A slot stands in braces: `{red|green}` is one of several, `{n 2 9}` a number, any other what the caller says of that
name. Innermost slots come first: `{cats|{n 2 9} dogs}` is `cats` or, say, `4 dogs`.
"""

import re
from collections.abc import Callable, Mapping
from configparser import ConfigParser
from functools import lru_cache
from importlib.resources import files

import numpy as np

from viewfinder.data.synth.choose import number, pick

Section = Mapping[str, tuple[str, ...]]
_SLOT = re.compile(r"\{([^{}]*)\}")


@lru_cache(maxsize=8)
def read_sections(name: str, separator: str = ";") -> dict[str, Section]:
    """The sections of an INI file of this package; values are split at the separator (or at the ends of lines)."""
    parser = ConfigParser(interpolation=None, delimiters=("=",), default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # heads keep their capitals
    parser.read_string(files("viewfinder.data.synth").joinpath(name).read_text(encoding="utf-8"))

    def split(value: str) -> tuple[str, ...]:
        return tuple(" ".join(part.split()) for part in value.split(separator))

    return {name: {key: split(value) for key, value in parser[name].items()} for name in parser.sections()}


def fill_slots(rng: np.random.Generator, text: str, said: Mapping[str, Callable[[], str]]) -> str:
    """The text with every slot filled."""

    def fill(slot: re.Match[str]) -> str:
        inside = slot[1]
        if "|" in inside:
            return pick(rng, inside.split("|"))
        if inside.startswith("n "):
            low, high = inside[2:].split()
            return str(number(rng, int(low), int(high)))
        return said[inside]()

    while "{" in text:
        text = _SLOT.sub(fill, text)
    return text


FIRST_NAMES = (
    *("Anna", "Ben", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Kate", "Leo", "Maria"),
    *("Noah", "Olga", "Paul", "Quinn", "Rosa", "Sam", "Tina", "Umar", "Vera", "Walter", "Xenia", "Yusuf", "Zoe"),
    *("Amir", "Bella", "Chen", "Dina", "Emil", "Fatima", "Georg", "Hana", "Ivan", "Julia", "Karl", "Lina", "Marco"),
)
CITIES = (
    *("Berlin", "London", "Paris", "Rome", "Madrid", "Oslo", "Vienna", "Lisbon", "Dublin", "Prague", "Boston", "Lima"),
    *("Cairo", "Delhi", "Tokyo", "Seoul", "Hanoi", "Sydney", "Denver", "Austin", "Zurich", "Milan", "Turin", "Bergen"),
)


def city(rng: np.random.Generator) -> str:
    return pick(rng, CITIES)
