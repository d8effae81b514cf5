"""Named devices, and a request's time on them by their roofs: FLOP/s for what is computed, bytes/s for what is read."""

import time
from dataclasses import dataclass
from functools import cache

import torch

from viewfinder.config import ModelConfig
from viewfinder.processor.cost import Cost, predict
from viewfinder.processor.devices import DEVICES as KNOWN

REACHED_COMPUTE, REACHED_READING = 0.4, 0.7
"""Shares of the two roofs that are thought to be reached; on a processor measured here the roofs are measured ones."""


@dataclass(frozen=True)
class Roofs:
    """FLOP/s in bfloat16 (dense), bytes/s of memory, bytes of memory; from data sheets."""

    flops: float
    bandwidth: float
    memory: float


_SHARED = {"H200": "H200", "H100 SXM": "H100", "A100 80GB": "A100", "RTX 4090": "4090"}
DEVICES = {
    **{name: Roofs(d.flops, d.bandwidth, d.memory) for name, d in ((n, KNOWN[k]) for n, k in _SHARED.items())},
    "L4": Roofs(121e12, 0.3e12, 24e9),
    "Jetson AGX Orin": Roofs(42e12, 0.205e12, 64e9),
}
"""Those of `processor.devices` under the names of the pages, and two that stand at the edge (data sheets)."""


@dataclass(frozen=True)
class Request:
    """One picture, some words, an answer: `side` in pixels, the rest in tokens."""

    side: int = 1036
    words: int = 40
    answer: int = 64

    def cost(self, config: ModelConfig) -> Cost:
        patches = self.side // 14
        return predict(config, [(1, patches, patches)], (patches // 2) ** 2 + self.words)


def seconds(
    cost: Cost, roofs: Roofs, compute: float = REACHED_COMPUTE, reading: float = REACHED_READING
) -> tuple[float, float]:
    """To the first token, and a further token: whichever of computing and reading the weights takes longer."""
    read = cost.weight_bytes / (roofs.bandwidth * reading)
    first = max(cost.flops / (roofs.flops * compute), read)
    step = max(
        cost.decode_flops / (roofs.flops * compute),
        (cost.weight_bytes + cost.cache_bytes) / (roofs.bandwidth * reading),
    )
    return first, step


@cache
def measured_roofs(dtype: torch.dtype = torch.bfloat16) -> Roofs:
    """Of this processor, now, with the threads of this process: a matrix product, and a sum over 256 MB."""
    from viewfinder.train.flops import measure_peak

    data = torch.ones(2**26, dtype=torch.float32)
    best = min(clock(data.sum) for _ in range(4))
    return Roofs(measure_peak(dtype, size=1024), data.numel() * 4 / best, 0.0)


def clock(work: object) -> float:
    """Seconds that `work()` takes."""
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start
