"""How fast the product is on the machine, and beside transformers."""

import time
from typing import Any

import torch
from gpu_setup import Figures, Setup, decoding, drawn, kernels, request, run_step, seconds

from viewfinder.engine.batch_sampler import Turn, sample
from viewfinder.engine.engine import EngineCore
from viewfinder.engine.sampler import Sampler
from viewfinder.model import Qwen2_5_VL


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
    fresh = [Sampler(setup.config, request(setup.config, 100), drawn(100), ()) for _ in range(64)]
    yield "choosing from 64 rows, ms", 1e3 * seconds(setup, lambda: sample([Turn(s) for s in fresh], logits), 3)
    for batch in (1, 4) if setup.small else (1, 16, 64, 256):
        for eager in (True, False):
            core, name = decoding(setup, model, batch, eager), f"decode, {batch} at once{', eager' if eager else ''}"
            yield f"{name}, tokens/s", batch / _step_seconds(core, 4 if setup.small else 64)
            yield f"{name}, launches of a step", kernels(setup, lambda core=core: run_step(core))
            del core


def _step_seconds(core: EngineCore, steps: int) -> float:
    """A step ends with the transfer of its tokens, so the device is waited for."""
    start = time.perf_counter()
    for _ in range(steps):
        run_step(core)
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
        taken = _step_seconds(decoding(setup, model, batch), 4 if setup.small else 32)
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
