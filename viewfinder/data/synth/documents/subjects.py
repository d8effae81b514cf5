"""What stands in tables: subjects with the entries of their first column and columns that fit them (`tables.txt`)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from viewfinder.data.synth.choose import number, pick, some
from viewfinder.data.synth.countries import Country, draw_country, fill_digits, write_date
from viewfinder.data.synth.phrase_files import read_sections
from viewfinder.data.synth.words import invent_word

_NUMERIC = ("m ", "n ", "f ", "p ", "k ")


@dataclass(frozen=True)
class Filling:
    """A table's words: heads, whether a column holds numbers, and the rows below."""

    heads: list[str]
    numeric: list[bool]
    rows: list[list[str]]


def draw_filling(
    rng: np.random.Generator, rows: int, columns: int, pair: int | None = None, about: Sequence[str] = ()
) -> Filling:
    """Rows of a subject that has enough of everything.

    Args:
        about: subjects to prefer, by name.
        pair: the first of two columns that are one quantity in two years, the earlier first.
    """
    country, kinds = draw_country(rng), columns - (pair is not None)
    subjects = {
        name: one
        for name, one in read_sections("tables.txt").items()
        if len(one) - 1 >= kinds and (_endless(one["rows"]) or len(one["rows"]) >= rows)
    }
    subject = subjects[pick(rng, [name for name in about if name in subjects] or list(subjects))]
    heads = some(rng, [key for key in subject if key not in ("head", "rows")], kinds - 1)
    if pair is not None and not _is_numeric(subject[heads[pair - 1]][0]):  # two years of a date would contradict it
        countable = [key for key in subject if _is_numeric(subject[key][0]) and key not in heads]
        here = next((i for i, head in enumerate(heads) if _is_numeric(subject[head][0])), None)
        if here is not None:
            heads[pair - 1], heads[here] = heads[here], heads[pair - 1]
        else:
            heads[pair - 1] = pick(rng, countable)
    specs = [";".join(subject[head]) for head in heads]
    style = country.date_style(rng)
    if pair is not None:
        heads.insert(pair, heads[pair - 1])
        specs.insert(pair, specs[pair - 1])
    names = _names(rng, country, subject["rows"], rows)
    cells = [[name, *(_cell(rng, spec, country, style) for spec in specs)] for name in names]
    return Filling([subject["head"][0], *heads], [False, *map(_is_numeric, specs)], cells)


def _is_numeric(spec: str) -> bool:
    return spec.startswith(_NUMERIC)


def _endless(entries: tuple[str, ...]) -> bool:
    return entries[0] in ("name", "new") or entries[0].startswith("code ")


def _names(rng: np.random.Generator, country: Country, entries: tuple[str, ...], count: int) -> list[str]:
    """Different entries of the first column, in the order that they have."""
    if not _endless(entries):
        return [entries[i] for i in sorted(some(rng, range(len(entries)), count))]
    found: dict[str, None] = {}
    pattern = pick(rng, entries)
    while len(found) < count:
        found[_cell(rng, pattern, country, "")] = None
    return list(found)


def _cell(rng: np.random.Generator, spec: str, country: Country, dates: str) -> str:
    kind, _, rest = spec.partition(" ")
    if _is_numeric(spec):
        low, high = map(int, rest.split())
        value = number(rng, low, high)
        if kind == "m":
            return country.money(country.amount(value))
        if kind == "f":
            return f"{rng.uniform(low, high):.1f}"
        return f"{value}%" if kind == "p" else f"{value:,}" if kind == "k" else str(value)
    if kind == "y":
        return str(number(rng, *map(int, rest.split())))
    if spec in ("name", "town"):
        return country.person_name(rng) if spec == "name" else country.town(rng)
    if spec == "last":
        return country.one(rng, "last")
    if spec == "new":
        return invent_word(rng).capitalize()
    if spec == "date":
        return write_date(dates, number(rng, 1, 28), number(rng, 1, 12), number(rng, 2019, 2026))
    if spec in ("time", "lesson"):
        lesson = spec == "lesson"
        return f"{number(rng, 8, 17 if lesson else 22)}:{number(rng, 0, 3) * 15 if lesson else number(rng, 0, 59):02d}"
    one = pick(rng, spec.split(";"))
    return fill_digits(rng, one.removeprefix("code ")) if one.startswith("code ") else one
