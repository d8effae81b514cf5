"""The kind "invoices": who bills whom, for what, how much, and where to pay."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.countries import any_firm, draw_country, draw_trade, fill_digits, write_date
from viewfinder.data.synth.documents.lettering import Face, Faces, draw_faces, set_line
from viewfinder.data.synth.documents.pages import page_size
from viewfinder.data.synth.documents.sheet import Color, Sheet, blend, draw_palette
from viewfinder.data.synth.documents.values import Leaf, ValuePage, page_sample
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.shapes import PixelRectangle

LAYOUTS = ("letter", "banner")
HELD_OUT_LAYOUTS = ("reversed",)
"""The facts before the seller, amounts before descriptions, totals at the left."""

_TITLES = ("INVOICE", "Invoice", "Bill", "Tax invoice")
_NUMBERS = ("Invoice No.", "No.", "Invoice #", "Number")
_BUYERS = ("Bill to", "To", "Customer", "Billed to")
_HEADS = {"description": "Item", "quantity": "Qty", "unit_price": "Price", "amount": "Amount"}
_ASKED = ("invoice_number", "date", "due_date", "subtotal", "discount", "tax", "total", "account")


def make(rng: np.random.Generator, options: Options) -> Sample:
    """An invoice and one or two questions about it."""
    return page_sample(rng, options, draw_invoice(rng, options), most=8)


def draw_invoice(rng: np.random.Generator, options: Options) -> ValuePage:
    """An invoice of one to many items."""
    hard = options.difficulty
    size = page_size(rng, options, least=196)
    colors = draw_palette(rng, hard, printed=True)
    sheet = Sheet(size, colors.paper, colors.ink, colors.accent)
    em = min(number(rng, 13 - round(3 * hard), 15 - round(4 * hard)), size[0] // 15, size[1] // 17)
    layout = pick(rng, HELD_OUT_LAYOUTS if options.split == "held_out" else LAYOUTS)
    bill = _Bill(rng, sheet, draw_faces(rng, options.split, options.fonts), em, hard, layout == "reversed")
    bill.head(layout)
    bill.items(number(rng, 1, 2 + round(9 * hard)))
    bill.totals()
    absent = tuple(key for key in _ASKED if key not in bill.values)
    image = sheet.cut_below(bill.y + number(rng, 4, 20), whole=hard < 0.35)
    return ValuePage(image, bill.values, absent, readable=False)


@dataclass
class _Bill:
    """Lines going down the sheet, `y` the place of the next one."""

    rng: np.random.Generator
    sheet: Sheet
    faces: Faces
    em: int
    hard: float
    reverse: bool
    values: dict[str, Any] = field(default_factory=dict)
    y: int = 0
    sum: int = 0

    def __post_init__(self) -> None:
        self.margin = number(self.rng, 6, 6 + self.em)
        self.left, self.right = self.margin, self.sheet.size[0] - self.margin
        self.face = Face(self.faces.plain, self.em, self.sheet.ink, 1.2)
        self.bold = self.face.like(path=self.faces.bold)
        self.country = draw_country(self.rng)
        self.trade = draw_trade(self.rng, self.country, tills=False)
        self.y = self.margin

    def room(self, lines: float = 1) -> bool:
        return self.y + round(lines * self.face.step) < self.sheet.size[1] - self.margin

    def text(self, words: str, x: int, face: Face, ground: Color | None = None, end: bool = False) -> PixelRectangle:
        """Words from `x` on, or ending there; the box of their ink."""
        x -= round(face.width(words)) if end else 0
        box = set_line(self.sheet, words, face, x, self.y, None, ground)
        assert box is not None
        return box

    def head(self, layout: str) -> None:
        """Seller, title, facts and buyer in the order of the layout."""
        if layout == "banner":
            self._banner()
        elif layout == "letter":
            self._title()
            self._seller()
        else:
            self._title()
            self._facts()
            self._buyer()
            self._seller()
            return
        self._facts()
        self._buyer()

    def _title(self) -> None:
        face = Face(self.faces.head, round(self.em * float(self.rng.uniform(1.2, 1.7))), self.sheet.accent, 1.15)
        words = pick(self.rng, _TITLES)
        end = chance(self.rng, 0.4)
        self.text(words, self.right if end else self.left, face, end=end)
        self.y += face.step + 2

    def _banner(self) -> None:
        """The seller's name and the title, light on a bar of the accent's color."""
        dark = sum(self.sheet.accent) < 380
        face = self.bold.like(size=round(self.em * 1.15), color=(255, 255, 255) if dark else (0, 0, 0))
        name, words = self._short(self._firms(), face, 0.6), pick(self.rng, _TITLES)
        self.sheet.pen.rectangle((0, 0, self.sheet.size[0], self.y + face.step + 4), fill=self.sheet.accent)
        self.values["seller"] = {"name": Leaf(name, self.text(name, self.left, face, self.sheet.accent))}
        if face.width(words) + face.width(name) + self.em < self.right - self.left:
            self.text(words, self.right, face, self.sheet.accent, end=True)
        self.y += face.step + 10
        self._address(self.values["seller"])

    def _short(self, words: Iterable[str], face: Face, share: float = 1.0) -> str:
        """The first of some words that fits a share of the width, or the shortest."""
        some = list(words)
        return next((w for w in some if face.width(w) <= share * (self.right - self.left)), min(some, key=face.width))

    def _firms(self) -> Iterable[str]:
        """What the seller may be called."""
        yield from (self.trade.name, self.trade.name.rsplit(" ", 1)[0])

    def _seller(self) -> None:
        name = self._short(self._firms(), self.bold)
        self.values["seller"] = {"name": Leaf(name, self.text(name, self.left, self.bold))}
        self.y += self.face.step
        self._address(self.values["seller"])

    def _address(self, party: dict[str, Leaf]) -> None:
        for key, make_words in (("street", self.country.street), ("city", self.country.city)):
            # what must come (number, date, buyer, head, an item, the total) still has to fit
            if chance(self.rng, 0.2 + 0.6 * self.hard) and self.room(8):
                words = self._short((make_words(self.rng) for _ in range(3)), self.face)
                party[key] = Leaf(words, self.text(words, self.left, self.face))
                self.y += self.face.step
        self.y += self.em // 2

    def _facts(self) -> None:
        """Labels with number and days, beside each other's ends or close together."""
        style, month, year = self.country.date_style(self.rng), number(self.rng, 1, 11), number(self.rng, 2014, 2026)
        day = number(self.rng, 1, 28)
        issued = write_date(style, day, month, year)
        code = fill_digits(self.rng, pick(self.rng, (f"{year}-####", f"{year % 100}####", "RE-#####", "#####")))
        facts = {"invoice_number": (pick(self.rng, _NUMBERS), code), "date": ("Date", issued)}
        if chance(self.rng, 0.2 + 0.5 * self.hard) and self.room(7):
            due = write_date(style, day, month + 1, year)
            facts["due_date"] = (pick(self.rng, ("Due", "Pay by", "Due date")), due)
        apart = chance(self.rng, 0.5)
        across = max(round(self.face.width(label)) for label, _ in facts.values()) + self.em
        for key, (label, value) in facts.items():
            self.text(label, self.left, self.face)
            x = self.right if apart else self.left + across
            self.values[key] = Leaf(value, self.text(value, x, self.bold if apart else self.face, end=apart))
            self.y += self.face.step
        self.y += self.em // 2

    def _buyer(self) -> None:
        label = f"{pick(self.rng, _BUYERS)}:"
        private = chance(self.rng, 0.5)
        names = [self.country.person_name(self.rng) if private else any_firm(self.rng, self.country) for _ in range(4)]
        across = round(self.bold.width(label)) + self.em // 2
        name = self._short(names, self.face, 1 - across / (self.right - self.left))
        self.text(label, self.left, self.bold)
        self.values["buyer"] = {"name": Leaf(name, self.text(name, self.left + across, self.face))}
        self.y += self.face.step
        self._address(self.values["buyer"])

    def items(self, count: int) -> None:
        """The table: description and amount, with quantity and price where there is room for them."""
        wide = (self.right - self.left) / self.em > 20
        keys = ("description", "quantity", "unit_price", "amount") if wide else ("description", "amount")
        places = self._columns(keys)
        fill = blend(self.sheet.paper, self.sheet.accent, 0.18) if chance(self.rng, 0.5) else None
        if fill is not None:
            self.sheet.pen.rectangle((self.left - 2, self.y, self.right + 2, self.y + self.face.step), fill=fill)
        for key in keys:
            x, end = places[key]
            self.text(_HEADS[key], x, self.bold, fill, end)
        self.y += self.face.step + 3
        ruled = chance(self.rng, 0.5)
        rows: list[dict[str, Leaf]] = []
        offered = self.trade.order(self.rng)
        while len(rows) < min(count, len(offered)) and (not rows or self.room(5)):
            rows.append(self._row(offered[len(rows)], keys, places))
            self.y += self.face.step + 1
            if ruled:
                rule = blend(self.sheet.paper, self.sheet.ink, 0.35)
                self.sheet.pen.line((self.left, self.y, self.right, self.y), rule)
                self.y += 2
        self.values["items"] = rows
        self.y += self.em // 2

    def _columns(self, keys: tuple[str, ...]) -> dict[str, tuple[int, bool]]:
        """Where each column's words begin, or end (True)."""
        places: dict[str, tuple[int, bool]] = {}
        x = self.right
        if self.reverse:
            x = self.left
            for key in reversed(keys[1:]):
                x += round(self.em * (4.4 if key != "quantity" else 2.4))
                places[key] = (x, True)
                x += self.em // 2
            return {**places, keys[0]: (x + self.em // 2, False)}
        for key in reversed(keys[1:]):
            places[key] = (x, True)
            x -= round(self.em * (5.2 if key != "quantity" else 3))
        return {**places, keys[0]: (self.left, False)}

    def _row(
        self, sold: tuple[str, int], keys: tuple[str, ...], places: dict[str, tuple[int, bool]]
    ) -> dict[str, Leaf]:
        pieces = number(self.rng, 1, 9) if "quantity" in keys else 1
        name, cost = sold
        self.sum += pieces * cost
        start, ends = places["description"][0], [x for x, end in places.values() if end]
        room = self.right - start if self.reverse else min(ends) - start - round(self.em * 4)
        written = {
            "description": self._short(
                (name, name.split(",")[0], name.split(" ")[0]), self.face, room / (self.right - self.left)
            ),
            "quantity": str(pieces),
            "unit_price": self.country.money(cost, sign=False),
            "amount": self.country.money(pieces * cost, sign=False),
        }
        row: dict[str, Leaf] = {}
        for key in keys:
            x, end = places[key]
            value = pieces if key == "quantity" else written[key]
            row[key] = Leaf(value, self.text(written[key], x, self.face, end=end))
        return row

    def totals(self) -> None:
        """Subtotal, discount and tax when harder, the total, and where to pay."""
        total = self.sum
        if chance(self.rng, 0.2 + 0.6 * self.hard) and self.room(5):
            self._amount("subtotal", "Subtotal", total, self.face)
            if chance(self.rng, 0.4):
                rate = pick(self.rng, (5, 10, 20))
                self._amount("discount", f"Discount {rate}%", -round(total * rate / 100), self.face)
                total -= round(total * rate / 100)
            label, rate = self.country.tax(self.rng)
            tax = round(total * rate / 100)
            self._amount("tax", f"{label} {rate}%", tax, self.face)
            total += tax
        self._amount("total", pick(self.rng, ("Total", "TOTAL", "Amount due", "Total due")), total, self.bold)
        if chance(self.rng, 0.2 + 0.5 * self.hard) and self.room(2):
            account = " ".join(str(number(self.rng, 1000, 9999)) for _ in range(3))
            self.y += self.em // 2
            self.text("Account", self.left, self.face)
            across = round(self.face.width("Account")) + self.em
            self.values["account"] = Leaf(account, self.text(account, self.left + across, self.face))
            self.y += self.face.step

    def _amount(self, key: str, label: str, units: int, face: Face) -> None:
        if not self.room():
            return
        value = self.country.money(units) if units >= 0 else f"-{self.country.money(-units)}"
        both = round(face.width(label) + face.width(value)) + 2 * self.em
        start = self.left if self.reverse else max(self.left, self.right - max(both, 11 * self.em))
        end = min(self.right, start + max(both, 11 * self.em))
        self.text(label, start, face)
        self.values[key] = Leaf(value, self.text(value, end, face, end=True))
        self.y += face.step
