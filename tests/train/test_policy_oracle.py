"""Losses and gradients equal those of TRL 1.16.0 on the same answers; `tools/grpo_oracle.py` wrote what it says.

TRL lets placeholders of pixels be drawn and we do not, so they are left in for the comparison. Its trainer hands no
clips to the model: there the model is given them beside.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.making import fresh_model
from tests.train.policy_making import (
    CASES,
    REWARDS,
    answered,
    batch_of,
    config_of,
    probes,
    with_old,
)
from viewfinder.train import learner as learning
from viewfinder.train.learner import Learner
from viewfinder.train.policy import group_advantages, policy_loss

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden/grpo_trl.json").read_text())


@pytest.mark.parametrize(("kind", "variant"), CASES)
def test_loss_and_gradients_are_those_of_trl(kind: str, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "undrawable_ids", lambda model: torch.tensor([], dtype=torch.int64))
    config = config_of(variant)
    model = fresh_model(config)
    made = answered(kind, variant, model)
    learner, batch = Learner(config, model), batch_of(made, variant)
    with torch.no_grad():
        now = learner(batch, per_token=True).total
    if config.grpo.kl:
        reference = now + torch.tensor(made.reference)
        monkeypatch.setattr(learning, "policy_loss", lambda p, o, r, a, c: policy_loss(p, o, reference, a, c))
    loss = learner(with_old(batch, now, made, variant)).total / batch.units
    loss.backward()
    golden = GOLDEN[f"{kind}/{variant}"]
    assert loss.item() == pytest.approx(golden["loss"], abs=1e-6)
    found = probes({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    largest = max(norm for norm, _ in golden["gradients"].values())
    for name, expected in golden["gradients"].items():
        assert found[name] == pytest.approx(tuple(expected), abs=1e-5 * largest), name


def test_advantages_are_those_of_trl() -> None:
    golden = GOLDEN["text/grpo"]["advantages"]
    for rewards, expected in zip(REWARDS, golden, strict=True):
        assert group_advantages(rewards, scale=True) == pytest.approx(expected, abs=1e-6)
