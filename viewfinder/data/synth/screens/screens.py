"""Screens: a window or a phone's page filled with widgets from top to bottom, and all that is known of them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from viewfinder.data.synth.choose import chance, number, pick, some
from viewfinder.data.synth.countries import any_firm, any_ware, draw_country
from viewfinder.data.synth.documents.lettering import Column, Face, draw_faces
from viewfinder.data.synth.documents.sheet import Sheet, blend
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.screens.icons import ICONS
from viewfinder.data.synth.screens.names import BUTTONS, CHOICES, FIELDS, LINKS, LISTS, OTHERS, SETTINGS, TITLES
from viewfinder.data.synth.screens.widgets import Kit, Widget, draw_theme, shuffled_size
from viewfinder.data.synth.topics import Story
from viewfinder.media.transform import Transform


@dataclass(frozen=True)
class Screen:
    """A picture of a screen, what kind of device it is, its title, and its widgets from top to bottom."""

    image: Image.Image
    device: Literal["mobile", "computer"]
    title: str
    widgets: tuple[Widget, ...]

    @property
    def frame(self) -> Transform:
        return Transform.identity(self.image.size)

    def alone(self) -> list[Widget]:
        """Widgets whose way of being called fits no other."""
        names = [w.called for w in self.widgets]
        return [w for w in self.widgets if names.count(w.called) == 1]


def draw_screen(rng: np.random.Generator, options: Options) -> Screen:
    """A window of a computer or a phone's page."""
    mobile = chance(rng, 0.5)
    size = _size(rng, options, mobile)
    theme = draw_theme(rng, options.split)
    sheet = Sheet(size, theme.back, theme.ink, theme.accent)
    faces = draw_faces(rng, options.split, options.fonts)
    em = shuffled_size(rng, options.difficulty)
    kit = Kit(sheet, theme, Face(faces.plain, em, theme.ink, 1.15))
    builder = _ScreenBuilder(rng, kit, options, Column(8, 0, size[0] - 16, size[1] - 4))
    title = pick(rng, TITLES if chance(rng, 0.8) else OTHERS)
    builder.bar(title, mobile)
    if mobile and chance(rng, 0.4) and size[1] > 180:
        builder.navigation()
    most = number(rng, 2, 5 + round(10 * options.difficulty))
    builder.fill(most, mobile)
    widgets = sorted(builder.widgets, key=lambda w: (w.box[1], w.box[0]))
    return Screen(sheet.image, "mobile" if mobile else "computer", title, tuple(widgets))


def _size(rng: np.random.Generator, options: Options, mobile: bool) -> tuple[int, int]:
    """Phones are upright, windows wide."""
    long = number(rng, min(max(196, options.min_side), options.max_side), options.max_side)
    short = max(min(168, options.max_side), round(long * float(rng.uniform(0.55, 0.9))))
    if options.difficulty < 0.35:
        long, short = long // 28 * 28, short // 28 * 28
    return (short, long) if mobile else (long, short)


class _ScreenBuilder:
    """Puts widgets down a screen; every name is used once for each role."""

    def __init__(self, rng: np.random.Generator, kit: Kit, options: Options, column: Column) -> None:
        self.rng, self.kit, self.options, self.column = rng, kit, options, column
        self.widgets: list[Widget] = []
        self.used: set[str] = set()
        self.focus_left = chance(rng, 0.7)

    def name(self, pool: tuple[str, ...]) -> str | None:
        """An unused name; sometimes one that cannot be guessed from the role."""
        free = [n for n in pool if n not in self.used]
        name = pick(self.rng, OTHERS if chance(self.rng, 0.15) else free or ("",))
        if not name or name in self.used:
            return None
        self.used.add(name)
        return name

    def bar(self, title: str, mobile: bool) -> None:
        """A colored bar with the title; a phone's has icons, a window's a cross."""
        kit, theme, width = self.kit, self.kit.theme, self.kit.sheet.size[0]
        high = kit.high + (6 if mobile else 0)
        colored = chance(self.rng, 0.7)
        fill = theme.accent if colored else blend(theme.back, theme.ink, 0.1)
        ink = theme.on_accent if colored else theme.ink
        kit.sheet.pen.rectangle((0, 0, width, high), fill=fill)
        side = kit.face.size
        top, x = (high - side) // 2, 8
        if mobile and chance(self.rng, 0.6):
            name = pick(self.rng, ("back", "menu"))
            self.widgets.append(kit.icon(name, x, top, side, ink, fill))
            x += side + 10
        right = width - 8 - side
        name = pick(self.rng, ("search", "more", "add", "delete", "notifications")) if mobile else "close"
        if chance(self.rng, 0.8):
            self.widgets.append(kit.icon(name, right, top, side, ink, fill))
        if kit.width(title) < right - x - 6:
            kit.label(title, x, 0, high, ink, fill)
        self.column.y = high + number(self.rng, 6, 10)

    def navigation(self) -> None:
        """Icons in a row at the bottom of a phone."""
        kit, (width, height) = self.kit, self.kit.sheet.size
        side = kit.face.size + 4
        high = side + 12
        fill = blend(kit.theme.back, kit.theme.ink, 0.06)
        kit.sheet.pen.rectangle((0, height - high, width, height), fill=fill)
        names = some(self.rng, [n for n in ICONS if all(w.name != n for w in self.widgets)], number(self.rng, 3, 4))
        for i, name in enumerate(names):
            x = round(width * (i + 0.5) / len(names) - side / 2)
            color = kit.theme.accent if i == 0 else blend(kit.theme.back, kit.theme.ink, 0.8)
            self.widgets.append(kit.icon(name, x, height - high + 6, side, color, fill))
        self.column.bottom = height - high - 4

    def fill(self, most: int, mobile: bool) -> None:
        """Rows of widgets until there are enough or no room is left."""
        rows = [
            self.field,
            self.field,
            self.tick,
            self.switch,
            self.dropdown,
            self.slider,
            self.link,
            self.radio,
            self.buttons,
        ]
        rows += [self.row, self.row, self.switch] if mobile else [self.tick, self.field]
        if chance(self.rng, 0.2):
            self.tabs()
        before = len(self.widgets)
        for _ in range(4 * most):
            if len(self.widgets) - before >= most or self.column.room < self.kit.high:
                break
            if pick(self.rng, rows)():
                self.column.y += number(self.rng, 4, 9)
        if len(self.widgets) - before < most and self.column.room >= self.kit.high:
            self.buttons()

    def step(self, high: int) -> None:
        self.column.y += high

    def field(self) -> bool:
        """A label above or before a field, empty, filled, or with the cursor in it."""
        kit, column = self.kit, self.column
        name = self.name(FIELDS)
        beside = name is not None and kit.width(name) < column.width * 0.35
        if name is None or column.room < kit.high + (0 if beside else kit.face.step):
            return False
        x = column.x
        kit.label(name, x, column.y, kit.high if beside else kit.face.step)
        if beside:
            x += round(column.width * 0.38)
        else:
            self.step(kit.face.step + 2)
        width = column.x + column.width - x
        focused = self.focus_left and chance(self.rng, 0.6)
        value = self.words(name) if chance(self.rng, 0.15 if focused else 0.4) else ""
        if kit.width(value) > width - 12:
            value = ""
        self.focus_left = self.focus_left and not focused
        self.widgets.append(kit.field(name, x, column.y, width, value, focused))
        self.step(kit.high)
        return True

    def words(self, name: str) -> str:
        """What a user may have typed into a field of that name."""
        country = draw_country(self.rng)
        if name == "Company":
            return any_firm(self.rng, country)
        user = country.person(self.rng)
        known = {"Name": user.name, "Email": user.email, "City": country.town(self.rng), "Phone": user.phone}
        story = Story(self.rng)
        known |= {"User": user.email.split("@")[0], "Title": story.head(), "Message": story.item()}
        known["Code"] = str(number(self.rng, 1000, 99999))
        return known.get(name) or any_ware(self.rng)

    def radio(self) -> bool:
        """Two or three choices of which one is on."""
        kit, column = self.kit, self.column
        head = pick(self.rng, sorted(CHOICES))
        if head in self.used or column.room < 2 * kit.high:
            return False
        self.used.add(head)
        chosen = number(self.rng, 0, 1)
        for i, words in enumerate(CHOICES[head][: min(3, column.room // kit.high)]):
            self.widgets.append(kit.tick("radio button", words, column.x, column.y, i == chosen))
            self.step(kit.high)
        return True

    def tick(self) -> bool:
        name = self.name(SETTINGS)
        if name is None or self.column.room < self.kit.high or self.kit.width(name) > self.column.width - 24:
            return False
        self.widgets.append(self.kit.tick("checkbox", name, self.column.x, self.column.y, chance(self.rng, 0.5)))
        self.step(self.kit.high)
        return True

    def switch(self) -> bool:
        name = self.name(SETTINGS)
        if name is None or self.column.room < self.kit.high or self.kit.width(name) > self.column.width - 40:
            return False
        column = self.column
        self.widgets.append(self.kit.switch(name, column.x, column.y, column.width, chance(self.rng, 0.5)))
        self.step(self.kit.high)
        return True

    def dropdown(self) -> bool:
        kit, column = self.kit, self.column
        name = pick(self.rng, sorted(CHOICES))
        if name in self.used or column.room < kit.high + kit.face.step:
            return False
        self.used.add(name)
        kit.label(name, column.x, column.y, kit.face.step)
        self.step(kit.face.step + 2)
        width = min(column.width, 30 + max(kit.width(c) for c in CHOICES[name]) + number(self.rng, 10, 60))
        self.widgets.append(kit.dropdown(name, column.x, column.y, width, pick(self.rng, CHOICES[name])))
        self.step(kit.high)
        return True

    def slider(self) -> bool:
        name = self.name(("Volume", "Brightness", "Speed", "Zoom", "Bass"))
        if name is None or self.column.room < self.kit.face.step + 14:
            return False
        column = self.column
        self.widgets.append(self.kit.slider(name, column.x, column.y, column.width, 5 * number(self.rng, 0, 20)))
        self.step(self.kit.face.step + 14)
        return True

    def link(self) -> bool:
        name = self.name(LINKS)
        if name is None or self.column.room < self.kit.high or self.kit.width(name) > self.column.width:
            return False
        self.widgets.append(self.kit.link(name, self.column.x, self.column.y))
        self.step(self.kit.face.step + 2)
        return True

    def row(self) -> bool:
        name = self.name(LISTS)
        if name is None or self.column.room < self.kit.high + 4 or self.kit.width(name) > self.column.width - 24:
            return False
        self.widgets.append(self.kit.row(name, self.column.x, self.column.y, self.column.width))
        self.step(self.kit.high + 4)
        return True

    def buttons(self) -> bool:
        """One to three buttons side by side, the first or last of them colored."""
        kit, column = self.kit, self.column
        if column.room < kit.high:
            return False
        names = [n for n in (self.name(BUTTONS) for _ in range(number(self.rng, 1, 3))) if n]
        wide = [kit.width(n) + number(self.rng, 14, 26) for n in names]
        while names and sum(wide) + 6 * (len(wide) - 1) > column.width:
            self.used.discard(names.pop())
            wide.pop()
        if not names:
            return False
        x = column.x if chance(self.rng, 0.6) else column.x + column.width - sum(wide) - 6 * (len(wide) - 1)
        primary = pick(self.rng, (0, len(names) - 1, -1))
        for i, (words, width) in enumerate(zip(names, wide, strict=True)):
            self.widgets.append(kit.button(words, x, column.y, width, i == primary))
            x += width + 6
        self.step(kit.high)
        return True

    def tabs(self) -> None:
        kit, column = self.kit, self.column
        names = [
            n for n in (self.name(("General", "Privacy", "Files", "Home", "News", "Chats")) for _ in range(3)) if n
        ]
        if len(names) < 2 or max(map(kit.width, names)) > column.width // len(names) - 8 or column.room < 3 * kit.high:
            return
        chosen = number(self.rng, 0, len(names) - 1)
        self.widgets += kit.tabs(names, column.x, column.y, column.width, chosen)
        self.step(kit.high + 6)
