"""Fonts to draw with: found in directories, grouped by family, one family in ten held out of training.

Knows which families read Latin text plainly (no symbol, script-only or ornament fonts). Where no font
directory exists, Pillow's own font is the only family, so everything still runs.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

FONT_DIRECTORIES = (Path("/usr/share/fonts/truetype"), Path("/usr/share/fonts/opentype"))
BUILT_IN = "Pillow"
HELD_OUT_FAMILIES = frozenset({"Cabin", "Cantarell", "FiraCode", "Vollkorn"})
"""Never drawn in training (one sans, one interface sans, one mono, one serif); read in the tests of the result."""

_FAMILIES = (
    *("DejaVuSans", "DejaVuSansMono", "DejaVuSerif", "DejaVuSansCondensed", "LiberationSans", "LiberationSerif"),
    *("LiberationMono", "LiberationSansNarrow", "FreeSans", "FreeSerif", "FreeMono", "OpenSans", "Lato", "Roboto"),
    *("RobotoCondensed", "RobotoSlab", "Inter", "InterDisplay", "Karla", "Quicksand", "Hack", "NotoSans", "NotoSerif"),
    *("NotoSansDisplay", "NotoSerifDisplay", "Carlito", "Caladea", "EBGaramond12", "JetBrainsMono"),
    *("Inconsolata", "Courier Prime", "ComicNeue", "Gentium", "Andika", "PTS55F", "PTS75F", "PTF55F", "Comfortaa"),
    *("LinLibertine_R", "LinLibertine_RB", "LinBiolinum_R", "LinBiolinum_RB"),
)
_STYLES = {
    *("", "Regular", "Bold", "Medium", "SemiBold", "Semibold", "Italic", "Oblique", "BoldItalic", "BoldOblique"),
    *("R", "B", "RegularItalic", "Roman", "Book"),
}

FontFamily = tuple[str, tuple[Path | None, ...]]
"""A family's name and its files; a file of None is Pillow's own font."""


@lru_cache(maxsize=8)
def find_families(
    directories: tuple[Path, ...] = FONT_DIRECTORIES, *, held_out: bool = False
) -> tuple[FontFamily, ...]:
    """Families found under `directories`, sorted by name: those for training, or only the held-out ones."""
    wanted = HELD_OUT_FAMILIES if held_out else frozenset(_FAMILIES)
    files: dict[str, list[Path]] = {}
    for directory in directories:
        for path in directory.rglob("*.[ot]tf"):
            family, _, style = path.stem.partition("-")
            if family in wanted and style in _STYLES:
                files.setdefault(family, []).append(path)
    if not files:
        return ((BUILT_IN, (None,)),)
    return tuple((family, tuple(sorted(paths))) for family, paths in sorted(files.items()))


@lru_cache(maxsize=2048)
def load_font(path: Path | None, size: int) -> ImageFont.FreeTypeFont:
    """The font at `size` pixels per em."""
    if path is None:
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=65536)
def _advance(path: Path | None, character: str) -> float:
    return load_font(path, 64).getlength(character) / 64


def advances(path: Path | None, size: int, text: str) -> list[float]:
    """About how far each character moves the pen, in pixels at `size` (measured once per font, then scaled)."""
    return [size * _advance(path, character) for character in text]


def family_names(families: Sequence[FontFamily]) -> tuple[str, ...]:
    return tuple(name for name, _ in families)
