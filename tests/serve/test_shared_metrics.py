"""One exposition of several workers: every series keeps its own count and says whose it is."""

import asyncio
import os
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from viewfinder.serve.shared_metrics import SharedMetrics


class Figures:
    """A worker's own."""

    def __init__(self, requests: int, running: int) -> None:
        registry = CollectorRegistry()
        self.requests = Counter("viewfinder_requests", "Requests by path", ("path",), registry=registry)
        self.requests.labels("/v1/models").inc(requests)
        Gauge("viewfinder_num_requests_running", "Requests being answered", registry=registry).set(running)
        Histogram("viewfinder_seconds", "Time", buckets=(1, 5), registry=registry).observe(2)
        self.text = lambda: generate_latest(registry)


def samples(text: bytes) -> dict[tuple[str, str], float]:
    """Values by name and worker; of a histogram's buckets the second."""
    return {
        (sample.name, sample.labels["worker"]): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.labels.get("le", "5.0") == "5.0"
    }


def test_any_worker_tells_of_all(tmp_path: Path) -> None:
    figures = [Figures(3, 1), Figures(40, 2)]
    workers = [SharedMetrics(tmp_path, str(i), one.text) for i, one in enumerate(figures)]
    for worker in workers:
        worker.leave()
    figures[0].requests.labels("/v1/models").inc()  # its own are told as they are now
    for asked, first in ((workers[0], 4), (workers[1], 3)):
        found = samples(asked.text())
        assert found["viewfinder_requests_total", "0"] == first
        assert found["viewfinder_requests_total", "1"] == 40
        assert found["viewfinder_num_requests_running", "1"] == 2
        assert found["viewfinder_seconds_bucket", "0"] == found["viewfinder_seconds_count", "1"] == 1
    text = workers[0].text().decode()
    assert text.count("# TYPE viewfinder_requests_total counter") == 1
    assert text.count("# HELP viewfinder_seconds Time") == 1


def test_a_worker_that_has_ended_is_not_told_of(tmp_path: Path) -> None:
    workers = [SharedMetrics(tmp_path, str(i), Figures(i, 0).text) for i in range(2)]
    workers[1].leave()
    long_ago = time.time() - 60
    os.utime(tmp_path / "1.prom", (long_ago, long_ago))
    assert {worker for _, worker in samples(workers[0].text())} == {"0"}


def test_figures_are_left_while_a_server_runs(tmp_path: Path) -> None:
    async def run() -> None:
        async with SharedMetrics(tmp_path, "0", Figures(7, 0).text).kept():
            await asyncio.sleep(0.05)

    asyncio.run(run())
    assert samples(SharedMetrics(tmp_path, "1", Figures(0, 0).text).text())["viewfinder_requests_total", "0"] == 7
