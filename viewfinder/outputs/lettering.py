"""Text drawn in any script that the shipped fonts cover, whatever fonts the machine has.

Each stretch of a text is drawn in the first font that has its letters; stretches of a right-to-left script are shaped
and ordered where Pillow has Raqm. A letter that no shipped font has shows as an empty box.
"""

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont, features

from viewfinder.materials.shipped import font_file

_FONTS = (
    *("NotoSans-Regular", "DejaVuSans-Regular", "NotoSansArabic-Regular", "NotoSansHebrew-Regular"),
    *("NotoSansDevanagari-Regular", "NotoSansThai-Regular", "NotoSansSC-Regular"),
    *("WenQuanYiMicroHei-Regular", "NotoSansJP-Regular", "NotoSansKR-Regular"),
)
Color = tuple[int, int, int]


class Lettering:
    """Text of one size in pixels."""

    def __init__(self, size: int) -> None:
        self.size = size
        _left, top, _right, bottom = _font(_FONTS[0], size).getbbox("Ágj")
        self.top, self.height = top, bottom - top

    def length(self, text: str) -> float:
        """Width in pixels."""
        return sum(font.getlength(part) for font, part in self._runs(text))

    def draw(self, pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, fill: Color) -> None:
        """Write with the top of capital letters at `at[1]`; all scripts stand on one base line."""
        x, y = at
        base = y - self.top + _font(_FONTS[0], self.size).getmetrics()[0]
        for font, part in self._runs(text):
            pen.text((x, base), part, fill=fill, font=font, anchor="ls")
            x += font.getlength(part)

    def _runs(self, text: str) -> list[tuple[ImageFont.FreeTypeFont, str]]:
        """`"cat 猫"` is `"cat"` in the first font and `" 猫"` in one that has it."""
        runs: list[tuple[str, str]] = []
        for letter in text:
            name = runs[-1][0] if runs and letter.isspace() else _font_of(letter)
            if runs and runs[-1][0] == name:
                runs[-1] = (name, runs[-1][1] + letter)
            else:
                before = runs[-1][1] if runs else ""
                words = before.rstrip()  # at the end of a right-to-left stretch spaces would be drawn at its left
                if words != before:
                    runs[-1] = (runs[-1][0], words)
                runs.append((name, before[len(words) :] + letter))
        return [(_font(name, self.size), part) for name, part in runs]


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    engine = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
    return ImageFont.truetype(str(font_file(name)), size, layout_engine=engine)


@lru_cache(maxsize=4096)
def _font_of(letter: str) -> str:
    """The first font that has a letter; the first of all where none has."""
    return next((name for name in _FONTS if _has(name, letter)), _FONTS[0])


def _has(name: str, letter: str) -> bool:
    font = ImageFont.truetype(str(font_file(name)), 24, layout_engine=ImageFont.Layout.BASIC)
    return _drawn(font, letter) != _drawn(font, "\U0010ffff")


def _drawn(font: ImageFont.FreeTypeFont, letter: str) -> bytes:
    canvas = Image.new("L", (48, 48))
    ImageDraw.Draw(canvas).text((8, 8), letter, fill=255, font=font)
    return canvas.tobytes()


def wrap(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The words of a text in lines of at most `width` pixels; a longer word has a line of its own."""
    lines = [""]
    for word in text.split():
        if lines[-1] and font.getlength(f"{lines[-1]} {word}") > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
