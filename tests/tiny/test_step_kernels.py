"""A step of the built-in model in bfloat16 with our kernels is the step with PyTorch's."""

import pytest
import torch
from torch import Tensor

from tests.tiny.making import stream_batch
from tests.train.making import MADE, train_config
from viewfinder.model import native, training_kernels
from viewfinder.recipes.sizes import fresh
from viewfinder.tiny import recipes
from viewfinder.tiny.extra_losses import build
from viewfinder.tiny.recipes import TinyConfig
from viewfinder.train.learner import Learner

LOSSES = {"token_labels": 0.2, "attention": 1.0, "words": 0.5}
BATCH = stream_batch(0)
NOISE = 0.05
"""Of gradients in bfloat16, as a share of their size."""


def made(tower: float) -> Learner:
    raw = train_config(MADE).model_dump() | {"model": recipes.model_config(MADE), "extra_losses": LOSSES}
    config = TinyConfig.model_validate(raw | {"lr_scale": {"tower": tower, "merger": tower}})
    torch.manual_seed(0)
    return Learner(config, fresh(config.model, 0), extra=build(config, MADE))


def gradients(learner: Learner) -> tuple[float, dict[str, Tensor]]:
    learner.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = learner(BATCH).total
    loss.backward()
    return float(loss.detach()), {n: p.grad.clone() for n, p in learner.named_parameters() if p.grad is not None}


@pytest.mark.skipif(native.kernel("attention_slopes") is None, reason="the processor does not multiply bfloat16")
@pytest.mark.parametrize("tower", [0.0, 1.0])
def test_losses_and_gradients_are_those_of_pytorch(tower: float, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = made(tower)
    loss, found = gradients(learner)
    monkeypatch.setattr(training_kernels, "kernel", lambda *_: None)
    expected_loss, expected = gradients(learner)
    assert loss == pytest.approx(expected_loss, rel=2e-3)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert float((found[name] - gradient).norm()) <= NOISE * float(gradient.norm()) + 1e-4, name


@pytest.mark.skipif(not torch.cpu._is_avx512_bf16_supported(), reason="bfloat16 is slow here")
def test_a_frozen_tower_gives_its_features_from_weights_that_are_cast_once() -> None:
    learner, inputs = made(0.0), BATCH.inputs
    expected, _ = learner.features(inputs.pixel_values, inputs.grid_thw)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = learner.features(inputs.pixel_values, inputs.grid_thw)
        again, _ = learner.features(inputs.pixel_values, inputs.grid_thw)
    assert expected is not None
    assert found is not None
    assert found.dtype == torch.bfloat16
    assert again is not None
    assert torch.equal(found, again)
    assert float((found - expected).norm()) < NOISE * float(expected.norm())
    assert {p.dtype for p in learner.parameters()} == {torch.float32}
