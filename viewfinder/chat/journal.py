"""A JSONL file that long work is kept in, line by line, and taken up from after an interruption."""

import json
from pathlib import Path
from typing import Any


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All whole lines; a line cut off by an interruption is closed, so that the next one stands alone."""
    if not path.exists():
        return []
    text = path.read_text()
    if text and not text.endswith("\n"):
        path.write_text(text + "\n")
    lines: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return lines


def append_to_journal(path: Path, line: dict[str, Any]) -> None:
    """Add a line and hand it to the system at once."""
    with path.open("a") as sink:
        sink.write(json.dumps(line, ensure_ascii=False) + "\n")
