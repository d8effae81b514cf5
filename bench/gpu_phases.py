"""The phases of `bench/gpu.py`: each yields names and values as they are found."""

import dataclasses
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from viewfinder.config import OFFICIAL_SIZES, ModelConfig
from viewfinder.engine import reference
from viewfinder.engine.batch_sampler import Turn, sample
from viewfinder.engine.engine import EngineCore
from viewfinder.engine.engine import generate as engine_generate
from viewfinder.engine.sampler import Sampler
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Sampling
from viewfinder.model import KVCache, Qwen2_5_VL
from viewfinder.model.attention import Chunk
from viewfinder.processor.cost import predict
from viewfinder.processor.mrope import rope_index
from viewfinder.recipes.run import train as train_recipe
from viewfinder.train.flops import measure_peak

Figures = Iterator[tuple[str, Any]]


@dataclasses.dataclass(frozen=True)
class Setup:
    device: torch.device
    config: ModelConfig
    small: bool

    @classmethod
    def of(cls, device: str, small: bool) -> "Setup":
        return cls(torch.device(device), small_config() if small else OFFICIAL_SIZES["3B"], small)

    @property
    def is_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.is_gpu else torch.float32

    def model(self, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Qwen2_5_VL:
        """Random weights, with logits as steep as a model's: in flat ones a drawn token is decided by rounding."""
        with torch.device("meta"):
            model = Qwen2_5_VL(self.config)
        model = model.to_empty(device=device or self.device).to(dtype or self.dtype).eval().requires_grad_(False)
        model.tie_weights()
        generator = torch.Generator(device=model.device).manual_seed(0)
        for parameter in model.parameters():
            parameter.fill_(1.0) if parameter.ndim == 1 else parameter.normal_(0, 0.02, generator=generator)
        model.model.norm.weight.fill_(6 / 0.02 / self.config.text.hidden_size**0.5)
        return model


def small_config() -> ModelConfig:
    official = OFFICIAL_SIZES["3B"]
    text = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = {"hidden_size": 64, "intermediate_size": 128, "depth": 2, "num_heads": 2, "out_hidden_size": 256}
    return official.model_copy(
        update={
            "text": official.text.model_copy(update={**text, "num_key_value_heads": 1}),
            "vision": official.vision.model_copy(update={**vision, "fullatt_block_indexes": (1,)}),
        }
    )


def request(config: ModelConfig, num_text: int, side: int = 0, seed: int = 0) -> ModelInputs:
    """A prompt of random words, after a picture of `side` pixels where that is not 0."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1000, 100_000, (num_text,), generator=generator)
    grid = torch.tensor([[1, side // 14, side // 14]])
    if side:
        ids = torch.cat([torch.full((int(grid.prod()) // 4,), config.image_token_id), ids])
    kinds, seconds = (("image",), (0.0,)) if side else ((), ())
    positions, delta = rope_index(
        ids,
        grid if side else None,
        seconds,
        image_token_id=config.image_token_id,
        video_token_id=config.video_token_id,
    )
    return ModelInputs(
        input_ids=ids,
        position_ids=positions,
        cu_seqlens=torch.tensor([0, len(ids)], dtype=torch.int32),
        rope_deltas=(delta,),
        pixel_values=torch.randn(int(grid.prod()), 1176, generator=generator) if side else None,
        grid_thw=grid if side else None,
        media_kinds=kinds,
        media_per_sequence=(len(kinds),),
        second_per_grid_ts=seconds,
    )


def seconds(setup: Setup, run: Callable[[], Any], repeats: int = 5) -> float:
    """Median of some runs after one that is not counted, the device waited for."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        if setup.is_gpu:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def kernels(setup: Setup, run: Callable[[], Any]) -> str:
    """The names of the GPU's kernels that a call starts, most frequent first; on a CPU of PyTorch's operations."""
    run()
    with torch.profiler.profile() as profile:
        run()
    kind = torch.autograd.DeviceType.CUDA if setup.is_gpu else torch.autograd.DeviceType.CPU
    names = Counter(event.name for event in profile.events() or () if event.device_type == kind)
    return f"{names.total()}: " + ", ".join(f"{count} {name[:60]}" for name, count in names.most_common(4))


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
    shallow = dataclasses.replace(setup, config=_layers(setup.config, 4))
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
    for name, sampling in {"greedy": Sampling(max_new_tokens=12), "drawn": _drawn(12)}.items():
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
        core = _decoding(setup, model, 5, enforce_eager=eager)
        for _ in range(12):
            _step(core)
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


def _drawn(count: int) -> Sampling:
    return Sampling(max_new_tokens=count, temperature=0.8, top_p=0.9, repetition_penalty=1.05, seed=1)


def _on_device(model: Qwen2_5_VL) -> Any:
    """The model for inputs on the CPU, as the oracle makes them."""

    def call(inputs: ModelInputs) -> torch.Tensor:
        return model(inputs.to(model.device, model.compute_dtype))

    call.config = model.config  # type: ignore[attr-defined]
    return call


def _layers(config: ModelConfig, most: int) -> ModelConfig:
    count = min(most, config.text.num_hidden_layers)
    return config.model_copy(update={"text": config.text.model_copy(update={"num_hidden_layers": count})})


@torch.no_grad()
def speed(setup: Setup) -> Figures:
    """Tokens a second while decoding and of a prompt, pictures a second, and choosing from 64 rows."""
    model = setup.model()
    model.join_projections()
    length = 256 if setup.small else 8192
    prompt = request(setup.config, length).to(setup.device)
    at = torch.tensor([length - 1], device=setup.device)
    yield f"prompt of {length}, tokens/s", length / seconds(setup, lambda: model(prompt, logits_at=at), 3)
    side = 112 if setup.small else 1036
    picture = request(setup.config, 1, side)
    assert picture.pixel_values is not None
    pixels = picture.pixel_values.to(setup.device, setup.dtype)
    taken = seconds(setup, lambda: model.visual(pixels, picture.grid_thw))
    yield f"tower at {side} x {side}, pictures/s", 1 / taken
    logits = 3 * torch.randn(64, setup.config.text.vocab_size, device=setup.device)
    fresh = [Sampler(setup.config, request(setup.config, 100), _drawn(100), ()) for _ in range(64)]
    yield "choosing from 64 rows, ms", 1e3 * seconds(setup, lambda: sample([Turn(s) for s in fresh], logits), 3)
    for batch in (1, 4) if setup.small else (1, 16, 64, 256):
        for eager in (True, False):
            core, name = _decoding(setup, model, batch, eager), f"decode, {batch} at once{', eager' if eager else ''}"
            yield f"{name}, tokens/s", batch / _step_seconds(core, 4 if setup.small else 64)
            yield f"{name}, launches of a step", kernels(setup, lambda core=core: _step(core))
            del core


def _decoding(setup: Setup, model: Qwen2_5_VL, batch: int, enforce_eager: bool = False) -> EngineCore:
    """An engine in which `batch` sequences of some hundred tokens have been read."""
    settings = {"max_num_seqs": batch, "enforce_eager": enforce_eager, "cache_bytes": None if setup.is_gpu else 2**26}
    core = EngineCore(model, EngineConfig.for_device(setup.device.type, **settings))
    for i in range(batch):
        inputs = request(setup.config, 32 if setup.small else 512, seed=i)
        sampler = Sampler(setup.config, inputs, Sampling(max_new_tokens=200, ignore_eos=True), ())
        core.scheduler.add(core.runner.make_sequence(inputs, sampler))
    while not all(s.is_decoding for s in core.scheduler.running) or core.scheduler.num_waiting:
        _step(core)
    _step(core)
    return core


def _step(core: EngineCore) -> None:
    for output in core.step():
        if output.error is not None:  # a step that fails is the fastest
            raise output.error


def _step_seconds(core: EngineCore, steps: int) -> float:
    """A step ends with the transfer of its tokens, so the device is waited for."""
    start = time.perf_counter()
    for _ in range(steps):
        _step(core)
    return (time.perf_counter() - start) / steps


@torch.no_grad()
def peer(setup: Setup) -> Figures:
    """transformers on the same weights: a prompt, the tower, and steps of decoding; above 1 we are faster."""
    from transformers import Qwen2_5_VLConfig
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as module

    model = setup.model()
    whole = Qwen2_5_VLConfig(**setup.config.to_dict())
    for part in (whole, whole.text_config, whole.vision_config):
        part._attn_implementation = "sdpa"
    other = _same_weights(setup, module.Qwen2_5_VLTextModel, whole.text_config, model.model)
    length = 128 if setup.small else 4096
    hidden = model.model.embed_tokens(request(setup.config, length).input_ids.to(setup.device))
    positions = torch.arange(length, device=setup.device).expand(3, -1)

    def theirs() -> torch.Tensor:
        return other(inputs_embeds=hidden[None], position_ids=positions[:, None], use_cache=False).last_hidden_state[0]

    def ours() -> torch.Tensor:
        return model.model(hidden, positions, [length])

    yield "largest difference of hidden states", float((ours() - theirs()).abs().max())
    yield f"prompt of {length}, transformers' time over ours", seconds(setup, theirs, 3) / seconds(setup, ours, 3)
    model.join_projections()
    for batch in (1, 4) if setup.small else (1, 64):
        taken = _step_seconds(_decoding(setup, model, batch), 4 if setup.small else 32)
        yield f"decode, {batch} at once, transformers' time over ours", _peer_step(setup, model, other, batch) / taken
    side = 112 if setup.small else 1036
    picture = request(setup.config, 1, side)
    assert picture.pixel_values is not None
    assert picture.grid_thw is not None
    pixels, grid = picture.pixel_values.to(setup.device, setup.dtype), picture.grid_thw.to(setup.device)
    tower = _same_weights(setup, module.Qwen2_5_VisionTransformerPretrainedModel, whole.vision_config, model.visual)
    its, mine = (seconds(setup, lambda run=run: run(pixels, grid)) for run in (tower, model.visual))  # type: ignore[misc]
    yield f"tower at {side} x {side}, transformers' time over ours", its / mine


def _same_weights(setup: Setup, kind: Any, config: Any, ours: torch.nn.Module) -> Any:
    torch.set_default_dtype(setup.dtype)  # not `.to`: its rotation stays in float32
    try:
        with setup.device:
            other = kind(config)
    finally:
        torch.set_default_dtype(torch.float32)
    other.load_state_dict(ours.state_dict())
    return other.eval()


def _peer_step(setup: Setup, model: Qwen2_5_VL, other: Any, batch: int) -> float:
    """Seconds of one greedy step of transformers, with its cache that grows."""
    from transformers import DynamicCache

    length, steps = (32, 4) if setup.small else (512, 32)
    cache = DynamicCache()
    ids = torch.stack([request(setup.config, length, seed=i).input_ids for i in range(batch)]).to(setup.device)

    def step(ids: torch.Tensor, past: int) -> torch.Tensor:
        places = torch.arange(past, past + ids.shape[1], device=setup.device).expand(3, batch, -1)
        out = other(input_ids=ids, position_ids=places, past_key_values=cache, use_cache=True).last_hidden_state
        return model.lm_head(out[:, -1:]).argmax(-1)

    ids = step(step(ids, 0), length)
    start = time.perf_counter()
    for i in range(steps):
        ids = step(ids, length + 1 + i)
        ids.tolist()  # as a server has to
    return (time.perf_counter() - start) / steps


def train(setup: Setup) -> Figures:
    """A step of SFT with all weights: its seconds and the share of the measured peak that it reaches."""
    config = setup.config if setup.small else _layers(setup.config, 12)
    model = dataclasses.replace(setup, config=config).model(torch.float32).train().requires_grad_()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-5, fused=setup.is_gpu)
    length = 128 if setup.small else 4096
    inputs = request(config, length, 112 if setup.small else 448).to(setup.device)
    ids = inputs.input_ids

    def step() -> None:
        with torch.autocast(setup.device.type, torch.bfloat16, enabled=setup.is_gpu):
            logits = model(inputs)
        F.cross_entropy(logits[:-1].float(), ids[1:]).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    taken = seconds(setup, step, 2 if setup.small else 4)
    yield "seconds a step", taken
    grids = [] if inputs.grid_thw is None else [tuple(row) for row in inputs.grid_thw.tolist()]
    cost = predict(config, grids, len(ids))
    head = 2 * config.text.hidden_size * config.text.vocab_size * (len(ids) - 1)
    peak = measure_peak(setup.dtype, setup.device.type, 512 if setup.small else 8192)
    yield "share of the measured peak", 3 * (cost.flops + head) / taken / peak
    yield from _product_run(setup)


def _product_run(setup: Setup) -> Figures:
    """`viewfinder train sft` from the built-in model: two steps, then two more from what was saved."""
    picture = str(Path(__file__).parents[1] / "examples" / "shapes.png")
    turns = [{"from": "human", "value": "<image>Where is the star?"}, {"from": "gpt", "value": "On the right."}]
    with tempfile.TemporaryDirectory() as folder:
        out, rows = Path(folder) / "run", Path(folder) / "rows.json"
        rows.write_text(json.dumps([{"image": picture, "conversations": turns}] * 16))
        settings = [f"data.source={rows}", f"device={setup.device.type}", "seq_len=512", "global_batch_size=1"]
        for steps in (2, 4):
            told: list[str] = []
            figures = train_recipe("sft", out, [*settings, f"steps={steps}"], init="tiny", tell=told.append)
            yield f"viewfinder train sft, loss after {steps} steps", figures["loss"]
        yield "viewfinder train sft", told[0]
