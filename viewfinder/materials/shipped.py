"""The shipped set: fonts by role and split, the archive of named pictures, and the set's name.

    fonts("text", "train")[0].path      a file of the package
    set_name()                          "core-1-5f2c9a10": the name and the start of the hash over all files

Every file is compared with the manifest once a process, so a set that was changed never draws. Which family is held
out stands in the manifest. Roles: "text" (Latin and more), "script" (one script), "hand" (looks written by hand),
"charts" (a family name of our own, for libraries that also look among the system's fonts), "interface" (Pillow's own).
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from viewfinder.errors import MissingMaterial

FOLDER = Path(__file__).parent / "core"
FONT_FOLDER = FOLDER / "fonts"
CHART_FAMILY = "Viewfinder Sans"
Role = Literal["text", "script", "hand", "charts"]
Split = Literal["train", "held_out"]


@dataclass(frozen=True)
class Font:
    """One font file.

    Attributes:
        family, style: as in the file's name, "OpenSans" and "Bold".
        css: the family's name as a browser knows it, "Open Sans".
        languages: ISO 639-1, those whose words it can write (see `writing.languages`).
        package, license: where it comes from, and its SPDX name; the text lies in `core/licenses`.
    """

    path: Path
    family: str
    style: str
    css: str
    role: str
    split: str
    languages: frozenset[str]
    package: str
    license: str
    bytes: int


@lru_cache(maxsize=1)
def read_manifest() -> dict[str, Any]:
    """The manifest of the set, every file checked.

    Raises:
        MissingMaterial: a file is not there or has other bytes.
    """
    path = FOLDER / "manifest.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not content:
        raise _broken(path, "is not there")
    entries = [(FONT_FOLDER / entry["file"], entry) for entry in content["fonts"]]
    for file, entry in (*entries, (FOLDER / content["pictures"]["file"], content["pictures"])):
        if not file.is_file():
            raise _broken(file, "is not there")
        if hashlib.sha256(file.read_bytes()).hexdigest() != entry["sha256"]:
            raise _broken(file, "has other bytes than its manifest says")
    return content


def _broken(path: Path, what: str) -> MissingMaterial:
    return MissingMaterial(
        f"{path} {what}, so nothing can be drawn that is the same on every machine; install viewfinder again"
    )


@lru_cache(maxsize=1)
def set_name() -> str:
    """The set's name and eight digits of the hash over its files."""
    content = read_manifest()
    hashes = [entry["sha256"] for entry in (*content["fonts"], content["pictures"])]
    return f"{content['name']}-{hashlib.sha256(''.join(hashes).encode()).hexdigest()[:8]}"


@lru_cache(maxsize=8)
def fonts(role: Role, split: Split = "train") -> tuple[Font, ...]:
    """Fonts of a role and a split, by family and style."""
    found = [_font(entry) for entry in read_manifest()["fonts"] if (entry["role"], entry["split"]) == (role, split)]
    return tuple(sorted(found, key=lambda font: (font.family, font.path.name)))


@lru_cache(maxsize=128)
def font_file(name: str) -> Path:
    """The file of a family and style, `font_file("NotoSans-Regular")`."""
    read_manifest()
    return next(path for path in sorted(FONT_FOLDER.iterdir()) if path.stem == name)


def _font(entry: dict[str, Any]) -> Font:
    taken = {name: entry[name] for name in ("family", "style", "css", "role", "split", "package", "license", "bytes")}
    return Font(FONT_FOLDER / entry["file"], languages=frozenset(entry["languages"]), **taken)


def picture_archive() -> Path:
    """A zip of PNG files; their names are the names of what they show."""
    return FOLDER / read_manifest()["pictures"]["file"]
