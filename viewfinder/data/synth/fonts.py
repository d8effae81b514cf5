"""Fonts to draw with: those of the shipped set by family and split, and those of folders that were asked for.

Four families are held out of training by name, wherever their files come from. What a system has installed is never
looked at, so a seed draws the same on every machine.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from viewfinder.data.synth.kinds import Split
from viewfinder.errors import DataError
from viewfinder.materials.shipped import font_file, fonts, set_name

BUILT_IN = "Pillow"
HELD_OUT_FAMILIES = frozenset({"Cabin", "Cantarell", "FiraCode", "Vollkorn"})
"""Never drawn in training (one sans, one interface sans, one mono, one serif); read in the tests of the result."""

FontFamily = tuple[str, tuple[Path | None, ...]]
"""A family's name and its files; None is the font that Pillow brings too (Aileron)."""


@lru_cache(maxsize=16)
def find_families(folders: tuple[str, ...] = (), *, held_out: bool = False) -> tuple[FontFamily, ...]:
    """Families that write Latin, sorted by name: those for training, or only the held-out ones.

    Args:
        folders: more fonts than the shipped ones, as `added_files` takes them.
    """
    split: Split = "held_out" if held_out else "train"
    files: dict[str, list[Path]] = {}
    for font in fonts("text", split):
        files.setdefault(font.family, []).append(font.path)
    for path in added_files(folders, split):
        files.setdefault(_family(path), []).append(path)
    return tuple((family, tuple(paths)) for family, paths in sorted(files.items()))


@lru_cache(maxsize=16)
def added_files(folders: tuple[str, ...], split: Split) -> tuple[Path, ...]:
    """The font files of folders, sorted by name; a family of `HELD_OUT_FAMILIES` is of that split, others train.

    Raises:
        DataError: a folder without fonts.
    """
    found: list[Path] = []
    for folder in folders:
        files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".ttf", ".otf", ".ttc"))
        if not files:
            raise DataError(f"{folder} holds no .ttf, .otf or .ttc file, so no font can be added; name another folder")
        found += files
    chosen = [path for path in found if (_family(path) in HELD_OUT_FAMILIES) == (split == "held_out")]
    return tuple(sorted(chosen, key=lambda path: (path.name, str(path))))


def _family(path: Path) -> str:
    return path.stem.partition("-")[0]


def materials_name(folders: Sequence[str] = ()) -> str:
    """What is drawn with: the shipped set, and each folder's files as a number and the start of a hash over them.

    `core-1-5f2c9a10`, and with a folder `core-1-5f2c9a10 + 3 fonts 0b7e44d1`.
    """
    parts = [set_name()]
    for folder in folders:
        files = [path for split in ("train", "held_out") for path in added_files((folder,), split)]
        digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
        parts.append(f"{len(files)} fonts {hashlib.sha256(''.join(digests).encode()).hexdigest()[:8]}")
    return " + ".join(parts)


@lru_cache(maxsize=2048)
def load_font(path: Path | None, size: int) -> ImageFont.FreeTypeFont:
    """The font at `size` pixels per em."""
    path = path or font_file("Aileron-Regular")
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def coverage(font: ImageFont.FreeTypeFont, text: str) -> bytes:
    """The pixels that a font draws for a text, to tell a letter from the box that stands for a missing one."""
    return bytes(font.getmask(text))  # pyright: ignore[reportArgumentType] - Pillow's own image is a sequence of values


@lru_cache(maxsize=65536)
def has_glyph(path: Path | None, character: str) -> bool:
    """Whether the font draws it, and not the box that stands for what it lacks (as for the private U+E000)."""
    drawn, lacking = (load_font(path, 16).getmask(one) for one in (character, "\ue000"))
    return (drawn.size, bytes(drawn)) != (lacking.size, bytes(lacking))


@lru_cache(maxsize=65536)
def _advance(path: Path | None, character: str) -> float:
    return load_font(path, 64).getlength(character) / 64


def advances(path: Path | None, size: int, text: str) -> list[float]:
    """About how far each character moves the pen, in pixels at `size` (measured once per font, then scaled)."""
    return [size * _advance(path, character) for character in text]
