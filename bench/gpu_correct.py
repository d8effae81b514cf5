"""What the machine is, and whether the paths of the product are right on it."""

import dataclasses
from typing import Any

import torch
from gpu_setup import Figures, Setup, decoding, drawn, kernels, request, run_step, seconds, with_layers
from torch.nn import functional as F

from viewfinder.engine import reference
from viewfinder.engine.engine import generate as engine_generate
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Sampling
from viewfinder.model import KVCache, Qwen2_5_VL
from viewfinder.model.attention import Chunk
from viewfinder.train.flops import measure_peak


def probe(setup: Setup) -> Figures:
    """What the machine is, its product and copy speeds, and which attention the model takes there."""
    yield "torch", torch.__version__
    if setup.is_gpu:
        properties = torch.cuda.get_device_properties(setup.device)
        yield "device", properties.name
        yield "memory GB", properties.total_memory / 1e9
        yield "cuda", torch.version.cuda
    size = 512 if setup.small else 8192
    yield "peak TFLOP/s", measure_peak(setup.dtype, setup.device.type, size) / 1e12
    data = torch.ones(size * size, device=setup.device)
    yield "copy GB/s", 2 * data.numel() * 4 / seconds(setup, lambda: data.clone()) / 1e9
    cache = KVCache(setup.config.text, 2, 256, dtype=setup.dtype, device=setup.device)
    yield "attention over pages", "kernel" if cache.is_paged else "loops"
    yield "decoding over pages", "Triton" if cache.decode_kernel else "none"
    text = setup.config.text
    q = torch.randn(1, text.num_attention_heads, 512, text.head_dim, device=setup.device, dtype=setup.dtype)
    kv = q[:, : text.num_key_value_heads]
    for length in (1, 512):

        def attend(length: int = length) -> None:
            F.scaled_dot_product_attention(q[:, :, -length:], kv, kv, is_causal=length > 1, enable_gqa=True)

        yield f"PyTorch's attention of {length} to 512", kernels(setup, attend)


@torch.no_grad()
def correct(setup: Setup) -> Figures:
    """Logits beside float32 on the CPU, and tokens of the engine beside the oracle, with and without chance."""
    inputs = request(setup.config, 40, 112)
    shallow = dataclasses.replace(setup, config=with_layers(setup.config, 4))
    wanted = shallow.model(torch.float32, torch.device("cpu"))
    weights = wanted.state_dict()
    logits = wanted(inputs)
    there = shallow.model(torch.float32)
    there.load_state_dict(weights)
    yield "float32, largest difference of logits", _off(there(inputs.to(setup.device)), logits)
    narrow = _off(wanted.bfloat16()(inputs), logits)
    again = shallow.model(torch.bfloat16)
    again.load_state_dict(weights)
    yield "bfloat16, its error over the CPU's", _off(again(inputs.to(setup.device)), logits) / narrow
    again.join_projections()
    last = _off(_in_two_steps(again, inputs.to(setup.device)), logits[-1:])
    yield "bfloat16 from the cache, its error over the CPU's", last / narrow
    there.join_projections()
    yield from _decode_kernel(setup, there)
    for name, sampling in {"greedy": Sampling(max_new_tokens=12), "drawn": drawn(12)}.items():
        fast = [t.id for t in engine_generate(there, inputs, sampling, eos_token_ids=())]
        slow = [t.id for t in reference.generate(_on_device(there), inputs, sampling, eos_token_ids=())]
        yield f"tokens equal the oracle's, {name}", fast == slow


def _decode_kernel(setup: Setup, model: Qwen2_5_VL) -> Figures:
    """The kernel for decoding beside the gathered way, and replayed graphs beside plain steps, by their tokens."""
    text, (longest, rows) = setup.config.text, (300, 3) if setup.small else (5000, 16)
    for dtype in (torch.float32, setup.dtype):
        cache = KVCache(text, rows * (longest // 256 + 1), 256, dtype=dtype, device=setup.device)
        if cache.decode_kernel is not None:
            memory = cache.layers[0].normal_()
            table = torch.randperm(cache.num_blocks, device=setup.device).int().view(rows, -1)
            lengths = torch.linspace(1, longest, rows, device=setup.device).int()
            q = torch.randn(rows, text.num_attention_heads, text.head_dim, dtype=dtype, device=setup.device)
            found = cache.decode_kernel(q, memory, table, lengths)
            yield f"decoding kernel in {dtype}, largest difference", _off(found, _gathered(q, memory, table, lengths))
    told = []
    for eager in (True, False):
        core = decoding(setup, model, 5, enforce_eager=eager)
        for _ in range(12):
            run_step(core)
        told.append([sequence.token_ids for sequence in core.scheduler.running])
    replays = core.runner.graphs.num_replays if core.runner.graphs else 0
    yield f"tokens of 5 requests, {replays} steps replayed, equal those of plain steps", told[0] == told[1]


def _gathered(q: torch.Tensor, memory: torch.Tensor, table: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """What a kernel for decoding has to give, in float32 on the CPU."""
    outs = []
    for row, blocks, length in zip(q.float().cpu(), table.tolist(), lengths.tolist(), strict=True):
        keys, values = memory[:, :, blocks].flatten(2, 3)[:, :, :length].float().cpu()
        heads = row.unflatten(0, (len(keys), -1))
        outs.append(F.scaled_dot_product_attention(heads, keys, values).flatten(0, 1))
    return torch.stack(outs)


def _off(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found.float().cpu() - wanted).abs().max())


def _in_two_steps(model: Qwen2_5_VL, inputs: ModelInputs) -> torch.Tensor:
    """Logits of the last token, read alone after the others, whose keys and values lie in blocks out of order."""
    length = len(inputs.input_ids)
    cache = KVCache(model.config.text, 8, 256, dtype=model.compute_dtype, device=model.device)
    cache.clear([5, 2])
    first = dataclasses.replace(
        inputs,
        input_ids=inputs.input_ids[:-1],
        position_ids=inputs.position_ids[:, :-1],
        cu_seqlens=torch.tensor([0, length - 1], dtype=torch.int32),
    )
    model(first, cache.view([Chunk([5, 2], 0, length - 1)]))
    one = ModelInputs(
        inputs.input_ids[-1:],
        inputs.position_ids[:, -1:],
        torch.tensor([0, 1], dtype=torch.int32),
        (0,),
        media_per_sequence=(0,),
    )
    return model(one, cache.view([Chunk([5, 2], length - 1, 1)]))


def _on_device(model: Qwen2_5_VL) -> Any:
    """The model for inputs on the CPU, as the oracle makes them."""

    def call(inputs: ModelInputs) -> torch.Tensor:
        return model(inputs.to(model.device, model.compute_dtype))

    call.config = model.config  # type: ignore[attr-defined]
    return call
