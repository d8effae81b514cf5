"""The kind "text": conversations of words alone, with answers that follow by rule: sums, orders, words, data, code."""

import json
from collections.abc import Callable

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick, some
from viewfinder.data.synth.countries import any_ware, draw_country, write_date
from viewfinder.data.synth.exchange import Exchange, converse
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.phrase_files import FIRST_NAMES, city
from viewfinder.data.synth.words import common_words

Pair = tuple[str, str]


def make(rng: np.random.Generator, options: Options) -> Sample:
    """One to three exchanges about nothing that is shown."""
    exchanges: dict[str, Exchange] = {}
    for _ in range(number(rng, 1, 3)):
        question, answer = pick(rng, _MAKERS)(rng, options.difficulty)
        exchanges.setdefault(question, Exchange("text", question, answer, truth={"answer": answer}))
    return converse(list(exchanges.values()), lineage=("text",))


def _sum(rng: np.random.Generator, hard: float) -> Pair:
    values = [number(rng, 1, 20 + round(200 * hard)) for _ in range(number(rng, 2, 2 + round(3 * hard)))]
    return f"What is {' plus '.join(map(str, values))}?", str(sum(values))


def _product(rng: np.random.Generator, hard: float) -> Pair:
    a, b = number(rng, 2, 9 + round(20 * hard)), number(rng, 2, 9)
    return f"What is {a} times {b}?", str(a * b)


def _sort(rng: np.random.Generator, hard: float) -> Pair:
    if chance(rng, 0.5):
        values = [number(rng, 0, 99) for _ in range(number(rng, 3, 4 + round(4 * hard)))]
        return f"Sort {', '.join(map(str, values))}.", ", ".join(map(str, sorted(values)))
    words = some(rng, common_words(), number(rng, 3, 4 + round(4 * hard)))
    return f"Put in alphabetical order: {', '.join(words)}.", ", ".join(sorted(words))


def _story(rng: np.random.Generator, hard: float) -> Pair:
    name, thing = pick(rng, FIRST_NAMES), any_ware(rng).lower()
    have, more, less = number(rng, 3, 20), number(rng, 1, 9), number(rng, 1, 3)
    question = f"{name} has {have} of {thing}, gets {more} more and gives {less} away. How many are left?"
    return (
        question,
        f"{have} + {more} = {have + more}. {have + more} - {less} = {have + more - less}. Answer: {have + more - less}",
    )


def _spell(rng: np.random.Generator, hard: float) -> Pair:
    word = pick(rng, common_words())
    kind = number(rng, 0, 3)
    if kind == 0:
        return f"Spell the word {word}.", "-".join(word)
    if kind == 1:
        return f"Write {word} in capital letters.", word.upper()
    if kind == 2:
        return f"Write {word} backwards.", word[::-1]
    return f"How many letters are in {word}?", str(len(word))


def _json(rng: np.random.Generator, hard: float) -> Pair:
    name, age, town = pick(rng, FIRST_NAMES), number(rng, 18, 80), city(rng)
    record = {"name": name, "age": age, "city": town}
    return f"Write as JSON: {name} is {age} years old and lives in {town}.", json.dumps(record)


def _extract(rng: np.random.Generator, hard: float) -> Pair:
    who, where = draw_country(rng).person_name(rng), city(rng)
    when = write_date("{day} {month} {y}", number(rng, 1, 28), number(rng, 1, 12), number(rng, 2014, 2026))
    question, answer = pick(rng, (("Who", who), ("When", when), ("Where", where)))
    verb = {"Who": "Who meets?", "When": "When is the meeting?", "Where": "Where is the meeting?"}[question]
    return f"{who} meets the team in {where} on {when}. {verb}", answer


def _repeat(rng: np.random.Generator, hard: float) -> Pair:
    word, times = pick(rng, common_words()), number(rng, 2, 4)
    return f"Say {word} {times} times.", " ".join([word] * times)


def _longest(rng: np.random.Generator, hard: float) -> Pair:
    words = some(rng, common_words(), 4)
    best = max(len(w) for w in words)
    if sum(len(w) == best for w in words) > 1:
        return _sort(rng, hard)
    return f"Which word is the longest: {', '.join(words)}?", next(w for w in words if len(w) == best)


def _code(rng: np.random.Generator, hard: float) -> Pair:
    a, b, times = number(rng, 1, 9), number(rng, 1, 9), number(rng, 2, 4)
    program = f"x = {a}\nfor i in range({times}):\n    x = x + {b}\nprint(x)"
    return f"What does this program print?\n{program}", str(a + b * times)


def _compare(rng: np.random.Generator, hard: float) -> Pair:
    a, b = number(rng, 1, 999), number(rng, 1, 999)
    if a == b:
        b += 1
    return f"Which is larger, {a} or {b}?", str(max(a, b))


_MAKERS: tuple[Callable[[np.random.Generator, float], Pair], ...] = (
    *(_sum, _product, _sort, _story, _spell, _json, _extract, _repeat, _longest, _code, _compare),
)
