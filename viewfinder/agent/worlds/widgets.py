"""What an application shows: a tree of widgets, the same for every renderer.

    column(text("Inbox", "title"), item("mail 0", "Ann", "Lunch?"), row(button("write", "Write")))

Ids name what can be acted on; the rest has "". Knows neither pixels nor colors.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["column", "row", "text", "button", "field", "check", "choice", "item", "canvas", "gap"]
Shape = tuple[str, tuple[float, ...], str]
"""("circle" | "line" | "box" | "text", numbers in 0..1 of the canvas, color or words)."""


@dataclass(frozen=True)
class Widget:
    """One node.

    Attributes:
        kind: what it is.
        id: name for acting on it.
        text: its words; of a field, the label.
        detail: second line of an item.
        value: what a field or choice holds.
        on: whether a check is set.
        options: of a choice.
        style: "title", "small", "menu", "main" (the button most used), "secret" (a field), "picked" (an item).
        shapes: of a canvas.
        children: of a row or column.
    """

    kind: Kind
    id: str = ""
    text: str = ""
    detail: str = ""
    value: str = ""
    on: bool = False
    options: tuple[str, ...] = ()
    style: str = ""
    shapes: tuple[Shape, ...] = ()
    children: tuple["Widget", ...] = ()

    @property
    def acts(self) -> bool:
        """Whether it answers to a click."""
        return bool(self.id) and self.kind in ("button", "field", "check", "choice", "item", "canvas")

    def walk(self) -> Iterator["Widget"]:
        """It and everything in it, top to bottom."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, id: str) -> "Widget | None":
        """The widget of a name."""
        return next((widget for widget in self.walk() if widget.id == id), None)


def column(*children: Widget) -> Widget:
    return Widget("column", children=children)


def row(*children: Widget, style: str = "") -> Widget:
    return Widget("row", children=children, style=style)


def text(words: str, style: str = "") -> Widget:
    return Widget("text", text=words, style=style)


def button(id: str, words: str, style: str = "") -> Widget:
    return Widget("button", id, words, style=style)


def field(id: str, label: str, value: str = "", style: str = "") -> Widget:
    return Widget("field", id, label, value=value, style=style)


def check(id: str, label: str, on: bool) -> Widget:
    return Widget("check", id, label, on=on)


def choice(id: str, label: str, value: str, options: tuple[str, ...]) -> Widget:
    return Widget("choice", id, label, value=value, options=options)


def item(id: str, words: str, detail: str = "", style: str = "") -> Widget:
    return Widget("item", id, words, detail, style=style)


def canvas(id: str, shapes: tuple[Shape, ...]) -> Widget:
    return Widget("canvas", id, shapes=shapes)


def menu_last(view: Widget) -> Widget:
    """The same with the menu row at the bottom, as on phones."""
    menus = tuple(child for child in view.children if child.style == "menu")
    rest = tuple(child for child in view.children if child.style != "menu")
    return replace(view, children=rest + menus)
