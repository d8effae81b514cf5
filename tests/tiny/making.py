"""A learner of a few thousand parameters with the heads and extra losses of the built-in model."""

from typing import Any

import torch

from tests.train.making import MADE, fresh_model, train_config
from viewfinder.tiny.extra_losses import build
from viewfinder.tiny.recipes import TinyConfig, stream_config
from viewfinder.tiny.run import LabelInputLearner
from viewfinder.tiny.stream import make_batch
from viewfinder.train.batches import AnswerBatch
from viewfinder.train.learner import Learner

DATA = {
    "patches": 96,
    "max_pixels": 112 * 112,
    "quick_share": 1.0,
    "kit_batches": 1024,
    "styles": {"few": 1.0, "line": 1.0},
    "tasks": {"read": 1.0, "locate": 1.0},
}
"""A few small pictures with text and things a batch."""


def stream_batch(number: int) -> AnswerBatch:
    return make_batch(MADE, stream_config(DATA), 0, number)


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
