"""Subtitles in SRT: the lines that are spoken, without numbers, times and markup."""

import re
from pathlib import Path


def read_srt(path: str | Path) -> list[str]:
    """One line a cue, in order; `1\\n00:00:01,000 --> 00:00:02,000\\n<i>Hi</i>` gives `Hi`."""
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    lines = []
    for cue in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        words = [line for line in cue.splitlines() if "-->" not in line and not re.fullmatch(r"\s*\d+\s*", line)]
        spoken = re.sub(r"<[^>]+>|\{[^}]+\}", "", " ".join(words)).strip()
        if spoken:
            lines.append(" ".join(spoken.split()))
    return lines
