"""Small icons of one color that interfaces share, drawn from lines and arcs; each has the name people call it by."""

from collections.abc import Callable

from PIL import Image, ImageDraw

from viewfinder.data.synth.documents.sheet import Color, Sheet

Pen = ImageDraw.ImageDraw
_Draw = Callable[[Pen, float, int], None]
"""Draws into the square 0..side with a line width."""


def draw_icon(sheet: Sheet, name: str, x: int, y: int, side: int, color: Color) -> None:
    """Draw an icon into the square at x, y."""
    big = Image.new("L", (side * 3, side * 3), 0)
    ICONS[name](ImageDraw.Draw(big), side * 3.0, max(3, side // 3))
    small = big.reduce(3)
    sheet.image.paste(color, (x, y, x + small.width, y + small.height), small)


def _home(pen: Pen, s: float, w: int) -> None:
    pen.polygon([(s * 0.5, s * 0.08), (s * 0.95, s * 0.5), (s * 0.05, s * 0.5)], fill=255)
    pen.rectangle((s * 0.2, s * 0.45, s * 0.8, s * 0.92), fill=255)
    pen.rectangle((s * 0.42, s * 0.62, s * 0.58, s * 0.92), fill=0)


def _search(pen: Pen, s: float, w: int) -> None:
    pen.ellipse((s * 0.1, s * 0.1, s * 0.66, s * 0.66), outline=255, width=w)
    pen.line((s * 0.58, s * 0.58, s * 0.92, s * 0.92), 255, w)


def _menu(pen: Pen, s: float, w: int) -> None:
    for at in (0.2, 0.5, 0.8):
        pen.line((s * 0.08, s * at, s * 0.92, s * at), 255, w)


def _back(pen: Pen, s: float, w: int) -> None:
    pen.line([(s * 0.5, s * 0.12), (s * 0.12, s * 0.5), (s * 0.5, s * 0.88)], 255, w)
    pen.line((s * 0.14, s * 0.5, s * 0.92, s * 0.5), 255, w)


def _plus(pen: Pen, s: float, w: int) -> None:
    pen.line((s * 0.5, s * 0.08, s * 0.5, s * 0.92), 255, w)
    pen.line((s * 0.08, s * 0.5, s * 0.92, s * 0.5), 255, w)


def _close(pen: Pen, s: float, w: int) -> None:
    pen.line((s * 0.14, s * 0.14, s * 0.86, s * 0.86), 255, w)
    pen.line((s * 0.14, s * 0.86, s * 0.86, s * 0.14), 255, w)


def _heart(pen: Pen, s: float, w: int) -> None:
    pen.ellipse((s * 0.06, s * 0.14, s * 0.52, s * 0.58), fill=255)
    pen.ellipse((s * 0.48, s * 0.14, s * 0.94, s * 0.58), fill=255)
    pen.polygon([(s * 0.1, s * 0.48), (s * 0.9, s * 0.48), (s * 0.5, s * 0.92)], fill=255)


def _bell(pen: Pen, s: float, w: int) -> None:
    pen.pieslice((s * 0.2, s * 0.1, s * 0.8, s * 0.8), 180, 360, fill=255)
    pen.rectangle((s * 0.2, s * 0.44, s * 0.8, s * 0.7), fill=255)
    pen.line((s * 0.08, s * 0.72, s * 0.92, s * 0.72), 255, w)
    pen.ellipse((s * 0.42, s * 0.78, s * 0.58, s * 0.94), fill=255)


def _trash(pen: Pen, s: float, w: int) -> None:
    pen.line((s * 0.1, s * 0.22, s * 0.9, s * 0.22), 255, w)
    pen.rectangle((s * 0.38, s * 0.08, s * 0.62, s * 0.2), fill=255)
    pen.polygon([(s * 0.2, s * 0.34), (s * 0.8, s * 0.34), (s * 0.72, s * 0.94), (s * 0.28, s * 0.94)], fill=255)


def _person(pen: Pen, s: float, w: int) -> None:
    pen.ellipse((s * 0.32, s * 0.08, s * 0.68, s * 0.44), fill=255)
    pen.pieslice((s * 0.12, s * 0.52, s * 0.88, s * 1.3), 180, 360, fill=255)


def _play(pen: Pen, s: float, w: int) -> None:
    pen.polygon([(s * 0.2, s * 0.1), (s * 0.9, s * 0.5), (s * 0.2, s * 0.9)], fill=255)


def _mail(pen: Pen, s: float, w: int) -> None:
    pen.rectangle((s * 0.06, s * 0.2, s * 0.94, s * 0.8), outline=255, width=w)
    pen.line([(s * 0.08, s * 0.24), (s * 0.5, s * 0.56), (s * 0.92, s * 0.24)], 255, w)


def _clock(pen: Pen, s: float, w: int) -> None:
    pen.ellipse((s * 0.08, s * 0.08, s * 0.92, s * 0.92), outline=255, width=w)
    pen.line([(s * 0.5, s * 0.24), (s * 0.5, s * 0.52), (s * 0.7, s * 0.62)], 255, w)


def _more(pen: Pen, s: float, w: int) -> None:
    for at in (0.2, 0.5, 0.8):
        pen.ellipse((s * 0.4, s * (at - 0.1), s * 0.6, s * (at + 0.1)), fill=255)


def _download(pen: Pen, s: float, w: int) -> None:
    pen.line((s * 0.5, s * 0.08, s * 0.5, s * 0.62), 255, w)
    pen.line([(s * 0.24, s * 0.4), (s * 0.5, s * 0.66), (s * 0.76, s * 0.4)], 255, w)
    pen.line((s * 0.1, s * 0.9, s * 0.9, s * 0.9), 255, w)


ICONS: dict[str, _Draw] = {
    "home": _home,
    "search": _search,
    "menu": _menu,
    "back": _back,
    "add": _plus,
    "close": _close,
    "favorites": _heart,
    "notifications": _bell,
    "delete": _trash,
    "profile": _person,
    "play": _play,
    "mail": _mail,
    "history": _clock,
    "more": _more,
    "download": _download,
}
