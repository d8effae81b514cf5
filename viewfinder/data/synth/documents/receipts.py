"""The kind "receipts": a till's slip with its values."""

from typing import Any

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.countries import draw_country, draw_trade, write_date
from viewfinder.data.synth.documents.lettering import Column, Face, Faces, draw_faces, set_line
from viewfinder.data.synth.documents.sheet import Sheet
from viewfinder.data.synth.documents.values import Leaf, ValuePage, page_sample
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.shapes import PixelRectangle

TOTALS = ("TOTAL", "Total", "Total due", "AMOUNT")
_SPOKEN = {"company": "name of the shop", "phone": "phone number", "cash": "cash paid", "card": "card number"}
_THANKS = ("Thank you!", "Thanks!", "See you soon", "Have a nice day")


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A slip and one or two questions about it."""
    return page_sample(rng, options, draw_receipt(rng, options), most=7)


def draw_receipt(rng: np.random.Generator, options: Options) -> ValuePage:
    """A slip of a few to many items. The held-out layout has prices before names and the shop at the bottom."""
    hard = options.difficulty
    em = number(rng, 14 - round(5 * hard), 18 - round(6 * hard))
    slip = _Slip(rng, options, em)
    upside = options.split == "held_out"
    if not upside:
        slip.shop()
    slip.facts()
    slip.items(number(rng, 1, 2 + round(10 * hard)), price_first=upside)
    slip.totals()
    if upside:
        slip.shop()
    elif chance(rng, 0.4):
        slip.centered(pick(rng, _THANKS))
    return slip.finish()


class _Slip:
    """Lines going down a strip of paper that is cut off at the end."""

    def __init__(self, rng: np.random.Generator, options: Options, em: int) -> None:
        self.rng, self.hard = rng, options.difficulty
        least = min(round(10.5 * em), options.max_side)
        width = number(rng, least, max(least, min(options.max_side, 18 * em)))
        width = max(28, width // 28 * 28) if options.difficulty < 0.35 else width
        shade = number(rng, 236, 255)
        ink = number(rng, 0, 70)
        self.sheet = Sheet((width, options.max_side), (shade, shade, shade - number(rng, 0, 8)), (ink, ink, ink))
        margin = number(rng, 4, em)
        self.column = Column(margin, number(rng, 4, em), width - 2 * margin, options.max_side - 4)
        self.faces: Faces = draw_faces(rng, options.split, options.fonts)
        self.face = Face(self.faces.plain, em, self.sheet.ink, float(rng.uniform(1.1, 1.35)))
        self.bold = self.face.like(path=self.faces.bold)
        self.country = draw_country(rng)
        self.trade = draw_trade(rng, self.country, tills=True)
        self.signed = chance(rng, 0.5)
        self.values: dict[str, Any] = {}
        self.lines: list[str] = []
        self.whole = options.difficulty < 0.35
        self.sum = 0
        # what comes after the items must still fit
        self.reserve = 6 * self.face.step

    def room(self) -> bool:
        return self.column.room >= self.face.step

    def line(self, text: str, face: Face | None = None) -> PixelRectangle | None:
        """One line that fits the width, or nothing."""
        face = face or self.face
        if face.width(text) > self.column.width or not self.room():
            return None
        box = set_line(self.sheet, text, face, self.column.x, self.column.y, self.column.width)
        self.column.y += face.step
        self.lines.append(text)
        return box

    def centered(self, text: str, face: Face | None = None) -> PixelRectangle | None:
        return self.line(text, (face or self.face).like(align="center"))

    def pair(self, left: str, right: str, face: Face | None = None) -> tuple[PixelRectangle, PixelRectangle] | None:
        """Words at both sides of one line; None (nothing drawn) when they do not fit."""
        face = face or self.face
        if face.width(left) + face.width(right) + face.size > self.column.width or not self.room():
            return None
        first = set_line(self.sheet, left, face, self.column.x, self.column.y)
        second = set_line(self.sheet, right, face.like(align="right"), self.column.x, self.column.y, self.column.width)
        self.column.y += face.step
        self.lines.append(f"{left} {right}")
        assert first is not None
        assert second is not None
        return first, second

    def keep(self, key: str, value: str | int, box: PixelRectangle | None) -> None:
        if box is not None:
            self.values[key] = Leaf(value, box)

    def gap(self) -> None:
        """A rule, dashes, or nothing between parts."""
        kind = pick(self.rng, ("rule", "dashes", "none"))
        y = self.column.y + 3
        if kind == "rule":
            self.sheet.pen.line((self.column.x, y, self.column.x + self.column.width, y), self.sheet.ink)
        elif kind == "dashes":
            for x in range(self.column.x, self.column.x + self.column.width, 6):
                self.sheet.pen.line((x, y, x + 3, y), self.sheet.ink)
        self.column.y += 7

    def shop(self) -> None:
        name = self.trade.name
        big = self.bold.like(size=round(self.bold.size * float(self.rng.uniform(1.0, 1.35))))
        self.keep("company", name, self.centered(name, big))
        if chance(self.rng, 0.35 + 0.5 * self.hard):
            address = self.country.street(self.rng)
            self.keep("address", address, self.centered(address))
        if chance(self.rng, 0.6 * self.hard):
            where = self.country.city(self.rng)
            self.keep("city", where, self.centered(where))
        if chance(self.rng, 0.6 * self.hard):
            call = self.country.phone(self.rng)
            self.keep("phone", call, self.centered(call))

    def facts(self) -> None:
        style = self.country.date_style(self.rng)
        day = write_date(style, number(self.rng, 1, 28), number(self.rng, 1, 12), number(self.rng, 2014, 2026))
        clock = f"{number(self.rng, 7, 21)}:{number(self.rng, 0, 59):02d}"
        if chance(self.rng, 0.4 + 0.4 * self.hard) and (boxes := self.pair(day, clock)):
            self.keep("date", day, boxes[0])
            self.keep("time", clock, boxes[1])
        elif chance(self.rng, 0.8):
            self.keep("date", day, self.line(day))
        if chance(self.rng, 0.25 + 0.4 * self.hard):
            number_ = str(number(self.rng, 100, 99999))
            label = pick(self.rng, ("No.", "Receipt", "Order", "Ticket"))
            if boxes := self.pair(label, number_):
                self.keep("receipt_number", number_, boxes[1])
        self.gap()

    def items(self, count: int, price_first: bool) -> None:
        rows: list[dict[str, Leaf]] = []
        for name, cost in self.trade.order(self.rng)[:count]:
            if self.column.room < self.reserve + self.face.step:
                break
            price = self.country.money(cost, self.signed)
            boxes = self.pair(price, name) if price_first else self.pair(name, price)
            if boxes is None:
                continue
            if price_first:
                boxes = boxes[::-1]
            self.sum += cost
            rows.append({"name": Leaf(name, boxes[0]), "price": Leaf(price, boxes[1])})
        if rows:
            self.values["items"] = rows
        self.gap()

    def totals(self) -> None:
        rng = self.rng
        total = self.sum or self.trade.order(rng)[0][1]
        if chance(rng, 0.25 + 0.5 * self.hard):
            label, rate = self.country.tax(rng)
            tax = round(total * rate / 100)
            self._amount("subtotal", "Subtotal", total, self.face)
            self._amount("tax", f"{label} {rate}%" if chance(rng, 0.5) else label, tax, self.face)
            total += tax if "tax" in self.values else 0
        self._amount("total", pick(rng, TOTALS), total, self.bold)
        if chance(rng, 0.25 + 0.4 * self.hard):
            note = max(500, 10 ** (len(str(total)) - 1))  # the next five dollars, a thousand yen
            paid = -(-total // note) * note
            self._amount("cash", "Cash", paid, self.face)
            if "cash" in self.values:
                self._amount("change", "Change", paid - total, self.face)
        elif chance(rng, 0.2):
            card = f"**** {number(rng, 1000, 9999)}"
            if boxes := self.pair("Card", card):
                self.keep("card", card, boxes[1])

    def _amount(self, key: str, label: str, units: int, face: Face) -> None:
        for text in (self.country.money(units), self.country.money(units, sign=False)):
            if boxes := self.pair(label, text, face):
                self.keep(key, text, boxes[1])
                return

    def finish(self) -> ValuePage:
        image = self.sheet.cut_below(self.column.y + 5, self.whole)
        known = ("company", "address", "date", "time", "phone", "tax", "total", "cash", "change", "card")
        absent = tuple(key for key in known if key not in self.values)
        return ValuePage(image, self.values, absent, _SPOKEN, self.lines)
