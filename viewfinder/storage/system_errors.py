"""Errors of the system (files, JSON, SQLite, Arrow) as one sentence: the file, what follows, what is safe, the remedy.

They stay what they are inside the package; `system_errors` at its public edge, and the command line, turn them
into a `StorageError`. No library is imported to know its errors: they are told by their class.
"""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from viewfinder.errors import ViewfinderError

_SAFE = "files that were finished before are whole"
_BY_NUMBER = {
    errno.ENOSPC: "no space is left for {file}; free some",
    errno.EDQUOT: "your quota leaves no space for {file}; free some",
    errno.EFBIG: "{file} became larger than this system allows; raise the limit",
    errno.EROFS: "{file} is on a read-only file system; name another place",
    errno.EACCES: "{file} may not be read or written by this user; change its mode, or name another place",
    errno.EPERM: "{file} may not be changed by this user; change its owner, or name another place",
    errno.ENOENT: "there is no {file}; check the path",
    errno.ENOTDIR: "a part of {file} is a file and no folder; check the path",
    errno.EISDIR: "{file} is a folder, where a file was expected; check the path",
    errno.EEXIST: "{file} is there already; name another",
    errno.EIO: "the disk failed at {file}; copy what is readable to another",
    errno.EMFILE: "too many files are open, at {file}; raise the limit (ulimit -n)",
    errno.ENAMETOOLONG: "the name {file} is too long for this file system; choose a shorter one",
}


class StorageError(ViewfinderError):
    """A file that could not be read or written, as one sentence."""


def read_json(path: str | Path) -> Any:
    """The value of a JSON file of ours.

    Raises:
        StorageError: it is damaged.
        OSError: it cannot be read.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError
        raise StorageError(
            f"{path} is damaged ({error}); bring it back from a copy, or remove it and run the same command again"
        ) from error


def system_sentence(error: BaseException) -> str:
    """The sentence for an error of the system; "" for any other error."""
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
        file = error.filename if isinstance(error.filename, str) else "a file"
        reason = _BY_NUMBER.get(error.errno, f"{{file}} could not be read or written ({error.strerror}); correct that")
        return f"{reason.format(file=file)}, and run the same command again; {_SAFE}"
    module = type(error).__module__.partition(".")[0]
    if module == "sqlite3":
        return f"the database could not be read or written ({error}); its last complete change is safe"
    if module in ("pyarrow", "safetensors", "safetensors_rust", "zipfile"):
        return f"a file is damaged or of another kind ({' '.join(str(error).split())[:300]}); fetch or make it again"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return f"a file is damaged or of another kind ({error}); bring it back from a copy; {_SAFE}"
    return ""


@contextmanager
def system_errors(path: str | Path | None = None) -> Iterator[None]:
    """The public edge: errors of the system inside leave as `StorageError`; it is also a decorator.

    Args:
        path: what is read or written, for errors that name no file.

    Raises:
        StorageError: with the system's error as its cause.
    """
    try:
        yield
    except ViewfinderError:
        raise
    except Exception as error:
        sentence = system_sentence(error)
        if not sentence:
            raise
        named = path is None or isinstance(error, OSError)
        raise StorageError(sentence if named else f"{path}: {sentence}") from error
