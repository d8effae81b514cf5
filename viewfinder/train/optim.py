"""Optimisers, the learning-rate schedule, and averaged weights.

Muon (orthogonalised momentum; Jordan et al. 2024) for the matrices inside blocks, AdamW for the rest.
PyTorch's own Muon works in bfloat16, which processors without that arithmetic run a hundred times slower;
this one stays in the parameters' type and treats matrices of one shape as a batch.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from viewfinder.train.config import OptimizerConfig


def orthogonalize(matrices: Float[Tensor, "B R C"], steps: int = 3) -> Float[Tensor, "B R C"]:
    """Push all singular values towards 1 by Newton-Schulz iteration (quintic, Jordan's coefficients).

    Three steps level them well enough for an update, at 60 % of the cost of the usual five, which on a CPU
    and with small batches is as much as the whole backward pass.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + torch.baddbmm(gram, gram, gram, beta=b, alpha=c) @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, scaled by sqrt(max(1, rows / columns))."""

    def __init__(self, params: Iterable[dict[str, object]], momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": 0.0, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(tuple(parameter.flatten(1).shape), []).append(parameter)
            for (rows, columns), members in by_shape.items():
                update = orthogonalize(torch.stack([self._momentum(p, group["momentum"]) for p in members]))
                scale = group["lr"] * max(1.0, rows / columns) ** 0.5
                for parameter, direction in zip(members, update.unbind(), strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(direction.view_as(parameter), alpha=-scale)

    def _momentum(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        assert parameter.grad is not None
        buffer = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
        buffer.lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(buffer, momentum).flatten(1)


_MUON_PLACES = (".blocks.", ".layers.", ".patch_embed.", ".merger.mlp.")


def build_optimizers(modules: nn.ModuleDict, config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    """Muon and AdamW over the parameters that take part; each group knows its `peak` rate.

    Matrices of the tower and of the layers go to Muon; token embedding, output projection, dense heads, norms
    and biases to AdamW. The patch embedding needs Muon most: neighbouring pixels are nearly equal, so AdamW
    moves it along their mean alone, and after 1,500 steps the tower still saw colours but no outlines.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    seen: set[int] = set()
    for name, parameter in modules.named_parameters():
        if id(parameter) in seen or not parameter.requires_grad:
            continue
        seen.add(id(parameter))
        in_tower = "visual." in name
        is_matrix = parameter.ndim >= 2 and any(place in name for place in _MUON_PLACES)
        groups.setdefault((is_matrix, in_tower), []).append(parameter)
    made: dict[bool, list[dict[str, object]]] = {True: [], False: []}
    for (is_matrix, in_tower), members in groups.items():
        peak = (config.muon_lr if is_matrix else config.adamw_lr) * (config.tower_scale if in_tower else 1.0)
        made[is_matrix].append({"params": members, "lr": peak, "peak": peak, "weight_decay": config.weight_decay})
    optimizers: list[torch.optim.Optimizer] = []
    if made[True]:
        optimizers.append(Muon(made[True]))
    if made[False]:
        optimizers.append(torch.optim.AdamW(made[False], betas=(0.9, 0.98), fused=True))
    return optimizers


def rate_at(step: int, steps: int, config: OptimizerConfig) -> float:
    """Share of the peak rate at `step`: linear warm-up, flat, linear cool-down to `final`.

    100 steps, warm-up 10, cool-down 0.5, final 0: 0.1 at step 0, 1 from step 9 on, 0.5 at step 75.
    """
    if step < config.warmup:
        return (step + 1) / config.warmup
    start = steps * (1 - config.cooldown)
    if step <= start or config.cooldown == 0:
        return 1.0
    return 1.0 - (1.0 - config.final) * min((step - start) / (steps - start), 1.0)


class AveragedWeights:
    """An exponential moving average of parameters, faster at the beginning."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        keep = min(self.decay, (step + 1) / (step + 10))
        parameters = dict(module.named_parameters())
        torch._foreach_lerp_(list(self.values.values()), [parameters[n] for n in self.values], 1 - keep)

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        for name, parameter in module.named_parameters():
            parameter.copy_(self.values[name])
