"""Activation-aware scales (AWQ, Lin et al. 2023): inputs that are large get finer steps, at the cost of the others.

Where several layers read the output of one operation, its channels are divided by scales and the columns of the layers
multiplied by them: the product stays, but the columns of large inputs are rounded more finely. Scales are a power of
the mean size of each channel; the power, 0 to 0.95, is the one with the smallest error of the layers' outputs.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from viewfinder.inputs import ModelInputs
from viewfinder.model import Qwen2_5_VL
from viewfinder.model.quantize import awq_round

_GROUPS = (
    ("input_layernorm", ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")),
    ("post_attention_layernorm", ("mlp.gate_proj", "mlp.up_proj")),
    ("mlp.up_proj", ("mlp.down_proj",)),
)
_POWERS = tuple(i / 20 for i in range(20))
_ROWS = 256
"""Tokens of each layer's input that are kept."""


@torch.no_grad()
def scale_by_activations(model: Qwen2_5_VL, samples: Iterable[ModelInputs], group: int) -> None:
    """Move scales from weights to what stands before them, in place; the model computes the same."""
    inputs = _collect(model, samples)
    for i, layer in enumerate(model.model.layers):
        modules: dict[str, nn.Module] = dict(layer.named_modules())
        for before, names in _GROUPS:
            readers = [modules[name] for name in names]
            scales = _search(inputs[f"{i}.{names[0]}"], [_weight(module) for module in readers], group)
            _weight(modules[before]).div_(scales if _weight(modules[before]).dim() == 1 else scales[:, None])
            for module in readers:
                _weight(module).mul_(scales)


def _weight(module: nn.Module) -> Tensor:
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight


def _search(x: Float[Tensor, "N I"], weights: list[Tensor], group: int) -> Float[Tensor, " I"]:
    """The scales, normalised so that the largest is as much over 1 as the smallest is under it."""
    size = x.abs().mean(0).clamp(min=1e-4)
    best, chosen = torch.inf, torch.ones_like(size)
    for power in _POWERS:
        scales = size**power
        scales = scales / (scales.max() * scales.min()).sqrt()
        error = 0.0
        for weight in weights:
            numbers, zeros, steps = awq_round(weight.float() * scales, group)
            rounded = ((numbers - zeros) * steps).flatten(1) / scales
            error += float((x @ (rounded - weight.float()).T).square().sum())
        if error < best:
            best, chosen = error, scales
    return chosen


def _collect(model: Qwen2_5_VL, samples: Iterable[ModelInputs]) -> Mapping[str, Float[Tensor, "N I"]]:
    """Inputs of the layers by `layer.name`: of each sample some tokens, evenly spaced."""
    kept: dict[str, list[Tensor]] = {}
    samples = list(samples)
    each = max(1, _ROWS // len(samples))
    with _watching(model, kept, each):
        for sample in samples:
            model.hidden_states(sample)
    return {name: torch.cat(parts).float() for name, parts in kept.items()}


@contextmanager
def _watching(model: Qwen2_5_VL, kept: dict[str, list[Tensor]], each: int) -> Iterator[None]:
    def watch(name: str) -> object:
        def keep(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            rows = args[0].detach()
            kept.setdefault(name, []).append(rows[:: max(1, len(rows) // each)][:each].clone())

        return keep

    handles = [
        module.register_forward_pre_hook(watch(f"{i}.{name}"))  # type: ignore[arg-type]
        for i, layer in enumerate(model.model.layers)
        for name, module in layer.named_modules()
        if name in {names[0] for _, names in _GROUPS}
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
