"""`SHA256SUMS` of a folder, as `sha256sum -c` reads it: every file of the folder by name, so nothing is lost unseen."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from viewfinder.storage.atomic import write_whole

SUMS = "SHA256SUMS"


def file_sum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_sums(paths: Iterable[Path]) -> dict[str, str]:
    return {path.name: file_sum(path) for path in paths if path.is_file() and path.name != SUMS}


def write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    write_whole(folder / SUMS, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)))


def damage(folder: Path) -> str:
    """The first file that is missing, changed or not listed; "" when all is as written, or nothing was listed."""
    if not (folder / SUMS).is_file():
        return ""
    lines = (folder / SUMS).read_bytes().decode(errors="replace").splitlines()
    listed = {name: value for value, _, name in (line.partition("  ") for line in lines)}
    found = file_sums(folder.iterdir())
    for name in sorted({*listed, *found}):
        if listed.get(name) != found.get(name):
            kind = "missing" if name not in found else "not listed" if name not in listed else "changed"
            return f"{name} is {kind}"
    return ""
