"""Timing two things beside each other: alternating in one process, the median of the ratios of pairs.

Each script prints one JSON line a figure: name, ours, peer, unit, ratio (above 1 means ours is better), and
what else matters. Peak memory is read from a process of its own for each side (`--only ours|peer`): of the whole
process (`print_peak`), or what a call adds to it (`added_peak`).
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def arguments(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", choices=["ours", "peer"], help="run one side once and print its peak memory")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--case", default="")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu: for a machine that others use too")
    return parser.parse_args()


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def seconds(run: Callable[[], Any], clock: str = "wall") -> float:
    start = CLOCKS[clock]()
    run()
    return CLOCKS[clock]() - start


def beside(ours: Callable[[], Any], peer: Callable[[], Any], repeats: int, clock: str = "wall") -> dict[str, float]:
    """Median seconds of each, and the median over pairs of peer / ours; the order within a pair alternates."""
    times: list[tuple[float, float]] = []
    for i in range(repeats):
        if i % 2:
            theirs = seconds(peer, clock)
            times.append((seconds(ours, clock), theirs))
        else:
            mine = seconds(ours, clock)
            times.append((mine, seconds(peer, clock)))
    return {
        "ours": statistics.median(mine for mine, _ in times),
        "peer": statistics.median(theirs for _, theirs in times),
        "ratio": statistics.median(theirs / mine for mine, theirs in times),
        "pairs": repeats,
    }


def report(name: str, figures: dict[str, Any], unit: str = "s", **more: Any) -> None:
    line = {"name": name, "unit": unit, **figures, **more}
    print(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()}), flush=True)


def print_peak() -> None:
    """Peak resident memory of this process, bytes, for the parent to read."""
    # not ru_maxrss: that starts from the peak of the process which started this one
    print(_resident("VmHWM"))


def added_peak(run: Callable[[], Any]) -> int:
    """Bytes that a call adds, at its highest, to what this process holds before it."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak until here
    before = _resident("VmRSS")
    run()
    return _resident("VmHWM") - before


def _resident(field: str) -> int:
    """Bytes, by Linux's account."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{field}:")[1].split()[0])


def peaks(*arguments: str) -> dict[str, int]:
    """Run this script once for each side and read the bytes that it prints last."""
    result = {}
    for side in ("ours", "peer"):
        command = [sys.executable, sys.argv[0], "--only", side, *arguments]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        result[f"{side}_peak_bytes"] = int(output.strip().splitlines()[-1])
    return result
