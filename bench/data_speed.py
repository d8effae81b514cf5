"""Samples a second of one core, by kind: making one, writing it into a shard, and measuring its tokens.

    python bench/data_speed.py [--seconds 5] [--kind shapes]

The issue's aim: 60 simple pictures or 5 rendered pages a second. One JSON line a kind.
"""

import argparse
import tempfile
import time
from pathlib import Path

from beside import report

from viewfinder.data.filters.measure import Measure
from viewfinder.data.plan import Bad
from viewfinder.data.shards import ShardWriter
from viewfinder.data.synth.kinds import KINDS, Options, make
from viewfinder.errors import DataError


def measure_kind(name: str, seconds: float, max_side: int) -> dict[str, float]:
    """Seconds of processor time a sample for each step, once fonts and libraries are open."""
    options = Options(max_side=max_side)
    for number in range(3):
        make(name, 1, number, options)
    times = {"make": 0.0, "write": 0.0, "measure": 0.0}
    count, nbytes = 0, 0
    operator = Measure()
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        writer = ShardWriter(Path(folder), 0)
        while time.process_time() - started < seconds:
            before = time.process_time()
            sample = make(name, 2, count, options)
            made = time.process_time()
            writer.add(sample)
            written = time.process_time()
            assert not isinstance(next(iter(operator(sample))), Bad)
            for key, value in zip(times, (made - before, written - made, time.process_time() - written), strict=True):
                times[key] += value
            count += 1
        nbytes = sum(row["nbytes"] for row in writer.rows)
        writer.abandon()
    total = sum(times.values())
    return {"samples_per_second": count / total, "bytes": nbytes / count, **{k: v / count for k, v in times.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--kind", action="append")
    parser.add_argument("--max-side", type=int, default=336)
    given = parser.parse_args()
    for name in given.kind or KINDS:
        try:
            report(name, measure_kind(name, given.seconds, given.max_side), "samples/s of one core")
        except DataError as error:
            report(name, {}, "left out", why=str(error))


if __name__ == "__main__":
    main()
