"""Samples a second of one core, by kind: making one, writing it into a shard, and measuring its tokens.

    python bench/data_speed.py [--seconds 5] [--kind shapes]

Processor time of this process and of the browser it started, so other work on the machine changes little. The
aim: 60 simple pictures or 5 rendered pages a second. One JSON line a kind.
"""

import argparse
import tempfile
from pathlib import Path

from beside import report
from processor_time import processor_seconds

from viewfinder.data.filters.measure import Measure
from viewfinder.data.plan import Bad
from viewfinder.data.shards import ShardWriter
from viewfinder.data.synth.kinds import KINDS, Options, make
from viewfinder.errors import DataError

WARM, BATCH = 10, 5


def measure_kind(name: str, seconds: float, max_side: int) -> dict[str, float]:
    """Seconds of processor time a sample for each step, once fonts and libraries are open."""
    options = Options(max_side=max_side)
    for number in range(WARM):
        make(name, 1, number, options)
    times = {"make": 0.0, "write": 0.0, "measure": 0.0}
    count, nbytes = 0, 0
    operator = Measure()
    started = processor_seconds()
    with tempfile.TemporaryDirectory() as folder:
        writer = ShardWriter(Path(folder), 0)
        while (begun := processor_seconds()) - started < seconds:
            # clock ticks are 10 ms: several samples between two looks
            samples = [make(name, 2, count + i, options) for i in range(BATCH)]
            made = processor_seconds()
            for sample in samples:
                writer.add(sample)
            written = processor_seconds()
            for sample in samples:
                assert not isinstance(next(iter(operator(sample))), Bad)
            steps = (made - begun, written - made, processor_seconds() - written)
            for key, value in zip(times, steps, strict=True):
                times[key] += value
            count += BATCH
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
