"""Widgets: how each looks in a theme, where it is, what it is called, in which state, and where to press it."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.documents.lettering import Face, set_line
from viewfinder.data.synth.documents.sheet import Color, Sheet, blend, union
from viewfinder.data.synth.kinds import Split
from viewfinder.data.synth.screens.icons import draw_icon
from viewfinder.data.synth.shapes import PixelRectangle

Role = Literal[
    "button", "text field", "checkbox", "radio button", "switch", "dropdown", "slider", "link", "tab", "icon", "row"
]


@dataclass(frozen=True)
class Widget:
    """One thing to press or to fill.

    Attributes:
        role, name: "button", "Save".
        box: all that belongs to it, pixels of the screen.
        press: where a finger or the mouse goes.
        value: what is in it or chosen; "" for nothing.
        checked: of what can be on or off, else None.
        focused: the cursor stands in it.
    """

    role: Role
    name: str
    box: PixelRectangle
    press: tuple[float, float]
    value: str = ""
    checked: bool | None = None
    focused: bool = False

    @property
    def called(self) -> str:
        """As people call it: `the Save button`."""
        return f"{self.name} {self.role}"


@dataclass(frozen=True)
class Theme:
    """Colors and corners of an interface. `bevel` draws raised edges, `radius` rounds corners, pixels."""

    name: str
    back: Color
    surface: Color
    ink: Color
    accent: Color
    line: Color
    radius: int = 0
    bevel: bool = False

    @property
    def on_accent(self) -> Color:
        r, g, b = self.accent
        return (255, 255, 255) if 0.3 * r + 0.59 * g + 0.11 * b < 150 else (0, 0, 0)


THEMES = (
    Theme("flat", (246, 247, 249), (255, 255, 255), (30, 30, 36), (25, 105, 210), (190, 194, 200), 4),
    Theme("dark", (28, 29, 33), (44, 46, 52), (235, 235, 240), (90, 150, 250), (95, 98, 106), 6),
    Theme("classic", (198, 198, 198), (255, 255, 255), (0, 0, 0), (0, 0, 128), (110, 110, 110), 0, True),
    Theme("soft", (255, 255, 255), (240, 240, 246), (50, 45, 60), (120, 70, 190), (205, 203, 215), 9),
    Theme("plain", (255, 255, 255), (255, 255, 255), (20, 20, 20), (60, 60, 60), (150, 150, 150), 2),
)
HELD_OUT_THEMES = (
    Theme("paper", (250, 244, 230), (255, 252, 242), (70, 50, 30), (170, 70, 30), (190, 170, 140), 1),
    Theme("night", (0, 0, 0), (18, 18, 18), (255, 255, 255), (255, 210, 0), (200, 200, 200), 12),
)
_ACCENTS: tuple[Color, ...] = (
    (25, 105, 210),
    (20, 130, 80),
    (200, 60, 50),
    (120, 70, 190),
    (210, 120, 0),
    (0, 130, 150),
)


def draw_theme(rng: np.random.Generator, split: Split) -> Theme:
    theme = pick(rng, THEMES if split == "train" else HELD_OUT_THEMES)
    if split == "train" and not theme.bevel and chance(rng, 0.6):
        theme = replace(theme, accent=pick(rng, _ACCENTS))
    return theme


@dataclass(frozen=True)
class Kit:
    """Draws widgets of one theme on a sheet, letters of one face."""

    sheet: Sheet
    theme: Theme
    face: Face

    @property
    def high(self) -> int:
        """Height of a control."""
        return self.face.step + 8

    def width(self, words: str) -> int:
        return round(self.face.width(words))

    def label(
        self, words: str, x: int, y: int, high: int, color: Color | None = None, ground: Color | None = None
    ) -> PixelRectangle:
        """Words in the middle of a height; the box of their ink."""
        face = self.face.like(color=color or self.theme.ink)
        box = set_line(self.sheet, words, face, x, y + (high - face.step) // 2, None, ground)
        return box or (x, y, x + 1, y + high)

    def panel(self, box: PixelRectangle, fill: Color, line: Color | None, radius: int | None = None) -> None:
        """A filled rectangle; `box` ends outside its last pixels."""
        x1, y1, x2, y2 = box
        radius = self.theme.radius if radius is None else radius
        self.sheet.pen.rounded_rectangle((x1, y1, x2 - 1, y2 - 1), radius, fill=fill, outline=line)

    def button(self, words: str, x: int, y: int, width: int, primary: bool) -> Widget:
        theme, box = self.theme, (x, y, x + width, y + self.high)
        fill = theme.accent if primary and not theme.bevel else blend(theme.back, theme.ink, 0.08)
        self.panel(box, fill, None if primary and not theme.bevel else theme.line)
        if theme.bevel:
            self._bevel(box, up=True)
        color = theme.on_accent if fill == theme.accent else theme.ink
        self.label(words, x + (width - self.width(words)) // 2, y, self.high, color, fill)
        return Widget("button", words, box, _middle(box))

    def _bevel(self, box: PixelRectangle, up: bool) -> None:
        x1, y1, x2, y2 = box[0], box[1], box[2] - 1, box[3] - 1
        light, dark = ((255, 255, 255), (80, 80, 80)) if up else ((80, 80, 80), (240, 240, 240))
        self.sheet.pen.line([(x1, y2), (x1, y1), (x2, y1)], light)
        self.sheet.pen.line([(x1, y2), (x2, y2), (x2, y1)], dark)

    def field(self, name: str, x: int, y: int, width: int, value: str, focused: bool) -> Widget:
        """A box for words; the cursor and a colored edge where it is focused."""
        theme, box = self.theme, (x, y, x + width, y + self.high)
        self.panel(box, theme.surface, theme.accent if focused else theme.line, min(theme.radius, 4))
        if focused:
            self.sheet.pen.rectangle((x + 1, y + 1, x + width - 2, y + self.high - 2), outline=theme.accent)
        if theme.bevel:
            self._bevel(box, up=False)
        end = x + 6
        if value:
            self.label(value, x + 6, y, self.high, theme.ink, theme.surface)
            end += self.width(value) + 2
        if focused:
            self.sheet.pen.line((end, y + 5, end, y + self.high - 6), theme.ink)
        return Widget("text field", name, box, _middle(box), value, None, focused)

    def dropdown(self, name: str, x: int, y: int, width: int, value: str) -> Widget:
        theme, box = self.theme, (x, y, x + width, y + self.high)
        self.panel(box, theme.surface, theme.line, min(theme.radius, 4))
        self.label(value, x + 6, y, self.high, theme.ink, theme.surface)
        middle, right = y + self.high // 2, x + width - 12
        self.sheet.pen.polygon([(right - 4, middle - 2), (right + 4, middle - 2), (right, middle + 3)], fill=theme.ink)
        return Widget("dropdown", name, box, _middle(box), value)

    def tick(self, role: Literal["checkbox", "radio button"], words: str, x: int, y: int, on: bool) -> Widget:
        """A box or ring before its words."""
        theme, side = self.theme, max(11, round(self.face.size * 0.9))
        top = y + (self.high - side) // 2
        mark = (x, top, x + side, top + side)
        if role == "checkbox":
            self.panel(
                mark, theme.accent if on else theme.surface, theme.accent if on else theme.line, min(theme.radius, 3)
            )
            if on:
                points = [(x + 2, top + side // 2), (x + side // 2 - 1, top + side - 4), (x + side - 3, top + 2)]
                self.sheet.pen.line(points, theme.on_accent, 2)
        else:
            inside = (x, top, x + side - 1, top + side - 1)
            self.sheet.pen.ellipse(inside, fill=theme.surface, outline=theme.accent if on else theme.line)
            if on:
                self.sheet.pen.ellipse((x + 3, top + 3, x + side - 4, top + side - 4), fill=theme.accent)
        box = union([mark, self.label(words, x + side + 6, y, self.high)])
        return Widget(role, words, box, _middle(mark), checked=on)

    def switch(self, words: str, x: int, y: int, width: int, on: bool) -> Widget:
        """Words at the left, the switch at the right; the box is the whole row."""
        theme, tall = self.theme, max(12, round(self.face.size * 0.95))
        wide = round(tall * 1.8)
        top, left = y + (self.high - tall) // 2, x + width - wide
        self.panel((left, top, left + wide, top + tall), theme.accent if on else theme.line, None, tall // 2)
        knob = left + wide - tall if on else left
        self.sheet.pen.ellipse((knob + 2, top + 2, knob + tall - 3, top + tall - 3), fill=(255, 255, 255))
        text = self.label(words, x, y, self.high)
        mark = (left, top, left + wide, top + tall)
        return Widget("switch", words, union([text, mark]), _middle(mark), checked=on)

    def slider(self, words: str, x: int, y: int, width: int, percent: int) -> Widget:
        """Words above a bar with a knob."""
        text = self.label(words, x, y, self.face.step)
        middle = y + self.face.step + 7
        knob = x + 5 + round((width - 10) * percent / 100)
        self.sheet.pen.rectangle((x, middle - 1, x + width - 1, middle + 1), fill=self.theme.line)
        self.sheet.pen.rectangle((x, middle - 1, knob, middle + 1), fill=self.theme.accent)
        self.sheet.pen.ellipse((knob - 5, middle - 5, knob + 5, middle + 5), fill=self.theme.accent)
        box = union([text, (x, middle - 5, x + width, middle + 6)])
        return Widget("slider", words, box, (knob + 0.5, middle + 0.5), f"{percent}%")

    def link(self, words: str, x: int, y: int) -> Widget:
        box = self.label(words, x, y, self.face.step, self.theme.accent)
        line = box[3] + 1
        self.sheet.pen.line((x, line, box[2] - 1, line), self.theme.accent)
        box = union([box, (x, line, box[2], line + 1)])
        return Widget("link", words, box, _middle(box))

    def icon(self, name: str, x: int, y: int, side: int, color: Color, ground: Color) -> Widget:
        draw_icon(self.sheet, name, x, y, side, color)
        box = self.sheet.ink_box((x, y, x + side, y + side), ground) or (x, y, x + side, y + side)
        return Widget("icon", name, box, _middle(box))

    def row(self, words: str, x: int, y: int, width: int) -> Widget:
        """A line of a list with an arrow at its end and a rule below."""
        high = self.high + 4
        self.label(words, x + 4, y, high)
        middle, right = y + high // 2, x + width - 8
        self.sheet.pen.line([(right - 4, middle - 4), (right, middle), (right - 4, middle + 4)], self.theme.line, 2)
        self.sheet.pen.line((x, y + high - 1, x + width - 1, y + high - 1), self.theme.line)
        box = (x, y, x + width, y + high)
        return Widget("row", words, box, _middle(box))

    def tabs(self, names: list[str], x: int, y: int, width: int, chosen: int) -> list[Widget]:
        """Names side by side, the chosen one underlined."""
        each = width // len(names)
        found: list[Widget] = []
        for i, words in enumerate(names):
            box = (x + i * each, y, x + (i + 1) * each, y + self.high)
            color = self.theme.accent if i == chosen else self.theme.ink
            self.label(words, box[0] + (each - self.width(words)) // 2, y, self.high - 2, color)
            if i == chosen:
                self.sheet.pen.rectangle((box[0] + 2, box[3] - 3, box[2] - 3, box[3] - 1), fill=self.theme.accent)
            found.append(Widget("tab", words, box, _middle(box), checked=i == chosen))
        return found


def _middle(box: PixelRectangle) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def shuffled_size(rng: np.random.Generator, difficulty: float) -> int:
    """Pixels per em of an interface's letters."""
    return number(rng, 14 - round(3 * difficulty), 16 - round(3 * difficulty))
