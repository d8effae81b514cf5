"""Who sells what at which prices: shops, restaurants and firms of `trades.txt`, in one country."""

from dataclasses import dataclass

import numpy as np

from viewfinder.data.synth.choose import chance, number, pick, some
from viewfinder.data.synth.countries import Country
from viewfinder.data.synth.phrase_files import Section, fill_slots, read_sections
from viewfinder.data.synth.words import invent_word


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
