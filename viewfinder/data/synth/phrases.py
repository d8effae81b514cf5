"""Words for pages and forms: titles, sentences, people, companies, streets, dates, amounts of money.

Made of everyday words in random order with some invented ones, so that reading cannot be guessed.
"""

import numpy as np

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.words import common_words, make_word

FIRST_NAMES = (
    *("Anna", "Ben", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Kate", "Leo", "Maria"),
    *("Noah", "Olga", "Paul", "Quinn", "Rosa", "Sam", "Tina", "Umar", "Vera", "Walter", "Xenia", "Yusuf", "Zoe"),
    *("Amir", "Bella", "Chen", "Dina", "Emil", "Fatima", "Georg", "Hana", "Ivan", "Julia", "Karl", "Lina", "Marco"),
)
LAST_NAMES = (
    *("Adams", "Baker", "Costa", "Diaz", "Evans", "Fischer", "Garcia", "Hill", "Ito", "Jones", "Kim", "Lopez", "Moore"),
    *("Novak", "Olsen", "Park", "Quist", "Rossi", "Smith", "Turner", "Ueda", "Vance", "Wong", "Young", "Zeller"),
    *("Ahmed", "Brown", "Clark", "Davis", "Fox", "Green", "Hall", "Khan", "Lane", "Meyer", "Nash", "Owen", "Price"),
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CITIES = (
    *("Berlin", "London", "Paris", "Rome", "Madrid", "Oslo", "Vienna", "Lisbon", "Dublin", "Prague", "Boston", "Lima"),
    *("Cairo", "Delhi", "Tokyo", "Seoul", "Hanoi", "Sydney", "Denver", "Austin", "Zurich", "Milan", "Turin", "Bergen"),
)
_STREETS = ("Street", "Road", "Lane", "Avenue", "Square", "Hill")
_FIRMS = ("Ltd", "Inc", "GmbH", "Shop", "Market", "Cafe", "Group", "Store", "Studio", "Bakery", "Tools", "Books")
_CURRENCIES = ("$", "€", "£", "")


def word(rng: np.random.Generator) -> str:
    """An everyday word, small letters; sometimes an invented word, a number or a code."""
    return pick(rng, common_words()) if chance(rng, 0.85) else make_word(rng, 9)


def title(rng: np.random.Generator, low: int = 1, high: int = 4) -> str:
    """A few words, written as titles are."""
    words = [pick(rng, common_words()) for _ in range(number(rng, low, high))]
    style = rng.random()
    if style < 0.5:
        return " ".join(w.capitalize() for w in words)
    return " ".join(words).upper() if style < 0.65 else " ".join(words).capitalize()


def sentence(rng: np.random.Generator, low: int = 3, high: int = 9) -> str:
    """Some words with a capital first and a mark last; sometimes a comma within."""
    words = [word(rng) for _ in range(number(rng, low, high))]
    if len(words) > 5 and chance(rng, 0.3):
        words[number(rng, 1, len(words) - 3)] += ","
    text = " ".join(words)
    return text[0].upper() + text[1:] + pick(rng, (".", ".", ".", "!", "?"))


def paragraph(rng: np.random.Generator, sentences: int) -> str:
    return " ".join(sentence(rng) for _ in range(max(1, sentences)))


def item(rng: np.random.Generator) -> str:
    """One to three words, as in a list or on a bill."""
    text = " ".join(pick(rng, common_words()) for _ in range(number(rng, 1, 2)))
    return text.capitalize() if chance(rng, 0.7) else text


def person(rng: np.random.Generator) -> str:
    return f"{pick(rng, FIRST_NAMES)} {pick(rng, LAST_NAMES)}"


def company(rng: np.random.Generator) -> str:
    head = pick(rng, LAST_NAMES) if chance(rng, 0.4) else pick(rng, common_words()).capitalize()
    return f"{head} {pick(rng, _FIRMS)}"


def street(rng: np.random.Generator) -> str:
    return f"{number(rng, 1, 199)} {pick(rng, common_words()).capitalize()} {pick(rng, _STREETS)}"


def city(rng: np.random.Generator) -> str:
    return pick(rng, CITIES)


def date(rng: np.random.Generator, style: int | None = None) -> str:
    """A day, in one of five ways of writing (`style` 0 to 4)."""
    day, month, year = number(rng, 1, 28), number(rng, 1, 12), number(rng, 1995, 2029)
    return write_date(day, month, year, number(rng, 0, 4) if style is None else style)


def write_date(day: int, month: int, year: int, style: int) -> str:
    """`write_date(3, 2, 2024, 3)` is `3 Feb 2024`; styles 0 to 4."""
    forms = (
        f"{day:02d}/{month:02d}/{year}",
        f"{year}-{month:02d}-{day:02d}",
        f"{day:02d}.{month:02d}.{year}",
        f"{day} {MONTHS[month - 1]} {year}",
        f"{MONTHS[month - 1]} {day}, {year}",
    )
    return forms[style]


def currency(rng: np.random.Generator) -> str:
    """A sign, or none."""
    return pick(rng, _CURRENCIES)


def money(cents: int, sign: str = "") -> str:
    """`money(123450, "$")` is `$1,234.50`."""
    return f"{sign}{cents // 100:,}.{cents % 100:02d}"


def phone(rng: np.random.Generator) -> str:
    return f"{number(rng, 100, 999)}-{number(rng, 1000, 9999)}"


def email(rng: np.random.Generator) -> str:
    return f"{pick(rng, FIRST_NAMES).lower()}@{pick(rng, common_words())}.{pick(rng, ('com', 'org', 'net'))}"


def code(rng: np.random.Generator) -> str:
    """A number as bills and forms have it."""
    letters = "".join(pick(rng, "ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(number(rng, 0, 2)))
    return f"{letters}{'-' if letters else ''}{number(rng, 100, 99999)}"
