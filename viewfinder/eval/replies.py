"""Replies kept by request: what was asked once is never asked again, whatever interrupted the run.

One JSON line a reply, handed to the system at once; a line cut off by an interruption is dropped. Safe for several
threads of one process.
"""

import threading
from pathlib import Path
from typing import Any

from viewfinder.messages import Reply
from viewfinder.outputs.json_lines import append_values, read_kept

_KEPT = {"text", "finish_reason", "usage", "media", "stamp"}


class ReplyStore:
    """A file of replies by request key; in memory only when `path` is None."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._lines: dict[str, dict[str, Any]] = {}
        if path is not None:
            self._lines = {line["key"]: line for line in read_kept(path, "key")}

    def get(self, key: str) -> tuple[Reply, float | None] | None:
        """The reply and its confidence; None where there is none yet."""
        line = self._lines.get(key)
        return None if line is None else (Reply(**line["reply"]), line.get("confidence"))

    def put(self, key: str, reply: Reply, confidence: float | None, seconds: float) -> None:
        """Keep a reply; token lists are dropped, they are large and not needed to score."""
        line = {
            "key": key,
            "reply": reply.model_dump(include=_KEPT, mode="json"),
            "confidence": None if confidence is None else round(confidence, 6),
            "seconds": round(seconds, 3),
        }
        with self._lock:
            self._lines[key] = line
            if self.path is not None:
                append_values(self.path, [line])

    def seconds(self) -> float:
        """Time that all kept replies took."""
        return sum(line.get("seconds", 0.0) for line in self._lines.values())
