"""One script for a GPU: what it is, whether paths are right on it, how fast, beside transformers, and training.

    python bench/gpu.py [--out FOLDER] [--phases probe,correct,speed,peer,train]      some minutes on one GPU
    python bench/gpu.py --device cpu --small                                          all of it, dry, in three minutes

Weights are random, made on the device, at the widths of the 3B model (`--small`: a tiny one). After each phase
`gpu.json` and `gpu.md` in FOLDER have all results so far; a phase that fails is a result and the next one goes on.
Needs PyTorch with CUDA and the wheels WHEELS; `--list-wheels` prints them. transformers only for the phase `peer`.
"""

import argparse
import dataclasses
import json
import statistics
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from viewfinder.config import OFFICIAL_SIZES, ModelConfig
from viewfinder.engine import reference
from viewfinder.engine.batch_sampler import Turn, sample
from viewfinder.engine.engine import EngineCore
from viewfinder.engine.engine import generate as engine_generate
from viewfinder.engine.sampler import Sampler
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Sampling
from viewfinder.model import Qwen2_5_VL
from viewfinder.processor.cost import predict
from viewfinder.processor.mrope import rope_index
from viewfinder.train.flops import measure_peak

WHEELS = (
    *("jaxtyping", "wadler-lindig", "pydantic", "pydantic-core", "annotated-types", "typing-inspection"),
    *("typing-extensions", "llguidance", "safetensors", "tokenizers", "huggingface-hub", "pillow", "numpy", "tqdm"),
    *("transformers", "regex", "packaging", "pyyaml", "filelock"),  # for the phase `peer`
)
PHASES = ("probe", "correct", "speed", "peer", "train")


@dataclasses.dataclass(frozen=True)
class Setup:
    device: torch.device
    config: ModelConfig
    small: bool

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.device.type == "cuda" else torch.float32

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
        if setup.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def probe(setup: Setup) -> dict[str, Any]:
    """What the machine is, its product and copy speeds, and which attention the model takes there."""
    from viewfinder.model import KVCache

    size = 512 if setup.small else 8192
    cache = KVCache(setup.config.text, 2, 256, dtype=setup.dtype, device=setup.device)
    data = torch.ones(size * size, device=setup.device)
    copied = seconds(setup, lambda: data.clone())
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "peak TFLOP/s": measure_peak(setup.dtype, setup.device.type, size) / 1e12,
        "copy GB/s": 2 * data.numel() * 4 / copied / 1e9,
        "attention over pages": "kernel" if cache.is_paged else "loops",
    }
    if setup.device.type == "cuda":
        properties = torch.cuda.get_device_properties(setup.device)
        found |= {"device": properties.name, "memory GB": properties.total_memory / 1e9, "cuda": torch.version.cuda}
    return found


@torch.inference_mode()
def correct(setup: Setup) -> dict[str, Any]:
    """Logits beside float32 on the CPU, and tokens of the engine beside the oracle, with and without chance."""
    inputs = request(setup.config, 40, 112)
    shallow = dataclasses.replace(setup, config=_layers(setup.config, 4))
    wanted = shallow.model(torch.float32, torch.device("cpu"))
    weights = wanted.state_dict()
    logits, found = wanted(inputs), {}
    there = shallow.model(torch.float32)
    there.load_state_dict(weights)
    found["float32, largest difference of logits"] = float((there(_moved(inputs, setup)).cpu() - logits).abs().max())
    narrow = (wanted.bfloat16()(inputs).float() - logits).abs().max()
    again = shallow.model(torch.bfloat16)
    again.load_state_dict(weights)
    off = (again(_moved(inputs, setup)).float().cpu() - logits).abs().max()
    found["bfloat16, its error over the CPU's"] = float(off / narrow)
    there.join_projections()
    for name, sampling in {"greedy": Sampling(max_new_tokens=12), "drawn": _drawn(12)}.items():
        fast = [t.id for t in engine_generate(there, inputs, sampling, eos_token_ids=())]
        slow = [t.id for t in reference.generate(_on_device(there), inputs, sampling, eos_token_ids=())]
        found[f"tokens equal the oracle's, {name}"] = fast == slow
    return found


def _drawn(count: int) -> Sampling:
    return Sampling(max_new_tokens=count, temperature=0.8, top_p=0.9, repetition_penalty=1.05, seed=1)


def _on_device(model: Qwen2_5_VL) -> Any:
    """The model for inputs on the CPU, as the oracle makes them."""

    def call(inputs: ModelInputs) -> torch.Tensor:
        return model(inputs.to(model.device, model.compute_dtype))

    call.config = model.config  # type: ignore[attr-defined]
    return call


def _moved(inputs: ModelInputs, setup: Setup) -> ModelInputs:
    return inputs.to(setup.device)


def _layers(config: ModelConfig, most: int) -> ModelConfig:
    count = min(most, config.text.num_hidden_layers)
    return config.model_copy(update={"text": config.text.model_copy(update={"num_hidden_layers": count})})


@torch.inference_mode()
def speed(setup: Setup) -> dict[str, Any]:
    """Tokens a second while decoding, of a prompt, pictures a second, and choosing from 64 rows."""
    model = setup.model()
    model.join_projections()
    found: dict[str, Any] = {}
    for batch in (1, 4) if setup.small else (1, 16, 64, 256):
        found[f"decode, {batch} at once, tokens/s"] = _decode_speed(setup, model, batch)
    length = 256 if setup.small else 8192
    prompt = request(setup.config, length)
    taken = seconds(setup, lambda: model(prompt.to(setup.device), logits_at=torch.tensor([length - 1])), 3)
    found[f"prompt of {length}, tokens/s"] = length / taken
    side = 112 if setup.small else 1036
    picture = request(setup.config, 1, side)
    assert picture.pixel_values is not None
    pixels = picture.pixel_values.to(setup.device, setup.dtype)
    found[f"tower at {side} x {side}, pictures/s"] = 1 / seconds(setup, lambda: model.visual(pixels, picture.grid_thw))
    logits = 3 * torch.randn(64, setup.config.text.vocab_size, device=setup.device)
    fresh = [Sampler(setup.config, request(setup.config, 100), _drawn(100), ()) for _ in range(64)]
    found["choosing from 64 rows, ms"] = 1e3 * seconds(setup, lambda: sample([Turn(s) for s in fresh], logits), 3)
    return found


def _decode_speed(setup: Setup, model: Qwen2_5_VL, batch: int) -> float:
    length, steps = (32, 4) if setup.small else (512, 64)
    config = EngineConfig.for_device(
        setup.device.type, max_num_seqs=batch, cache_bytes=None if setup.device.type == "cuda" else 2**26
    )
    core = EngineCore(model, config)
    for i in range(batch):
        inputs = request(setup.config, length, seed=i)
        sampler = Sampler(setup.config, inputs, Sampling(max_new_tokens=steps + 10, ignore_eos=True), ())
        core.scheduler.add(core.runner.make_sequence(inputs, sampler))
    while not all(s.is_decoding for s in core.scheduler.running) or core.scheduler.num_waiting:
        core.step()
    core.step()
    start = time.perf_counter()
    for _ in range(steps):
        core.step()
    return batch * steps / (time.perf_counter() - start)


@torch.inference_mode()
def peer(setup: Setup) -> dict[str, Any]:
    """transformers on the same weights: a prompt and one decoding step, in turns; above 1 we are faster."""
    from transformers import Qwen2_5_VLConfig
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as module

    model = setup.model()
    peer_config = Qwen2_5_VLConfig(**setup.config.to_dict()).text_config
    peer_config._attn_implementation = "sdpa"
    with torch.device("meta"):
        other = module.Qwen2_5_VLTextModel(peer_config)
    other.load_state_dict(model.model.state_dict(), assign=True)
    other.rotary_emb = module.Qwen2_5_VLRotaryEmbedding(peer_config).to(setup.device)
    other.eval()
    length = 128 if setup.small else 4096
    ids = request(setup.config, length).input_ids.to(setup.device)
    hidden = model.model.embed_tokens(ids)
    positions = torch.arange(length, device=setup.device).expand(3, -1)
    ours = model.model(hidden, positions, [length])
    theirs = other(inputs_embeds=hidden[None], position_ids=positions[:, None], use_cache=False).last_hidden_state[0]
    mine = seconds(setup, lambda: model.model(hidden, positions, [length]), 3)
    its = seconds(setup, lambda: other(inputs_embeds=hidden[None], position_ids=positions[:, None], use_cache=False), 3)
    found = {"largest difference of hidden states": float((ours - theirs).abs().max())}
    return found | {f"prompt of {length}, transformers' time over ours": its / mine}


def train(setup: Setup) -> dict[str, Any]:
    """A step of SFT with all weights: its seconds and the share of the measured peak that it reaches."""
    config = setup.config if setup.small else _layers(setup.config, 12)
    model = dataclasses.replace(setup, config=config).model(torch.float32).train().requires_grad_()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-5, fused=setup.device.type == "cuda")
    length = 128 if setup.small else 4096
    inputs = request(config, length, 112 if setup.small else 448).to(setup.device)

    def step() -> None:
        with torch.autocast(setup.device.type, torch.bfloat16, enabled=setup.device.type == "cuda"):
            logits = model(inputs)
        torch.nn.functional.cross_entropy(logits[:-1].float(), inputs.input_ids[1:]).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    taken = seconds(setup, step, 2 if setup.small else 4)
    grids = [] if inputs.grid_thw is None else [tuple(row) for row in inputs.grid_thw.tolist()]
    cost = predict(config, grids, len(inputs.input_ids))
    head = 2 * config.text.hidden_size * config.text.vocab_size * (len(inputs.input_ids) - 1)
    peak = measure_peak(setup.dtype, setup.device.type, 512 if setup.small else 8192)
    return {"seconds a step": taken, "share of the measured peak": 3 * (cost.flops + head) / taken / peak}


def write(out: Path, results: dict[str, Any]) -> None:
    (out / "gpu.json").write_text(json.dumps(results, indent=2) + "\n")
    lines = ["| phase | what | value |", "|---|---|---|"]
    for phase, values in results.items():
        lines += [f"| {phase} | {k} | {f'{v:.4g}' if isinstance(v, float) else v} |" for k, v in values.items()]
    (out / "gpu.md").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out/gpu"))
    parser.add_argument("--phases", default=",".join(PHASES))
    parser.add_argument("--list-wheels", action="store_true")
    options = parser.parse_args()
    if options.list_wheels:
        print("\n".join(WHEELS))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    setup = Setup(
        torch.device(options.device), small_config() if options.small else OFFICIAL_SIZES["3B"], options.small
    )
    results: dict[str, Any] = {}
    for phase in options.phases.split(","):
        start = time.perf_counter()
        try:
            found = globals()[phase](setup)
        except Exception as error:
            traceback.print_exc()
            found = {"failed": f"{type(error).__name__}: {error}"}
        results[phase] = {**found, "seconds": time.perf_counter() - start}
        write(options.out, results)
        print(phase, json.dumps(results[phase]), flush=True)
        if setup.device.type == "cuda":
            torch.cuda.empty_cache()
    raise SystemExit(any("failed" in values for values in results.values()))


if __name__ == "__main__":
    main()
