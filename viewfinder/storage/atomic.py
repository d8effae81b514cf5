"""Files and folders that appear whole or not at all, whatever stops the program: a kill, a full disk, a power cut.

A file is written beside its place, handed to the disk, and renamed: whoever opens it sees the old content or the new.
What a kill leaves beside is named `.NAME.HOST-PID.part` and is removed by the next process that locks the folder.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_END = ".part"


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Replace the content of a file.

    Raises:
        OSError: with the name of the file; its old content stays.
    """
    with replacing(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path to write to, with the suffix of `path`; it becomes `path` at the end, or is removed on an error.

    Raises:
        OSError: with the name of the file; its old content stays.
    """
    path = Path(path)
    partial = partial_of(path)
    try:
        with naming(path, partial):
            yield partial
            publish_file(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def partial_of(path: Path) -> Path:
    """Where this process writes what is to become `path`."""
    return path.with_name(f".{path.stem}.{os.uname().nodename}-{os.getpid()}{_END}{path.suffix}")


def publish_file(partial: Path, path: Path) -> None:
    """Hand a written file to the disk and rename it into place."""
    sync_file(partial)
    partial.replace(path)
    sync_file(path.parent)


def publish_folder(partial: Path, path: Path) -> None:
    """Rename a folder into place after its files are on the disk; what was at `path` is replaced.

    A kill between the two renames leaves the old folder at `NAME.old`, which `restore_folder` puts back.
    """
    for file in sorted(partial.rglob("*")):
        sync_file(file)
    sync_file(partial)
    old = _old(path)
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    partial.rename(path)
    sync_file(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def restore_folder(path: Path) -> None:
    """Put the old folder back where a kill came between the two renames that replace it."""
    if not path.exists() and _old(path).exists():
        _old(path).rename(path)


def remove_partials(folder: Path) -> None:
    """Remove what killed processes left beside their files; only for the one process that writes to `folder`."""
    for left in folder.glob(f".*{_END}*"):
        left.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Hand a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def naming(path: str | Path, partial: Path | None = None) -> Iterator[None]:
    """Errors of the system inside name `path`, where they name no file (as a full disk at `write`) or `partial`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(partial)):
            error.filename, error.filename2 = str(path), None
        raise


def _old(path: Path) -> Path:
    return path.with_name(f"{path.name}.old")
