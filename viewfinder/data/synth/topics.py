"""What a page is about: one topic's titles, heads, sentences and items, each said once as long as there are others.

The sentences were written for this project (`topics.txt`); names, numbers and invented words in them differ from page
to page, so that a model has to read what stands there.
"""

from collections.abc import Callable, Mapping

import numpy as np

from viewfinder.data.synth.choose import chance, number, pick, some
from viewfinder.data.synth.countries import draw_country
from viewfinder.data.synth.kinds import Split
from viewfinder.data.synth.phrase_files import Section, fill_slots, read_sections
from viewfinder.data.synth.words import invent_word

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Story:
    """The texts of one page: of one topic and one country, with a few invented names that stay the same."""

    def __init__(self, rng: np.random.Generator, split: Split = "train") -> None:
        self.rng = rng
        country = draw_country(rng)
        people = [country.person_name(rng) for _ in range(4)]
        towns = [country.town(rng) for _ in range(3)]
        invented = [invent_word(rng).capitalize() for _ in range(2)]
        self.said: Mapping[str, Callable[[], str]] = {
            "name": lambda: pick(rng, people),
            "last": lambda: country.one(rng, "last"),
            "city": lambda: pick(rng, towns),
            "new": lambda: pick(rng, invented),
            "month": lambda: pick(rng, MONTHS),
            "weekday": lambda: pick(rng, WEEKDAYS),
            "year": lambda: str(number(rng, 1880, 2025)),
        }
        topics = read_sections("topics.txt", "\n")
        held_out = split == "held_out"
        self.topic: Section = topics[pick(rng, [t for t in topics if t.startswith("held out") == held_out])]
        self.tables = self.topic["tables"]
        self._left: dict[str, list[str]] = {}

    def _next(self, key: str) -> str:
        left = self._left.setdefault(key, [])
        if not left:
            left += some(self.rng, self.topic[key], len(self.topic[key]))
        text = fill_slots(self.rng, left.pop(), self.said)
        return text[0].upper() + text[1:] if key != "items" else text

    def title(self) -> str:
        """Of the whole page."""
        text = self._next("titles")
        return text.upper() if chance(self.rng, 0.1) else text

    def head(self) -> str:
        """Of a part of the page."""
        return self._next("heads")

    def item(self) -> str:
        """A few words, as in a list."""
        return self._next("items")

    def paragraph(self, sentences: int) -> str:
        return " ".join(self._next("text") for _ in range(max(1, sentences)))
