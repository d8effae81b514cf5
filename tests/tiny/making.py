"""A learner of a few thousand parameters with the heads and extra losses of the built-in model."""

from typing import Any

import torch

from tests.train.making import MADE, fresh_model, train_config
from viewfinder.tiny.extra_losses import build
from viewfinder.tiny.recipes import TinyConfig
from viewfinder.tiny.run import LabelInputLearner
from viewfinder.train.batches import AnswerBatch
from viewfinder.train.learner import Learner


def learner(losses: dict[str, float], **changes: Any) -> Learner:
    config = TinyConfig(**{**train_config(MADE).model_dump(), "extra_losses": losses, **changes})
    torch.manual_seed(0)
    extra = build(config, MADE)
    return LabelInputLearner(config, fresh_model(config), extra=extra)


def metrics_of_steps(made: Learner, taken: AnswerBatch, name: str, steps: int) -> list[float]:
    """A figure of each of some AdamW steps on one batch."""
    optimizer = torch.optim.AdamW([p for p in made.parameters() if p.requires_grad], 3e-3)
    figures = []
    for _ in range(steps):
        loss = made(taken)
        figures.append(float(loss.metrics[name][0]))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    return figures
