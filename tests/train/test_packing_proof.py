"""Packed equals separate: loss and every gradient, for every mix of text, pictures, several pictures and clips."""

from itertools import combinations_with_replacement

import pytest
import torch

from tests.train.making import KINDS, fresh_model, model_config, processor, sample, train_config
from viewfinder.train.collators import AnswerCollator, load_sample
from viewfinder.train.learner import Learner

MIXES = [mix for size in (2, 3) for mix in combinations_with_replacement(KINDS, size)]


@pytest.fixture(scope="module")
def proven() -> tuple[Learner, AnswerCollator]:
    made = processor()
    config = train_config(made)
    return Learner(config, fresh_model(config)), AnswerCollator(made, model_config(made), 4096)


def gradients(learner: Learner) -> dict[str, torch.Tensor]:
    found = {name: p.grad.clone() for name, p in learner.named_parameters() if p.grad is not None}
    learner.zero_grad()
    return found


@pytest.mark.parametrize("mix", MIXES, ids="+".join)
def test_packed_equals_separate(proven: tuple[Learner, AnswerCollator], mix: tuple[str, ...]) -> None:
    learner, collator = proven
    items = [load_sample(collator, sample(kind, seed)) for seed, kind in enumerate(mix)]
    packed = learner(collator.collate(items, ())).total
    packed.backward()
    together = gradients(learner)
    total = torch.zeros(())
    for item in items:
        loss = learner(item).total
        loss.backward()
        total = total + loss.detach()
    apart = gradients(learner)
    units = sum(int((item.inputs.labels >= 0).sum()) for item in items)
    assert abs(float(packed.detach() - total)) / units < 1e-5
    assert together.keys() == apart.keys()
    for name in apart:
        assert float((together[name] - apart[name]).abs().max()) / units < 1e-5, name


def test_the_tower_takes_part_without_pictures(proven: tuple[Learner, AnswerCollator]) -> None:
    learner, collator = proven
    learner(load_sample(collator, sample("text"))).total.backward()
    grads = gradients(learner)
    tower = {name: grad for name, grad in grads.items() if ".visual." in name}
    assert len(tower) == sum(1 for name, _ in learner.named_parameters() if ".visual." in name)
    assert all(float(grad.abs().max()) == 0 for grad in tower.values())
