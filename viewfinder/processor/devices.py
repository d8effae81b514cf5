"""What a device can do, and how long a request takes on it at best: a roofline of multiply-adds and bytes.

A part of a request takes the longer of its FLOPs at the device's peak and its bytes at the speed of its memory. These
are bounds, not measurements: real kernels reach 40 to 80 % of them, and a step on a GPU waits for its host besides.
"""

from dataclasses import dataclass
from typing import Any

from viewfinder.config import OFFICIAL_SIZES, ModelConfig
from viewfinder.processor.cost import predict


@dataclass(frozen=True)
class Device:
    """A kind of device by its maker's figures.

    Attributes:
        flops: FLOP/s of dense 16-bit products (without sparsity); of float32 where it has no 16-bit arithmetic.
        bandwidth: bytes/s of its memory.
        memory: bytes.
        origin: where the figures stand.
    """

    name: str
    flops: float
    bandwidth: float
    memory: float
    origin: str


DEVICES = {
    device.name: device
    for device in (
        Device("H200", 989e12, 4.8e12, 141e9, "NVIDIA H200 data sheet (1,979 TFLOPS with sparsity, halved)"),
        Device("H100", 989e12, 3.35e12, 80e9, "NVIDIA H100 SXM data sheet (1,979 TFLOPS with sparsity, halved)"),
        Device("A100", 312e12, 2.039e12, 80e9, "NVIDIA A100 80GB SXM data sheet"),
        Device("L40S", 362e12, 0.864e12, 48e9, "NVIDIA L40S data sheet (733 TFLOPS with sparsity, halved)"),
        Device("4090", 165.2e12, 1.008e12, 24e9, "NVIDIA Ada GPU architecture paper, FP16 with FP32 accumulate"),
        Device("T4", 65e12, 0.32e12, 16e9, "NVIDIA T4 data sheet; float16, it has no bfloat16"),
        Device("M4-Max", 18.4e12, 0.546e12, 128e9, "Apple: 546 GB/s; FLOP/s of float32 by its 40 cores, estimated"),
        Device("CPU-AMX", 90e12, 0.307e12, 512e9, "Xeon Sapphire Rapids, 8 x DDR5-4800; 44 cores x 1,024 x 2 GHz"),
        Device("CPU-AVX2", 1.0e12, 0.0512e12, 64e9, "8 cores x 32 float32 FLOP x 4 GHz, 2 x DDR4-3200; estimated"),
        Device("phone", 2e12, 0.0768e12, 12e9, "4 x LPDDR5X-9600 of 16 bits; FLOP/s of a phone's GPU, estimated"),
    )
}


@dataclass(frozen=True)
class Roofline:
    """Bounds for one device and model with 16-bit weights.

    Attributes:
        first_token: seconds to the first token, the pixels of the request included.
        each_token: seconds for each token after it, of one sequence.
        throughput: tokens a second with `sequences` of the request's length at once, as many as fit the memory, 256
            at most.
        held: bytes of weights and of one request; on the first device where several share the weights.
        fits: whether that is within 90 % of the memory.
    """

    first_token: float
    each_token: float
    throughput: float
    sequences: int
    held: int
    fits: bool


def roofline(
    config: ModelConfig, grids: list[tuple[int, int, int]], num_tokens: int, device: Device, ranks: int = 1
) -> Roofline:
    """Bounds of a request of `num_tokens` with media of `grids` (frame pairs, rows and columns of patches).

    With `ranks` over 1, as many devices share the layers and the cache, and the first has the tower and the embedding
    table besides (`model.tensor_parallel`). What they send each other is not counted.
    """
    cost = predict(config, grids, num_tokens)
    read, text = decoder_bytes(config), config.text
    again = 2 * text.hidden_size * text.vocab_size if ranks > 1 and text.tie_word_embeddings else 0
    weights = cost.weight_bytes - read + again + read // ranks
    cache = cost.cache_bytes // ranks
    first = max((cost.vision_flops + cost.prefill_flops / ranks) / device.flops, weights / device.bandwidth)
    room = 0.9 * device.memory - weights
    sequences = max(0, min(256, int(room // max(1, cache))))
    held = weights + cache + cost.pixel_bytes

    def step(count: int) -> float:
        return max(count * cost.decode_flops / ranks / device.flops, (read / ranks + count * cache) / device.bandwidth)

    return Roofline(
        first_token=first,
        each_token=step(1),
        throughput=sequences / step(sequences) if sequences else 0.0,
        sequences=sequences,
        held=held,
        fits=held <= 0.9 * device.memory,
    )


def decoder_bytes(config: ModelConfig) -> int:
    """16-bit weights that one token reads: the language model with its output projection, not the tower."""
    return predict(config, [], 0).decode_flops  # two FLOPs and two bytes a weight


def devices_table() -> str:
    """The page `docs/devices.md`: `python -m viewfinder.processor.devices > docs/devices.md`."""
    side = 1036 // 14
    tokens = side * side // 4 + 40
    lines = [
        "# What devices can do",
        "",
        "Written by `python -m viewfinder.processor.devices`; `viewfinder inspect MEDIA --model 7B --device H100` says",
        "the same for a request of yours. These are **bounds from the makers' figures, not measurements**: the longer",
        "of FLOPs at the device's peak and bytes at the speed of its memory, 16-bit weights on one device. Kernels",
        "reach 40 to 80 % of them. Measurements are in [Results](results.md); none of them is of a GPU.",
        "",
        f"The request: one picture of 1036 x 1036 and a short question, {tokens:,} tokens. First: to the first token.",
        "One: tokens a second of one answer. Many: of as many answers at once as fit the memory (256 at most).",
        "",
        *_HEADING,
    ]
    picture = ([(1, side, side)], tokens)
    lines += [
        _row(size, name, roofline(config, *picture, device))
        for size, config in OFFICIAL_SIZES.items()
        for name, device in DEVICES.items()
    ]
    lines += [
        "",
        "With `--tensor-parallel N`, GPUs of one machine share the weights. The memory is that of the first, which",
        "has the most; what they send each other is not counted.",
        "",
        *_HEADING,
    ]
    lines += [
        _row(size, f"{ranks} x {name}", roofline(OFFICIAL_SIZES[size], *picture, DEVICES[name], ranks))
        for size in ("32B", "72B")
        for name in ("H200", "H100", "L40S", "4090")
        for ranks in (2, 4, 8)
    ]
    lines += ["", "## The figures", "", "| device | TFLOP/s | GB/s | GB | origin |", "|---|---|---|---|---|"]
    lines += [
        f"| {d.name} | {d.flops / 1e12:,.4g} | {d.bandwidth / 1e9:,.4g} | {d.memory / 1e9:.0f} | {d.origin} |"
        for d in DEVICES.values()
    ]
    return "\n".join(lines) + "\n"


_HEADING = (
    "| model | device | weights and request | first | one, tokens/s | many, tokens/s | at once |",
    "|---|---|---|---|---|---|---|",
)


def _row(size: str, device: str, bound: Roofline) -> str:
    head = f"| {size} | {device} | {bound.held / 1e9:.0f} GB |"
    if not bound.fits:
        return f"{head} does not fit | | | |"
    times = f"{_seconds(bound.first_token)} | {1 / bound.each_token:,.3g} | {bound.throughput:,.0f}"
    return f"{head} {times} | {bound.sequences} |"


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value >= 0.1 else f"{1000 * value:.2g} ms"


def told(
    config: ModelConfig, grids: list[tuple[int, int, int]], num_tokens: int, name: str, ranks: int = 1
) -> tuple[str, Any]:
    """The bounds of a request on the device called `name`, or on `ranks` of it, as a line and as numbers."""
    bound = roofline(config, grids, num_tokens, DEVICES[name], ranks)
    called = name if ranks == 1 else f"{ranks} x {name}"
    if not bound.fits:
        return f"{called}: {bound.held / 1e9:.1f} GB do not fit its {DEVICES[name].memory / 1e9:.0f} GB", bound
    line = f"{called} at best: {_seconds(bound.first_token)} to the first token, {1 / bound.each_token:,.3g} tokens/s"
    held = "" if ranks == 1 else f", {bound.held / 1e9:.1f} GB on the first"
    return f"{line} alone, {bound.throughput:,.0f} with {bound.sequences} at once{held} (a bound, not measured)", bound


if __name__ == "__main__":
    print(devices_table(), end="")
