"""Prometheus metrics of one server: requests as they end, and the engine's own counters when asked.

Names are vLLM's behind another prefix where the meaning is the same.
"""

from collections.abc import Iterator, Sized

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.sequence import Latency
from viewfinder.media.sandbox import Sandbox

_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """A registry of its own, so that two servers in one process do not mix."""

    def __init__(self, engine: AsyncEngine, sandbox: Sandbox, streams: Sized) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "viewfinder_requests", "Requests by path and status", ("path", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "viewfinder_request_seconds",
            "Time to the end of an answer",
            ("path",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._latencies = {
            field: Histogram(f"viewfinder_{name}_seconds", text, buckets=_LATENCIES, registry=self.registry)
            for field, name, text in (
                ("queue", "request_queue_time", "From the queue to a place among those that run"),
                ("first_token", "time_to_first_token", "From the queue to the first token"),
                ("each_token", "time_per_output_token", "Of each token after the first"),
                ("whole", "e2e_request_latency", "From the queue to the last token"),
            )
        }
        engine.on_finish = self._finished
        self.registry.register(_Engine(engine, sandbox, streams))

    def _finished(self, latency: Latency) -> None:
        for field, histogram in self._latencies.items():
            histogram.observe(getattr(latency, field))

    def observe(self, path: str, status: int, seconds: float) -> None:
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


class _Engine(Collector):
    def __init__(self, engine: AsyncEngine, sandbox: Sandbox, streams: Sized) -> None:
        self._engine, self._sandbox, self._streams = engine, sandbox, streams

    def describe(self) -> list[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        counters, core = self._engine.counters, self._engine.core
        scheduler, blocks, features = core.scheduler, core.scheduler.block_manager, core.runner.encoder.cache
        for name, value in vars(counters).items():
            yield CounterMetricFamily(f"viewfinder_engine_{name}", name.replace("_", " "), value=value)
        used = 1 - blocks.num_available / blocks.num_blocks
        for name, value, text in (
            ("num_requests_running", len(scheduler.running), "Requests being answered"),
            ("num_requests_waiting", scheduler.num_waiting, "Requests in the queue"),
            ("kv_cache_usage_perc", used, "Share of the cache's blocks in use"),
            ("live_sessions", len(self._streams), "Live sessions that are open"),
            ("feature_cache_bytes", features.num_bytes, "Bytes of the vision-feature cache"),
        ):
            yield GaugeMetricFamily(f"viewfinder_{name}", text, value=value)
        for name, value, text in (
            ("vision_patches_encoded", core.runner.encoder.num_patches, "Patches that the vision tower has seen"),
            ("feature_cache_hits", features.hits, "Media whose features were known"),
            ("decode_jobs", self._sandbox.jobs, "Files decoded"),
            ("decode_workers_lost", self._sandbox.lost, "Decode workers that died or were stopped"),
        ):
            yield CounterMetricFamily(f"viewfinder_{name}", text, value=value)
