r"""Lines of files that we and others keep values in: JSONL, journals, quarantines, lists of names.

A line ends at `\n` and nowhere else: JSON text may hold U+2028, U+0085 or a lone `\r` inside a string, where
`str.splitlines` would cut. A byte-order mark is accepted, `\r\n` too, and lines without words are left out.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


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


def read_kept(path: str | Path) -> list[dict[str, Any]]:
    """The objects of a file of our own that a kill may have cut short; none where there is no file.

    A line that is no JSON is left out, and a last line without its end is closed, so that the next one stands alone.
    """
    path = Path(path)
    if not path.exists():
        return []
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        path.write_bytes(content + b"\n")
    kept: list[dict[str, Any]] = []
    for line in split_lines(content.decode("utf-8-sig", errors="replace")):
        try:
            kept.append(json.loads(line))
        except ValueError:
            continue
    return kept


def append_values(path: str | Path, values: Iterable[Mapping[str, Any]]) -> None:
    """Add lines and hand them to the system at once."""
    with Path(path).open("a", encoding="utf-8", newline="\n") as sink:
        sink.writelines(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
