"""People, places, money and dates as one country writes them, so that what stands on one paper fits together."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from viewfinder.data.synth.choose import chance, number, pick, some
from viewfinder.data.synth.phrase_files import Section, fill_slots, read_sections
from viewfinder.data.synth.words import invent_word

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


@dataclass(frozen=True)
class Trade:
    """A firm: its name, and what it sells."""

    name: str
    country: Country
    goods: tuple[str, ...]

    def order(self, rng: np.random.Generator) -> list[tuple[str, int]]:
        """All that it sells in random order, with prices in the smallest unit: 5 or 9 last, as shops have them."""
        offered = []
        for entry in some(rng, self.goods, len(self.goods)):
            name, low, high = entry.rsplit(" ", 2)
            cents = number(rng, int(low), int(high))
            cents = (
                round(cents, -3 if cents > 20000 else -2) if cents > 5000 else cents // 10 * 10 + pick(rng, (0, 5, 9))
            )
            offered.append((name, self.country.amount(cents)))
        return offered


def draw_trade(rng: np.random.Generator, country: Country, tills: bool) -> Trade:
    """A shop (`tills`), or any firm that sends bills."""
    trades = read_sections("trades.txt")
    parts = trades[pick(rng, [name for name, one in trades.items() if not (tills and "sells" in one)])]
    return Trade(firm_name(rng, country, parts), country, parts["goods"])


def any_firm(rng: np.random.Generator, country: Country) -> str:
    """The name of some firm."""
    return firm_name(rng, country, pick(rng, tuple(read_sections("trades.txt").values())))


def any_ware(rng: np.random.Generator) -> str:
    """One thing that some shop sells."""
    shops = [one for one in read_sections("trades.txt").values() if "sells" not in one]
    return pick(rng, pick(rng, shops)["goods"]).rsplit(" ", 2)[0]


def firm_name(rng: np.random.Generator, country: Country, parts: Section) -> str:
    said = {"last": lambda: country.one(rng, "last"), "new": lambda: invent_word(rng).capitalize()}
    name = fill_slots(rng, pick(rng, parts["names"]), said)
    return f"{name} {country.one(rng, 'firms')}" if chance(rng, 0.25) and "&" not in name else name
