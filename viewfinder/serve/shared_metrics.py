"""The metrics of all workers behind one port, whichever of them is asked, each with a `worker` label.

Each leaves its own in a folder every second. Alone they would be of the worker that a scrape happens to come to: a
counter would go up and down, and Prometheus takes each fall for a restart.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_EVERY = 1.0
_LOST = 10.0
"""Seconds after which a worker that has left nothing is taken for ended."""
_SUFFIX = ".prom"


class SharedMetrics:
    """One worker's view.

    Attributes:
        folder: of all workers of this port; `worker` is this one's name in it.
    """

    def __init__(self, folder: Path, worker: str, own: Callable[[], bytes]) -> None:
        """`own` gives this worker's exposition."""
        self.folder, self._worker, self._own = folder, worker, own

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Leave this worker's figures every second, inside a running event loop."""
        task = asyncio.get_running_loop().create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()

    def leave(self) -> None:
        """Write this worker's figures for the others."""
        path = self.folder / (self._worker + _SUFFIX)
        whole = path.with_suffix(".new")
        whole.write_bytes(self._own())
        whole.replace(path)

    def text(self) -> bytes:
        """The exposition of all workers: this one's as they are now, of others at most a second old."""
        found = {self._worker: self._own().decode()}
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            with contextlib.suppress(OSError):  # the supervisor has cleared up
                if path.stem not in found and time.time() - path.stat().st_mtime < _LOST:
                    found[path.stem] = path.read_text()
        return labelled(found)

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                self.leave()
            await asyncio.sleep(_EVERY)


def labelled(texts: Mapping[str, str]) -> bytes:
    """One exposition out of those of several workers by name; each sample says whose it is."""
    registry = CollectorRegistry()
    registry.register(_Merged(texts))
    return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for worker, text in self._texts.items():
            for one in text_string_to_metric_families(text):
                family = families.setdefault(one.name, Metric(one.name, one.documentation, one.type))
                for sample in one.samples:
                    family.samples.append(sample._replace(labels={**sample.labels, "worker": worker}))
        yield from families.values()
