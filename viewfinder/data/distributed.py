"""The same plan on a Ray cluster: each shard is one task, so a killed worker costs one shard's work and nothing else.

Only the number of a shard travels; its samples go from the worker straight to the set's folder, which every machine of
the cluster must see under the same path. Why tasks of Ray and not Ray Data or Daft:
docs/notes/2026-11-25-cluster-engine.md.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from viewfinder.data.runner import Task
from viewfinder.errors import DataError

_ATTEMPTS = 3
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
        try:
            import ray  # pyright: ignore[reportMissingImports] - of the extra `cluster`, which no check installs
        except ImportError as error:
            raise DataError(f"Ray is not here ({error}); pip install 'viewfinder[cluster]'") from error
        self._connect(ray)
        try:
            yield from self._finished(ray, function, numbers)
        except ray.exceptions.WorkerCrashedError as error:
            raise DataError(
                f"a shard killed its worker {self.retries + 1} times (often for want of memory); make shards smaller "
                "(--per-shard) in an empty folder, or give workers more memory and run the same command again"
            ) from error
        finally:
            ray.shutdown()

    def _connect(self, ray: Any) -> None:
        """Start Ray here or join the cluster; Ray itself waits 30 s at most, which a busy machine may need thrice."""
        here: dict[str, Any] = {"include_dashboard": False, "num_cpus": self.workers} if self.address is None else {}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                ray.init(address=self.address or "local", log_to_driver=False, logging_level="ERROR", **here)
                return
            except Exception as error:  # plain exceptions and many kinds of its own
                ray.shutdown()
                if attempt < _ATTEMPTS:
                    continue
                where = f"no Ray cluster answers at {self.address}" if self.address else "Ray did not start here"
                raise DataError(
                    f"{where} ({' '.join(str(error).split())[:200]}); nothing is lost, run the same command again"
                ) from error

    def _finished(self, ray: Any, function: Task, numbers: Sequence[int]) -> Iterator[int]:
        task = ray.remote(max_retries=self.retries)(_call)
        work = ray.put(function)
        waiting = list(numbers)
        running: list[object] = []
        while waiting or running:
            while waiting and len(running) < _AHEAD:
                running.append(task.remote(work, waiting.pop(0)))
            done, running = ray.wait(running)
            yield from ray.get(done)


def _call(function: Task, number: int) -> int:
    return function(number)
