"""Which engine runs the data plan on a cluster: Ray Data, Daft on Ray, or Ray tasks; start, overhead, a killed worker.

    pip install 'ray[data]' daft && python bench/data_engines.py ENGINE [--kill]      (raydata, daft, tasks)

Forty tasks of a quarter of a second (a shard's work, standing in) on two local workers: 5 s at best. `--kill` ends the
first worker seen with SIGKILL; every task must still be done.
"""

import argparse
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TASKS, SECONDS = 40, 0.25


def task(folder: str) -> Callable[[int], int]:
    def work(number: int) -> int:
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            pass
        with (Path(folder) / str(number)).open("a") as file:
            file.write(f"{os.getpid()}\n")
        return number

    return work


def ray_data(ray: Any, work: Callable[[int], int]) -> Iterator[int]:
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = ray.data.from_items([{"n": i} for i in range(TASKS)], override_num_blocks=TASKS)
    for row in rows.map(lambda one: {"n": work(one["n"])}).iter_rows():
        yield row["n"]


def daft_on_ray(ray: Any, work: Callable[[int], int]) -> Iterator[int]:
    import daft

    daft.set_runner_ray()

    @daft.udf(return_dtype=daft.DataType.int64(), batch_size=1)
    def run(column: Any) -> list[int]:
        return [work(int(number)) for number in column.to_pylist()]

    frame = daft.from_pydict({"n": list(range(TASKS))}).into_partitions(TASKS)
    for row in frame.with_column("m", run(daft.col("n"))).iter_rows():
        yield row["m"]


def ray_tasks(ray: Any, work: Callable[[int], int]) -> Iterator[int]:
    remote = ray.remote(max_retries=3)(work)
    waiting = [remote.remote(i) for i in range(TASKS)]
    while waiting:
        done, waiting = ray.wait(waiting)
        yield from ray.get(done)


def kill_first(folder: Path) -> None:
    while True:
        time.sleep(0.05)
        for path in folder.iterdir():
            lines = path.read_text().split()
            if lines:
                os.kill(int(lines[0]), signal.SIGKILL)
                return


def main() -> None:
    engines = {"raydata": ray_data, "daft": daft_on_ray, "tasks": ray_tasks}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=engines)
    parser.add_argument("--kill", action="store_true")
    given = parser.parse_args()
    os.environ.update(DO_NOT_TRACK="1", RAY_USAGE_STATS_ENABLED="0")
    started = time.perf_counter()
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ready = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        if given.kill:
            threading.Thread(target=kill_first, args=(Path(folder),), daemon=True).start()
        got: list[int] = []
        first = 0.0
        for number in engines[given.engine](ray, task(folder)):
            got.append(number)
            first = first or time.perf_counter() - ready
        whole = time.perf_counter() - ready
        workers = {pid for path in Path(folder).iterdir() for pid in path.read_text().split()}
    figures = {"start": ready - started, "first": first, "all": whole, "best": TASKS * SECONDS / 2}
    complete = sorted(got) == list(range(TASKS))
    print(json.dumps({"engine": given.engine, "killed": given.kill, "complete": complete, "workers": len(workers),
                      **{name: round(value, 2) for name, value in figures.items()}}))  # fmt: skip


if __name__ == "__main__":
    main()
