"""Libraries of named pictures to paste: thousands of categories, one in ten of them held out by name.

A library is a folder of PNG or SVG files (the file name is the name), an Iconify JSON file (`icons.json` of any
`@iconify-json` package), or a color emoji font. Without any, the shipped archive is used. Drawing styles whose library
is named in `HELD_OUT_STYLES` never reach training.
"""

import io
import json
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from PIL import Image, ImageFont

from viewfinder.data.synth.kinds import Split
from viewfinder.errors import DataError
from viewfinder.materials.needs import require
from viewfinder.materials.shipped import FONT_FOLDER, picture_archive

HELD_OUT_STYLES = frozenset({"openmoji", "fluent-emoji", "fluent-emoji-flat"})
_EMOJI_SIZE, _DRAWN = 109, 128
_DPI = 96  # of lengths in pt, mm or in, as CSS has it; without it they count as nothing
_DULL = re.compile(
    r"\b(modifier|squared|circled|keycap|regional|ideograph|negative|arrow|button|symbol|sign|letter|digit|number"
    r"|clock face|selector|heavy|black|white|medium|combining|component|skin|tone|hand|backhand|index|geta)\b"
)


@dataclass(frozen=True)
class Cutout:
    """A named picture on nothing: RGBA, cropped to what is visible."""

    name: str
    image: Image.Image = field(repr=False, compare=False)


class Library(Protocol):
    """Named pictures of one style. `license` and `style` go into the lineage of samples."""

    style: str
    license: str

    def names(self) -> Sequence[str]:
        """All names, sorted."""
        ...

    def draw(self, name: str) -> Image.Image:
        """RGBA, about 128 pixels a side."""
        ...


def held_out_name(name: str) -> bool:
    """Whether a category is kept out of training (one in ten, by its name alone, in every library alike)."""
    return zlib.crc32(name.encode()) % 10 == 3


class Archive:
    """A zip of PNG files; the file name is the name."""

    license = "OFL-1.1"
    style = "noto-emoji"

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            self._files = {name.removesuffix(".png"): archive.read(name) for name in archive.namelist()}

    def names(self) -> Sequence[str]:
        return sorted(self._files)

    def draw(self, name: str) -> Image.Image:
        return Image.open(io.BytesIO(self._files[name])).convert("RGBA")


class EmojiFont:
    """A color bitmap font; names are those of Unicode."""

    license = "OFL-1.1"
    style = "noto-font"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._font: ImageFont.FreeTypeFont | None = None

    def names(self) -> Sequence[str]:
        return sorted(_emoji_names(self.path))

    def draw(self, name: str) -> Image.Image:
        from PIL import ImageDraw

        if self._font is None:
            self._font = ImageFont.truetype(str(self.path), _EMOJI_SIZE)
        image = Image.new("RGBA", (160, 150), (0, 0, 0, 0))
        ImageDraw.Draw(image).text((8, 8), _emoji_names(self.path)[name], font=self._font, embedded_color=True)
        return image


@lru_cache(maxsize=2)
def _emoji_names(path: Path) -> dict[str, str]:
    from fontTools.ttLib import TTFont

    with TTFont(path, lazy=True) as font:
        points = sorted(font.getBestCmap() or ())
    names: dict[str, str] = {}
    for point in points:
        name = unicodedata.name(chr(point), "").lower()
        if point > 0x2300 and name and not _DULL.search(name):
            names[name.replace("-", " ")] = chr(point)
    return names


class Iconify:
    """An `icons.json` of Iconify: SVG bodies by name."""

    def __init__(self, path: Path) -> None:
        self._content: dict[str, Any] = json.loads(path.read_text())
        self.style: str = self._content["prefix"]
        self.license: str = self._content.get("info", {}).get("license", {}).get("spdx", "unknown")
        self._keys = {key.replace("-", " "): key for key in self._content["icons"] if _plain(key)}

    def names(self) -> Sequence[str]:
        return sorted(self._keys)

    def draw(self, name: str) -> Image.Image:
        icon = self._content["icons"][self._keys[name]]
        width, height = (icon.get(k, self._content.get(k, 16)) for k in ("width", "height"))
        size = f'viewBox="0 0 {width} {height}" width="{_DRAWN}" height="{_DRAWN}"'
        body = icon["body"].replace("currentColor", "#222")
        return draw_svg(f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{body}</svg>')


def _plain(key: str) -> bool:
    return not re.search(r"\d|skin-tone|(light|dark|medium)$|^flag|-flag", key)


class Folder:
    """PNG and SVG files; the file `LICENCE` beside them may name their license."""

    def __init__(self, path: Path) -> None:
        files = (file for file in path.rglob("*") if file.suffix.lower() in (".png", ".svg", ".webp"))
        self._files = {re.sub(r"[-_]+", " ", file.stem).strip().lower(): file for file in files}
        self.style = path.name
        note = path / "LICENCE"
        self.license = note.read_text().strip() if note.is_file() else "unknown"

    def names(self) -> Sequence[str]:
        return sorted(self._files)

    def draw(self, name: str) -> Image.Image:
        file = self._files[name]
        if file.suffix.lower() == ".svg":
            return draw_svg(file.read_text())
        image = Image.open(file).convert("RGBA")
        image.thumbnail((2 * _DRAWN, 2 * _DRAWN))
        return image


def draw_svg(text: str) -> Image.Image:
    """An SVG as RGBA; its words in the shipped DejaVu Sans, whatever it asks for.

    Raises:
        MissingMaterial: no renderer is installed.
    """
    require("resvg-py")
    import resvg_py

    fonts: Any = {"skip_system_fonts": True, "font_files": _SVG_FONTS, **_SVG_FAMILIES}
    drawn = resvg_py.svg_to_bytes(svg_string=text, dpi=_DPI, **fonts)
    return Image.open(io.BytesIO(bytes(drawn))).convert("RGBA")


_SVG_FONTS = [str(FONT_FOLDER / f"DejaVuSans-{style}.ttf") for style in ("Regular", "Bold")]
_GENERIC = ("font_family", "serif_family", "sans_serif_family", "cursive_family", "fantasy_family", "monospace_family")
_SVG_FAMILIES: Any = dict.fromkeys(_GENERIC, "DejaVu Sans")


@lru_cache(maxsize=16)
def open_library(path: str) -> Library:
    """A library by its path.

    Raises:
        DataError: nothing there that is a library.
    """
    place = Path(path)
    if place.is_dir():
        icons = place / "icons.json"
        return Iconify(icons) if icons.is_file() else Folder(place)
    if place.suffix == ".json" and place.is_file():
        return Iconify(place)
    if place.suffix == ".zip" and place.is_file():
        return Archive(place)
    if place.suffix in (".ttf", ".otf") and place.is_file():
        return EmojiFont(place)
    raise DataError(
        f"{path} is no library of objects, so nothing can be pasted from it; give a folder of PNG or SVG files, an "
        "Iconify icons.json, or a color emoji font"
    )


def find_libraries(paths: Sequence[str], split: Split) -> tuple[Library, ...]:
    """The libraries at `paths`, or the shipped one; without the held-out styles for training.

    Raises:
        DataError: a path that is no library, or none is left.
    """
    libraries = [open_library(path) for path in paths or (str(picture_archive()),)]
    fit = [one for one in libraries if split == "held_out" or one.style not in HELD_OUT_STYLES]
    if not fit:
        raise DataError(
            f"every library of {', '.join(paths)} is of a style that is held out of training, so nothing can be "
            "pasted; name others with --objects, or ask for --held-out"
        )
    return tuple(fit)


@lru_cache(maxsize=32)
def split_names(library: Library, split: Split) -> tuple[str, ...]:
    """The names of a library that belong to a split. Held-out styles are used whole."""
    if split == "held_out" and library.style in HELD_OUT_STYLES:
        return tuple(library.names())
    return tuple(name for name in library.names() if held_out_name(name) == (split == "held_out"))


@lru_cache(maxsize=4096)
def cutout(library: Library, name: str) -> Cutout:
    """A named picture, cropped to what is visible (alpha above 60)."""
    image = library.draw(name)
    bounds = image.getchannel("A").point([255 * (value > 60) for value in range(256)]).getbbox()
    return Cutout(name, image.crop(bounds) if bounds else image)
