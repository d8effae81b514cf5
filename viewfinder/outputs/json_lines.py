r"""Lines of files that we and others keep values in: JSONL, journals, quarantines, lists of names.

A line ends at `\n` and nowhere else: JSON text may hold U+2028, U+0085 or a lone `\r` inside a string, where
`str.splitlines` would cut. A byte-order mark is accepted, `\r\n` too, and lines without words are left out.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, cast

from viewfinder.storage.atomic import naming

_LOG = logging.getLogger(__name__)


def read_text(path: str | Path) -> str:
    """A file's UTF-8 text without its byte-order mark; line ends stay as they are."""
    return Path(path).read_bytes().decode("utf-8-sig")


def split_lines(text: str) -> list[str]:
    r"""Lines that say something: `"a\u2028b\r\n\nc"` gives `["a\u2028b", "c"]`."""
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return [line for line in lines if line.strip(" \t\r\n")]


def read_lines(path: str | Path) -> list[str]:
    """All lines of a file; raises OSError or UnicodeDecodeError."""
    return split_lines(read_text(path))


def read_values(path: str | Path) -> list[Any]:
    """The value of each line; raises also `ValueError` for a line that is no JSON."""
    return [json.loads(line) for line in read_lines(path)]


def read_kept(path: str | Path, key: str = "") -> list[dict[str, Any]]:
    """The objects of a journal, a file of our own that a kill, a full disk or a bad block may have damaged.

    Every whole line is kept, whatever stands before it. What is not whole is left out and named in the log: a line that
    is no JSON object, or lacks `key`, and a last line that was cut off. The file is not changed; none gives none.
    """
    path = Path(path)
    if not path.exists():
        return []
    content = path.read_bytes()
    kept: list[dict[str, Any]] = []
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip(b" \t\r"):
            continue
        value = _whole_object(line)
        if value is not None and (not key or key in value):
            kept.append(value)
        elif number == len(lines):
            _LOG.warning("%s: the last line was cut off (%d bytes); it is left out and made again", path, len(line))
        else:
            _LOG.warning("%s: line %d is damaged; it is left out, and the lines after it are kept", path, number)
    return kept


def append_values(path: str | Path, values: Iterable[Mapping[str, Any]]) -> None:
    """Add lines and hand them to the system at once, in one piece.

    A last line without its end gets it when it is whole, and is cut off when it is not, so that new lines stand alone.

    Raises:
        OSError: with the name of the file; lines that were whole stay so.
    """
    content = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode()
    with naming(path), Path(path).open("ab+", buffering=0) as sink:
        end = sink.seek(0, os.SEEK_END)
        sink.seek(max(0, end - 1))
        if end and sink.read(1) != b"\n":
            content = _close_last_line(sink) + content
        while content:
            content = content[sink.write(content) :]


def _close_last_line(sink: IO[bytes]) -> bytes:
    """Cut a half line off, or give the end that a whole one lacks."""
    sink.seek(0)
    text = sink.read()
    start = text.rfind(b"\n") + 1
    if _whole_object(text[start:]) is not None:
        return b"\n"
    sink.truncate(start)
    return b""


def _whole_object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:  # damaged JSON, or a letter that was cut
        return None
    return cast(dict[str, Any], value) if isinstance(value, dict) else None
