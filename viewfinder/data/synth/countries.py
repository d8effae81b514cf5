"""People, places, money and dates as one country writes them, so that what stands on one paper fits together."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.phrase_files import Section, read_sections

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Person:
    """One person: what they are called, where they live, how they are reached."""

    first: str
    last: str
    street: str
    city: str
    phone: str
    email: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


@dataclass(frozen=True)
class Country:
    """How a country writes; amounts are in hundredths of a dollar and worth about as much in its own money."""

    name: str
    parts: Section

    def one(self, rng: np.random.Generator, key: str) -> str:
        return pick(rng, self.parts[key])

    def person_name(self, rng: np.random.Generator) -> str:
        return f"{self.one(rng, 'first')} {self.one(rng, 'last')}"

    def town(self, rng: np.random.Generator) -> str:
        """A city without its postal code: words of letters before or behind it."""
        return next(w for w in self.one(rng, "cities").replace(",", "").split() if w.isalpha())

    def city(self, rng: np.random.Generator) -> str:
        """A city with its postal code, as on a letter."""
        return fill_digits(rng, self.one(rng, "cities"))

    def street(self, rng: np.random.Generator) -> str:
        return self.one(rng, "streets").replace("{n}", str(number(rng, 1, 190 if chance(rng, 0.3) else 40)))

    def phone(self, rng: np.random.Generator) -> str:
        return fill_digits(rng, self.one(rng, "phone"))

    def person(self, rng: np.random.Generator) -> Person:
        first, last = self.one(rng, "first"), self.one(rng, "last")
        user = pick(rng, (f"{first}.{last}", f"{first[0]}{last}", f"{first}{number(rng, 1, 99)}")).lower()
        email = f"{user}@{pick(rng, ('mail', 'post', 'inbox', 'web'))}.{self.one(rng, 'domain')}"
        return Person(first, last, self.street(rng), self.city(rng), self.phone(rng), email)

    def amount(self, cents: int) -> int:
        """A price of dollars as a price here, in the smallest unit: ten times as many crowns, no hundredths of yen."""
        worth = cents * int(self.parts.get("scale", ("1",))[0])
        return worth if worth < 1000 or not self.parts["decimal"][0] else round(worth, -1)

    def money(self, units: int, sign: bool = True) -> str:
        """`money(123450)` is `$1,234.50`, `1.234,50 €` or `¥123,450`; `units` are the smallest."""
        mark = self.parts["decimal"][0]
        group = "." if mark == "," else ","
        whole = f"{units // 100 if mark else units:,}".replace(",", group)
        text = f"{whole}{mark}{units % 100:02d}" if mark else whole
        return self.parts["money"][0].replace("{}", text) if sign else text

    def date_style(self, rng: np.random.Generator) -> str:
        """A way of writing dates, for `write_date`; sometimes the international one."""
        return "{y}-{m}-{d}" if chance(rng, 0.15) else self.one(rng, "dates")

    def tax(self, rng: np.random.Generator) -> tuple[str, int]:
        """What the tax on sales is called, and its percentage."""
        return self.one(rng, "tax"), int(self.one(rng, "rates"))


def write_date(style: str, day: int, month: int, year: int) -> str:
    """`write_date("{day} {month} {y}", 3, 2, 2024)` is `3 Feb 2024`."""
    parts = {"d": f"{day:02d}", "m": f"{month:02d}", "y": str(year), "day": str(day), "month": MONTHS[month - 1]}
    return style.format_map(parts)


@lru_cache(maxsize=1)
def all_countries() -> tuple[Country, ...]:
    return tuple(Country(name, parts) for name, parts in read_sections("countries.txt").items())


def draw_country(rng: np.random.Generator) -> Country:
    """Any; more often one of the two that speak English."""
    known = all_countries()
    return pick(rng, known[:2]) if chance(rng, 0.4) else pick(rng, known)


def fill_digits(rng: np.random.Generator, pattern: str) -> str:
    """The pattern with some digit for every `#`; `fill_digits(rng, "A-##")` may be `A-07`."""
    return "".join(str(number(rng, 0, 9)) if letter == "#" else letter for letter in pattern)
