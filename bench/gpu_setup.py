"""What the phases of `bench/gpu.py` share: a model of random weights, prompts, a clock.

Each phase yields names and values as they are found.
"""

import dataclasses
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch

from viewfinder.config import OFFICIAL_SIZES, ModelConfig
from viewfinder.engine.engine import EngineCore
from viewfinder.engine.sampler import Sampler
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Sampling
from viewfinder.model import Qwen2_5_VL
from viewfinder.processor.mrope import rope_index

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


def with_layers(config: ModelConfig, most: int) -> ModelConfig:
    count = min(most, config.text.num_hidden_layers)
    return config.model_copy(update={"text": config.text.model_copy(update={"num_hidden_layers": count})})


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


def drawn(count: int) -> Sampling:
    return Sampling(max_new_tokens=count, temperature=0.8, top_p=0.9, repetition_penalty=1.05, seed=1)


def decoding(setup: Setup, model: Qwen2_5_VL, batch: int, enforce_eager: bool = False) -> EngineCore:
    """An engine in which `batch` sequences of some hundred tokens have been read."""
    settings = {"max_num_seqs": batch, "enforce_eager": enforce_eager, "cache_bytes": None if setup.is_gpu else 2**26}
    core = EngineCore(model, EngineConfig.for_device(setup.device.type, **settings))
    for i in range(batch):
        inputs = request(setup.config, 32 if setup.small else 512, seed=i)
        sampler = Sampler(setup.config, inputs, Sampling(max_new_tokens=200, ignore_eos=True), ())
        core.scheduler.add(core.runner.make_sequence(inputs, sampler))
    while not all(s.is_decoding for s in core.scheduler.running) or core.scheduler.num_waiting:
        run_step(core)
    run_step(core)
    return core


def run_step(core: EngineCore) -> None:
    for output in core.step():
        if output.error is not None:  # a step that fails is the fastest
            raise output.error


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
