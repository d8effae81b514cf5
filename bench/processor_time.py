"""Processor time of a process and of all that it started: of a server its decode workers, of a maker its browser."""

import contextlib
import os
from pathlib import Path


def processes_of(process: int) -> list[int]:
    """The process and its descendants."""
    found = [process]
    for pid in found:  # grows while it is read
        with contextlib.suppress(OSError):  # it has just ended
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def processor_seconds(process: int | None = None) -> float:
    """Seconds of the process (this one where none is named), of its descendants, and of children that have ended."""
    total = 0
    for pid in processes_of(os.getpid() if process is None else process):
        with contextlib.suppress(OSError):  # it has just ended; its parent has its time
            # After the name in brackets: own user and system time, then that of children that ended, in ticks.
            stat = Path(f"/proc/{pid}/stat").read_text()
            total += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return total / os.sysconf("SC_CLK_TCK")
