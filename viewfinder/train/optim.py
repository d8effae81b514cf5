"""Optimizers, the learning-rate schedule, averaged weights, and the guard that skips bad steps.

Muon (orthogonalized momentum; Jordan et al. 2024) for the matrices inside blocks, AdamW for the rest. PyTorch's Muon
works in bfloat16, which is a hundred times slower on processors without that arithmetic. This one stays in the type of
the parameters unless told otherwise, and treats matrices of one shape as a batch.
"""

import math
import statistics
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from viewfinder.train.config import ConfigError, LrScaleConfig, OptimizerConfig, StepGuardConfig

AT_ONCE = 1 << 27
"""Numbers of the matrices that Muon orthogonalizes together, of one matrix at least: 256 MiB in bfloat16, of which it
needs some six times as much for a moment."""


def orthogonalize(matrices: Float[Tensor, "B R C"], steps: int = 3) -> Float[Tensor, "B R C"]:
    """Push all singular values towards 1 by Newton-Schulz iteration (quintic, Jordan's coefficients).

    Three steps level them well enough for an update, at 60 % of the cost of the usual five, which on a CPU
    and with small batches is as much as the whole backward pass.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2).contiguous() if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        polynomial.diagonal(dim1=1, dim2=2).add_(a)
        x = polynomial @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalized, scaled by sqrt(max(1, rows / columns)).

    Each rank gathers a sharded matrix, computes the same update, and keeps its shard. Matrices of one shape are taken
    together, up to `AT_ONCE`, so the memory for it does not grow with the number of layers.

    Args:
        narrow: orthogonalize in bfloat16.
    """

    def __init__(self, params: Iterable[dict[str, object]], momentum: float = 0.95, *, narrow: bool = False) -> None:
        super().__init__(params, {"lr": 0.0, "momentum": momentum, "weight_decay": 0.0})
        self.narrow = narrow

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(tuple(parameter.shape), []).append(parameter)
            for shape, members in by_shape.items():
                count = max(1, AT_ONCE // math.prod(shape))
                for first in range(0, len(members), count):
                    self._update(members[first : first + count], shape, group)

    def _update(self, members: list[nn.Parameter], shape: tuple[int, ...], group: dict[str, float]) -> None:
        update = orthogonalize(torch.stack([self._momentum(p, group["momentum"]) for p in members]))
        scale = group["lr"] * max(1.0, shape[0] / update.shape[2]) ** 0.5
        for parameter, direction in zip(members, update.unbind(), strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(_like(direction.to(parameter.dtype).view(shape), parameter), alpha=-scale)

    def _momentum(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        """The step's direction of the whole matrix, in the dtype in which it is orthogonalized."""
        assert parameter.grad is not None
        if "momentum" not in self.state[parameter]:
            self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        buffer = self.state[parameter]["momentum"]
        buffer.lerp_(parameter.grad, 1 - momentum)
        direction = parameter.grad.lerp(buffer, momentum)
        return _whole(direction.bfloat16() if self.narrow else direction).flatten(1)


def _whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """`tensor`, which every rank holds whole, sharded as `parameter` is; nothing is sent."""
    if not isinstance(parameter, DTensor):
        return tensor
    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements, src_data_rank=None)


def part_of(name: str) -> str:
    """The part (field of `LrScaleConfig`) of a parameter of a `Learner`."""
    if not name.startswith("model."):
        return "heads"
    if name.startswith("model.visual.merger."):
        return "merger"
    return "tower" if name.startswith("model.visual.") else "language"


_MUON_PLACES = (".blocks.", ".layers.", ".patch_embed.", ".merger.mlp.")


def build_optimizers(
    learner: nn.Module, config: OptimizerConfig, lr_scale: LrScaleConfig | None = None, *, narrow: bool = False
) -> list[torch.optim.Optimizer]:
    """Muon and AdamW over the parameters that take part; each group has its `peak` learning rate.

    Matrices of the vision tower and of the layers use Muon; token embedding, output projection, heads, norms and biases
    use AdamW. The patch embedding needs Muon most: neighboring pixels are nearly equal, so AdamW changes it along their
    mean alone, and after 1,500 steps the tower still saw colors but no outlines. Vectors have no weight decay.
    """
    scale = (lr_scale or LrScaleConfig()).model_dump()
    groups: dict[tuple[bool, float, float], list[nn.Parameter]] = {}
    seen: set[int] = set()
    for name, parameter in learner.named_parameters():
        if id(parameter) in seen or not parameter.requires_grad:
            continue
        seen.add(id(parameter))
        muon = is_muon(name, parameter, config)
        peak = (config.muon_lr if muon else config.adamw_lr) * scale[part_of(name)]
        decay = config.weight_decay if parameter.ndim >= 2 else 0.0
        groups.setdefault((muon, peak, decay), []).append(parameter)
    made: dict[bool, list[dict[str, object]]] = {True: [], False: []}
    for (muon, peak, decay), members in groups.items():
        made[muon].append({"params": members, "lr": peak, "peak": peak, "weight_decay": decay})
    optimizers: list[torch.optim.Optimizer] = []
    if made[True]:
        optimizers.append(Muon(made[True], narrow=narrow))
    if made[False]:
        optimizers.append(torch.optim.AdamW(made[False], betas=config.betas, fused=True))  # of shards too
    return optimizers


def is_muon(name: str, parameter: Tensor, config: OptimizerConfig) -> bool:
    """Whether Muon updates a parameter of a `Learner`."""
    return config.matrices == "muon" and parameter.ndim >= 2 and any(place in name for place in _MUON_PLACES)


def optimizer_tensors(optimizers: Iterable[torch.optim.Optimizer], names: Mapping[int, str]) -> dict[str, Tensor]:
    """All state of the optimizers by parameter name; state that does not exist yet is made as zeros.

    `names` maps `id(parameter)` to its name. The tensors are the state itself: writing to them restores it.
    """
    found: dict[str, Tensor] = {}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                state = optimizer.state[parameter]
                if not state and isinstance(optimizer, Muon):
                    state["momentum"] = torch.zeros_like(parameter)
                elif not state:
                    # where AdamW keeps it: its fused kernel reads it on the device, the others on the CPU
                    place = parameter.device if group.get("fused") else "cpu"
                    state["step"] = torch.zeros((), dtype=torch.float32, device=place)
                    state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
                found |= {f"{names[id(parameter)]}.{key}": value for key, value in state.items()}
    return found


def lr_factor(step: int, steps: int, config: OptimizerConfig, time_share: float = 0.0) -> float:
    """Learning rate at `step` as a share of the peak: linear warm-up, then the schedule, down to `final`.

    Linear, 100 steps, warm-up 10, cool-down 0.5, final 0: 0.1 at step 0, 1 from step 9 on, 0.5 at step 75, and 0.5 at
    step 20 of a run with a time limit when 75 % of its time have passed.
    """
    if step < config.warmup:
        return (step + 1) / config.warmup
    step = max(step, int(time_share * steps))
    if config.schedule == "cosine":
        done = min((step - config.warmup) / max(1, steps - config.warmup), 1.0)
        return config.final + (1.0 - config.final) * 0.5 * (1.0 + math.cos(math.pi * done))
    start = steps * (1 - config.cooldown)
    if step <= start or config.cooldown == 0:
        return 1.0
    return 1.0 - (1.0 - config.final) * min((step - start) / (steps - start), 1.0)


class AveragedWeights:
    """Exponential moving averages of the trained parameters, with a lower decay in the first steps."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {n: p.detach().clone() for n, p in module.named_parameters() if p.requires_grad and decay}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        if not self.values:
            return
        keep = min(self.decay, (step + 1) / (step + 10))
        parameters = dict(module.named_parameters())
        averages: list[Tensor] = list(self.values.values())
        values: list[Tensor] = [parameters[n] for n in self.values]
        torch._foreach_lerp_(averages, values, 1 - keep)  # pyright: ignore[reportPrivateImportUsage] - no public name

    @contextmanager
    def swapped_in(self, module: nn.Module) -> Iterator[None]:
        """The module has the averaged weights inside this context."""
        self._swap(module)
        try:
            yield
        finally:
            self._swap(module)

    @torch.no_grad()
    def _swap(self, module: nn.Module) -> None:
        parameters = dict(module.named_parameters())
        for name, value in self.values.items():
            kept = parameters[name].detach().clone()
            parameters[name].copy_(value)
            value.copy_(kept)


@torch.no_grad()
def is_finite(tensors: Sequence[Tensor]) -> bool:
    """Whether all numbers of this rank's parts of tensors are finite; each is read once.

    A Euclidean norm is infinite also where numbers are over 1e19, which no weights of use are.
    """
    local = [t.to_local() if isinstance(t, DTensor) else t for t in tensors]
    numbers = [t for t in local if t.numel() and t.is_floating_point()]
    norms = torch._foreach_norm(numbers)  # pyright: ignore[reportPrivateImportUsage] - no public name
    by_device: dict[torch.device, list[Tensor]] = {}  # read once a device: reading waits for it
    for norm in norms:
        by_device.setdefault(norm.device, []).append(norm.float())
    return all(bool(torch.stack(members).isfinite().all()) for members in by_device.values())


class StepGuard:
    """Keeps recent gradient norms and counts steps skipped in a row. Norms are over all ranks, so all ranks agree."""

    def __init__(self, config: StepGuardConfig) -> None:
        self.config = config
        self.skipped = 0
        self.norms: deque[float] = deque(maxlen=config.window)

    def allows(self, step: int, loss: float, norm: float) -> str:
        """The reason to skip a step, or "".

        Raises:
            ConfigError: more steps skipped in a row than the config allows.
        """
        reason = self._reason(loss, norm)
        if not reason:
            self.norms.append(norm)
            self.skipped = 0
            return ""
        self.skipped += 1
        if self.skipped > self.config.max_bad_steps:
            raise ConfigError(
                f"step {step} was the {self.skipped}th in a row to be skipped ({reason}), more than "
                "guard.max_bad_steps allows; lower the learning rates and run again, which resumes from the last sound "
                "state"
            )
        return reason

    def _reason(self, loss: float, norm: float) -> str:
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return f"loss {loss:.3g} or gradient norm {norm:.3g} is not finite"
        if self.config.spike and len(self.norms) >= self.config.window // 4:
            usual = statistics.median(self.norms)
            if norm > self.config.spike * usual:
                return f"gradient norm {norm:.3g} is {norm / usual:.0f} times the usual {usual:.3g}"
        return ""

    def state(self) -> dict[str, object]:
        return {"skipped": self.skipped, "norms": list(self.norms)}

    def restore(self, state: dict[str, object]) -> None:
        self.skipped = int(state["skipped"])  # type: ignore[call-overload]
        self.norms.extend(state["norms"])  # type: ignore[arg-type]
