"""Processor time of a process and of all that it started: of a server its decode workers, of a maker its browser."""

import os
from pathlib import Path


def processor_seconds(process: int | None = None) -> float:
    """Seconds of the process (this one where none is named), of its descendants, and of children that have ended."""
    total, left = 0, [os.getpid() if process is None else process]
    while left:
        folder = Path("/proc") / str(left.pop())
        try:
            # After the name in brackets: own user and system time, then that of children that ended, in ticks.
            total += sum(map(int, (folder / "stat").read_text().rpartition(")")[2].split()[11:15]))
            left += [int(c) for task in (folder / "task").iterdir() for c in (task / "children").read_text().split()]
        except OSError:  # it has just ended; its parent has its time
            continue
    return total / os.sysconf("SC_CLK_TCK")
