"""What a browser shows outside the page, drawn onto the picture so that it can be seen and clicked.

A screenshot holds neither a script's dialog nor an open list of a `<select>` nor tabs and address: they belong
to the browser's own window. Here they are drawn, with boxes for every part. Sizes are in CSS pixels times
`scale`; boxes are in pixels of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

from viewfinder.media.transform import Box
from viewfinder.outputs.lettering import wrap

BAR_HEIGHT = 56
"""Of tabs and address together, CSS pixels."""
_ROW = 24
_MOST_ROWS = 10


@dataclass(frozen=True)
class Part:
    """Something to click on: `action` is its name for the environment."""

    box: Box
    action: str
    label: str

    def holds(self, xy: tuple[float, float]) -> bool:
        return self.box[0] <= xy[0] < self.box[2] and self.box[1] <= xy[1] < self.box[3]


@dataclass
class DialogBox:
    """alert, confirm, prompt or beforeunload; modal.

    Attributes:
        kind: as the browser names it.
        message: the page's words.
        text: what is in the field of a prompt.
    """

    kind: str
    message: str
    text: str = ""

    def draw(self, image: Image.Image, scale: float) -> list[Part]:
        """Onto `image`, darkened; gives the parts."""
        pen, font = ImageDraw.Draw(image, "RGBA"), _font(scale)
        pen.rectangle((0, 0, *image.size), fill=(0, 0, 0, 90))
        width = min(image.width - 8 * scale, 380 * scale)
        lines = wrap(self.message, font, width - 32 * scale)[:8]
        has_field = self.kind == "prompt"
        height = (76 + 18 * len(lines) + (34 if has_field else 0)) * scale
        left, top = (image.width - width) / 2, max(2.0, (image.height - height) / 4)
        pen.rounded_rectangle((left, top, left + width, top + height), 6 * scale, fill="white", outline=(120, 120, 120))
        y = top + 16 * scale
        for line in lines:
            pen.text((left + 16 * scale, y), line, fill=(30, 30, 30), font=font)
            y += 18 * scale
        parts: list[Part] = []
        if has_field:
            field_box = (left + 16 * scale, y + 4 * scale, left + width - 16 * scale, y + 30 * scale)
            pen.rectangle(field_box, outline=(60, 120, 220), width=max(1, round(scale)))
            pen.text((field_box[0] + 5 * scale, field_box[1] + 4 * scale), self.text, fill=(30, 30, 30), font=font)
            parts.append(Part(field_box, "field", "text of the dialog"))
        right = left + width - 16 * scale
        names = ["OK"] if self.kind == "alert" else ["Cancel", "OK"]
        for name in reversed(names):
            box = (right - 76 * scale, top + height - 40 * scale, right, top + height - 12 * scale)
            is_ok = name == "OK"
            pen.rounded_rectangle(box, 4 * scale, fill=(26, 95, 205) if is_ok else (232, 234, 240))
            _centred(pen, box, name, font, "white" if is_ok else (30, 30, 30))
            parts.append(Part(box, name.lower(), name))
            right = box[0] - 10 * scale
        return parts


@dataclass
class OpenList:
    """The open list of a `<select>`, under (or over) its box.

    Attributes:
        anchor: box of the `<select>` in pixels of the picture.
        options: words, and whether they cannot be chosen.
        selected: index; `first` is the topmost row shown.
    """

    anchor: Box
    options: Sequence[tuple[str, bool]]
    selected: int = -1
    first: int = field(default=0)

    def scroll(self, rows: int) -> None:
        self.first = min(max(0, self.first + rows), max(0, len(self.options) - _MOST_ROWS))

    def draw(self, image: Image.Image, scale: float) -> list[Part]:
        pen, font = ImageDraw.Draw(image), _font(scale)
        rows = list(enumerate(self.options))[self.first : self.first + _MOST_ROWS]
        x0, _, x1, y1 = self.anchor
        x1 = max(x1, x0 + 90 * scale)
        height = _ROW * scale * len(rows)
        top = y1 if y1 + height <= image.height else max(0.0, min(self.anchor[1] - height, image.height - height))
        pen.rectangle((x0, top, x1, top + height), fill="white", outline=(90, 90, 90))
        parts: list[Part] = []
        for row, (index, (label, disabled)) in enumerate(rows):
            box = (x0, top + row * _ROW * scale, x1, top + (row + 1) * _ROW * scale)
            if index == self.selected:
                pen.rectangle(box, fill=(205, 222, 250))
            ink = (160, 160, 160) if disabled else (25, 25, 25)
            pen.text((x0 + 6 * scale, box[1] + 4 * scale), label[:60], fill=ink, font=font)
            if not disabled:
                parts.append(Part(box, f"option {index}", label))
        return parts


@dataclass
class Bar:
    """Tabs, back, forward, reload and address, above the page.

    Attributes:
        tabs: titles; `current` is the index of the one shown.
        address: URL, or what is being typed there.
        typing: whether the address has the keyboard.
    """

    tabs: Sequence[str]
    current: int = 0
    address: str = ""
    typing: bool = False

    def draw(self, image: Image.Image, scale: float) -> list[Part]:
        pen, font = ImageDraw.Draw(image), _font(scale)
        half, width = BAR_HEIGHT / 2 * scale, image.width
        pen.rectangle((0, 0, width, 2 * half), fill=(222, 225, 230))
        parts: list[Part] = []
        tab_width = min(180 * scale, (width - 8 * scale) / max(1, len(self.tabs)))
        for i, title in enumerate(self.tabs):
            box = (4 * scale + i * tab_width, 3 * scale, 4 * scale + (i + 1) * tab_width - 3 * scale, half)
            pen.rounded_rectangle(box, 5 * scale, fill="white" if i == self.current else (200, 204, 212))
            cross = (box[2] - 20 * scale, box[1], box[2], box[3])
            keep = int((cross[0] - box[0] - 6 * scale) / font.getlength("n"))
            pen.text((box[0] + 6 * scale, box[1] + 4 * scale), title[: max(0, keep)], fill=(30, 30, 30), font=font)
            _centred(pen, cross, "x", font, (90, 90, 90))
            parts += [Part(cross, f"close {i}", "close tab"), Part(box, f"tab {i}", title)]
        for i, (name, sign) in enumerate((("back", "<"), ("forward", ">"), ("reload", "R"))):
            box = ((6 + 30 * i) * scale, half + 2 * scale, (32 + 30 * i) * scale, 2 * half - 2 * scale)
            _centred(pen, box, sign, font, (60, 60, 60))
            parts.append(Part(box, name, name))
        box = (100 * scale, half + 3 * scale, width - 8 * scale, 2 * half - 3 * scale)
        pen.rounded_rectangle(box, 6 * scale, fill="white", outline=(26, 95, 205) if self.typing else (190, 190, 190))
        keep = max(8, int((box[2] - box[0] - 16 * scale) / font.getlength("n")))
        pen.text((box[0] + 8 * scale, box[1] + 4 * scale), self.address[:keep], fill=(30, 30, 30), font=font)
        return [*parts, Part(box, "address", "address")]


def part_at(parts: Sequence[Part], xy: tuple[float, float]) -> Part | None:
    """The first part that holds a place."""
    return next((part for part in parts if part.holds(xy)), None)


def _font(scale: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(13 * scale)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _centred(pen: ImageDraw.ImageDraw, box: Box, text: str, font: ImageFont.FreeTypeFont, ink: object) -> None:
    pen.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), text, fill=ink, font=font, anchor="mm")  # type: ignore[arg-type]
