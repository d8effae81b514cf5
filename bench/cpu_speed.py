"""What the processor can do, and what of it decoding, prefill and the tower reach at the widths of the 3B model.

    [VLLM_PYTHON=env/bin/python] python bench/cpu_speed.py [--clock cpu --threads 1] [--repeats 5] [--case decode]

Every case runs its sides in turns within one process, the machine's ceilings among them: a matrix product of
1,024 x 2,048 by 2,048 x 11,008 in bfloat16 (GFLOP/s) and a sum over 256 MiB in huge pages (GB/s). `plain` is this
program with PyTorch's kernels alone; transformers, llama.cpp and vLLM come in where they are (`cpu_peers.py`). Prints
one JSON line a case: medians in seconds, the share of the ceiling, ratios (median over the turns of another side's time
to ours, above 1: ours is quicker).
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from beside import arguments, report, seconds
from cpu_peers import VLLM, VOCABULARY, LlamaCpp, has, transformers_decode, transformers_text
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from viewfinder.config import OFFICIAL_SIZES
from viewfinder.model import Chunk, KVCache, native
from viewfinder.model.layers import Linear, attention
from viewfinder.model.quantized_linear import PackedWeight, put_packed, round_inputs
from viewfinder.model.qwen2_5_vl import TextModel
from viewfinder.model.vision import VisionTower

Side = Callable[[], Any]
LAYERS, BLOCKS = 2, 4
HAS_PEER = has("transformers")
SAME_BITS = {"llama.cpp Q8_0": "int8", "llama.cpp Q4_0": "int4"}
"""What a peer of few bits is compared with; the others with `ours`."""


def build(module: type[torch.nn.Module], settings: Any, bits: int = 16) -> Any:
    """Random weights in bfloat16, mapped from a file like those of a checkpoint; or those of linear layers rounded."""
    with torch.device("meta"):
        made = module(settings)
    made = made.to(torch.bfloat16).to_empty(device="cpu").eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for parameter in made.parameters():
        parameter.fill_(1.0) if parameter.dim() == 1 else parameter.uniform_(-0.02, 0.02, generator=generator)
    for name, layer in list(made.named_modules()) if bits < 16 else []:
        if isinstance(layer, Linear):
            put_packed(made, f"{name}.weight", PackedWeight.of(layer.weight, bits))
    if bits == 16:
        with tempfile.TemporaryDirectory() as folder:
            save_file(made.state_dict(), f"{folder}/model.safetensors")
            made.load_state_dict(load_file(f"{folder}/model.safetensors"), assign=True)
    return made


def text_settings() -> Any:
    return OFFICIAL_SIZES["3B"].text.model_copy(update={"num_hidden_layers": LAYERS, "vocab_size": VOCABULARY})


def weight_bytes(model: TextModel) -> int:
    return sum(t.numel() * t.element_size() for t in (*model.layers.parameters(), *model.layers.buffers()))


@contextmanager
def plain() -> Iterator[None]:
    """PyTorch's kernels alone."""
    saved = native.library
    native.library = lambda: None
    try:
        yield
    finally:
        native.library = saved


def without_kernels(side: Side) -> Any:
    with plain():
        return side()


def ceilings() -> dict[str, Side]:
    x, weight = torch.randn(1024, 2048).bfloat16(), torch.randn(11008, 2048).bfloat16()
    block = native.use_huge_pages(torch.empty(2**26)).fill_(1)
    return {"product": lambda: F.linear(x, weight), "stream": lambda: block.sum()}


def after(past: int, model: TextModel, dtype: torch.dtype = torch.bfloat16) -> Side:
    """One token after `past`, with keys and values in `dtype`."""
    positions, prompt, token = torch.arange(past + 1).expand(3, -1), hidden(past), hidden(1)
    blocks = range(past // 16 + 1)
    cache = KVCache(text_settings(), num_blocks=len(blocks), dtype=dtype)
    for at in range(0, past, 512):
        model(prompt[at : at + 512], positions[:, at : at + 512], [512], cache.view([Chunk(blocks, at, 512)]))
    return lambda: model(token, positions[:, past:], [1], cache.view([Chunk(blocks, past, 1)]))


def hidden(tokens: int) -> torch.Tensor:
    return torch.randn(tokens, 2048).bfloat16()


def decode(past: int) -> tuple[dict[str, Side], dict[str, float]]:
    """One token after `past`."""
    sides: dict[str, Side] = {}
    read: dict[str, float] = {}
    for name, bits in (("ours", 16), ("int8", 8), ("int4", 4)):
        model = build(TextModel, text_settings(), bits)
        sides[name] = after(past, model)
        read[name] = weight_bytes(model)
        if name == "ours":
            sides["keys in int8"] = after(past, model, torch.int8)
            sides["plain"] = partial(without_kernels, sides[name])
            if HAS_PEER:
                sides["transformers"] = transformers_decode(transformers_text(model, peer_config()), past, hidden)
            for name, peer in llama_sides(model, past + 64).items():
                sides[name] = peer.decode(past)
    return sides, read


def peer_config() -> Any:
    return OFFICIAL_SIZES["3B"].model_copy(update={"text": text_settings()})


def llama_sides(model: TextModel, room: int) -> dict[str, LlamaCpp]:
    if not has("llama_cpp"):
        return {}
    threads = torch.get_num_threads()
    kinds = ("BF16", "Q8_0", "Q4_0")
    return {f"llama.cpp {kind}": LlamaCpp(model, peer_config(), kind, threads, room) for kind in kinds}


VLLM_ANSWERS = {"decode": (512, 33), "prefill-1024": (1024, 1)}
"""Tokens of the prompt and of the answer."""


def prefill() -> tuple[dict[str, Side], dict[str, float]]:
    """1,024 tokens."""
    settings, positions = text_settings(), torch.arange(1024).expand(3, -1)
    prompt = hidden(1024)
    kinds = {"ours": 16, "int8": 8, "w8a8": 8, "int4": 4}
    models = {name: build(TextModel, settings, bits) for name, bits in kinds.items()}
    round_inputs(models["w8a8"])
    sides: dict[str, Side] = {
        name: partial(lambda model: model(prompt, positions, [1024]), model) for name, model in models.items()
    }
    sides["plain"] = partial(without_kernels, sides["ours"])
    if HAS_PEER:
        peer = transformers_text(models["ours"], peer_config())
        sides["transformers"] = lambda: peer(
            inputs_embeds=prompt[None], position_ids=positions[:, None], use_cache=False
        )
    sides |= {name: peer.prefill(1024) for name, peer in llama_sides(models["ours"], 1024).items()}
    products = 2 * 1024 * sum(p.numel() for p in models["ours"].layers.parameters())
    return sides, {"ours": products + LAYERS * 2 * 1024 * 1024 * 2048}


def tower(side: int, blocks: int = BLOCKS) -> tuple[dict[str, Side], dict[str, float]]:
    settings = OFFICIAL_SIZES["3B"].vision.model_copy(update={"depth": blocks, "fullatt_block_indexes": (blocks - 1,)})
    ours = build(VisionTower, settings)
    grid = torch.tensor([[1, side // 14, side // 14]])
    patches = torch.randn(int(grid.prod()), 1176)
    sides: dict[str, Side] = {"ours": lambda: ours(patches, grid)}
    sides["plain"] = partial(without_kernels, sides["ours"])
    if HAS_PEER:
        from transformers import Qwen2_5_VLConfig
        from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as peers

        whole = OFFICIAL_SIZES["3B"].model_copy(update={"vision": settings})
        config = Qwen2_5_VLConfig(**whole.to_dict()).vision_config
        config._attn_implementation = "sdpa"
        peer = peers.Qwen2_5_VisionTransformerPretrainedModel(config).to(torch.bfloat16).eval()
        peer.load_state_dict(ours.state_dict(), assign=True)
        sides["transformers"] = lambda: peer(patches.bfloat16(), grid_thw=grid)
    return sides, {}


def full_attention() -> tuple[dict[str, Side], dict[str, float]]:
    """Of the tower, 5,184 patches, four of its sixteen heads."""
    q, k, v = (torch.randn(1, 5184, 4, 80).bfloat16().transpose(1, 2) for _ in range(3))
    side = partial(attention, q, k, v)
    return {"ours": side, "plain": partial(without_kernels, side)}, {"ours": 4 * 4 * 80 * 5184**2}


CASES: dict[str, Callable[[], tuple[dict[str, Side], dict[str, float]]]] = {
    **{name: partial(decode, past) for name, past in (("decode", 512), ("decode-8192", 8192))},
    "prefill-1024": prefill,
    "attention-5184": full_attention,
    **{f"tower-{side}": partial(tower, side) for side in (504, 1036)},
}


def growth(times: dict[int, list[float]]) -> None:
    ratio = [large / small for small, large in zip(times[1008], times[2016], strict=True)]
    report("tower 2016 / tower 1008", {"ratio": statistics.median(ratio), "pairs": len(ratio)}, unit="")


def measure(case: str, options: Any) -> None:
    sides, amounts = CASES[case]()
    sides |= ceilings()
    timers: dict[str, Callable[[str], float]] = {name: partial(seconds, side) for name, side in sides.items()}
    python = os.environ.get("VLLM_PYTHON")
    if python is not None and case in VLLM_ANSWERS:
        timers["vllm"] = partial(VLLM(python, peer_config(), options.threads).seconds, *VLLM_ANSWERS[case])
    for timer in timers.values():
        timer(options.clock)
    times: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(options.repeats * (5 if case.startswith("decode") else 1)):
        for name, timer in timers.items():
            times[name].append(timer(options.clock))
    medians = {name: statistics.median(found) for name, found in times.items()}
    product, stream = 2 * 1024 * 2048 * 11008 / min(times["product"]) / 1e9, 2**28 / min(times["stream"]) / 1e9
    figures: dict[str, Any] = {"GFLOP/s": product, "GB/s": stream}
    for name, amount in amounts.items():
        rate = amount / min(times[name]) / 1e9
        figures[f"{name} of the ceiling"] = rate / (stream if case.startswith("decode") else product)
    for name in times.keys() - {"ours", "product", "stream"}:
        mine = SAME_BITS.get(name, "ours")
        pairs = zip(times[name], times[mine], strict=True)
        figures[f"{name} / {mine}"] = statistics.median(theirs / ours for theirs, ours in pairs)
    report(case, {**medians, **figures}, threads=options.threads, clock=options.clock)


@torch.inference_mode()
def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(options.threads)
    for case in [options.case] if options.case in CASES else [] if options.case else CASES:
        measure(case, options)
    if options.case in ("", "growth"):
        steps = {side: tower(side, 8)[0]["ours"] for side in (1008, 2016)}  # one full of eight, as in the model
        times: dict[int, list[float]] = {side: [] for side in steps}
        for _ in range(max(2, options.repeats // 2)):
            for side, step in steps.items():
                times[side].append(seconds(step, options.clock))
        growth(times)


if __name__ == "__main__":
    main()
