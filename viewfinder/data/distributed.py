"""The same plan on a Ray cluster: each shard is one task, so a killed worker costs one shard's work and nothing else.

Only the number of a shard travels; its samples go from the worker straight to the set's folder, which every machine of
the cluster must see under the same path. Why Ray's tasks and not Ray Data or Daft: see docs/log.md.
"""

import os
from collections.abc import Iterator, Sequence

from viewfinder.data.runner import Task
from viewfinder.errors import DataError

_AHEAD = 1000
"""Tasks handed to the cluster at once, so that it can grow to meet them."""


class RayTasks:
    """Runs on a cluster (`address`), or on one made for this run with `workers` processes here."""

    def __init__(self, address: str | None = None, workers: int = 2, retries: int = 3) -> None:
        """`retries`: how often a shard is tried again whose worker died."""
        self.address, self.workers, self.retries = address, workers, retries

    def map(self, function: Task, numbers: Sequence[int]) -> Iterator[int]:
        """Call `function` for each number on the cluster; numbers come back as they finish.

        Raises:
            DataError: Ray is not installed, or a shard killed its worker again and again.
        """
        if not numbers:
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # a busy machine takes minutes
        try:
            import ray
        except ImportError as error:
            raise DataError(f"Ray is not here ({error}); pip install 'viewfinder[cluster]'") from error
        cores = {"num_cpus": self.workers} if self.address is None else {}
        try:
            ray.init(
                address=self.address or "local",
                include_dashboard=False if self.address is None else None,
                log_to_driver=False,
                logging_level="ERROR",
                **cores,
            )
        except Exception as error:  # plain exceptions and many kinds of its own
            where = f"no Ray cluster answers at {self.address}" if self.address else "Ray did not start here in time"
            raise DataError(
                f"{where} ({' '.join(str(error).split())[:200]}); nothing is lost: when it does, run the same command again"
            ) from error
        try:
            yield from self._finished(ray, function, numbers)
        except ray.exceptions.WorkerCrashedError as error:
            raise DataError(
                f"a shard killed its worker {self.retries + 1} times (often for want of memory); make shards smaller "
                "(--per-shard) in an empty folder, or give workers more memory and run the same command again"
            ) from error
        finally:
            ray.shutdown()

    def _finished(self, ray: object, function: Task, numbers: Sequence[int]) -> Iterator[int]:
        task = ray.remote(max_retries=self.retries)(_call)  # type: ignore[attr-defined]
        work = ray.put(function)  # type: ignore[attr-defined]
        waiting = list(numbers)
        running: list[object] = []
        while waiting or running:
            while waiting and len(running) < _AHEAD:
                running.append(task.remote(work, waiting.pop(0)))
            done, running = ray.wait(running)  # type: ignore[attr-defined]
            yield from ray.get(done)  # type: ignore[attr-defined]


def _call(function: Task, number: int) -> int:
    return function(number)
