"""What a run is made of: everything that changes and must come back, and what must be the same when it goes on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from viewfinder.errors import StampError
from viewfinder.train.config import ConfigError
from viewfinder.train.distributed import full_tensor
from viewfinder.train.learner import Learner
from viewfinder.train.optim import AveragedWeights, optimizer_tensors


def run_tensors(
    learner: Learner, optimizers: Sequence[torch.optim.Optimizer], average: AveragedWeights
) -> dict[str, Tensor]:
    """Everything that changes, by name: the tensors themselves, so writing to them restores a run."""
    names = {id(p): name for name, p in learner.named_parameters()}
    tensors = {f"weights.{n}": p.detach() for n, p in learner.named_parameters() if p.requires_grad}
    tensors |= {f"optimizer.{n}": t for n, t in optimizer_tensors(optimizers, names).items()}
    return tensors | {f"average.{n}": t for n, t in average.values.items()}


def frozen_sum(learner: Learner) -> float:
    """A sum over all frozen weights: these are not saved, and must be the same when a run goes on."""
    sums = (p.detach().double().abs().sum() for p in learner.parameters() if not p.requires_grad)
    return sum(float(full_tensor(value)) for value in sums)


def check_continues(out: Path, facts: dict[str, Any], stamp: str, frozen: float) -> None:
    """The run in `out` may go on with this processor and these frozen weights.

    Raises:
        StampError: it was trained with another stamp.
        ConfigError: its frozen weights were others.
    """
    if stamp and facts["stamp"] and facts["stamp"] != stamp:
        raise StampError(
            f"{out} was trained with stamp {facts['stamp']}, this run would go on with {stamp}: equal "
            "input would become other tokens; use the processor settings it began with, or another --out"
        )
    if abs(frozen - facts["frozen"]) > 1e-6 * max(1.0, abs(frozen)):
        raise ConfigError(
            f"the weights of {out} that are not trained differ from those it began with, so what was learnt "
            "does not fit them; give the same --init, or another --out"
        )
