"""Choosing: literal distributions."""

import torch

from viewfinder.engine.sampler import choose, distribution, penalize_repetition
from viewfinder.messages import Sampling

LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    found = distribution(LOGITS, Sampling(temperature=1, top_p=0.7))
    torch.testing.assert_close(found, torch.tensor([0.625, 0.375, 0, 0]))


def test_top_k() -> None:
    found = distribution(LOGITS, Sampling(temperature=1, top_k=3))
    torch.testing.assert_close(found, torch.tensor([0.5, 0.3, 0.15, 0]) / 0.95)


def test_temperature_sharpens() -> None:
    found = distribution(LOGITS, Sampling(temperature=0.5))
    squares = torch.tensor([0.25, 0.09, 0.0225, 0.0025])
    torch.testing.assert_close(found, squares / squares.sum())


def test_penalty_divides_positive_and_multiplies_negative_logits_once() -> None:
    found = penalize_repetition(torch.tensor([2.0, -2.0, 3.0]), [0, 1, 1, 0], 2.0)
    assert found.tolist() == [1.0, -4.0, 3.0]


def test_the_official_temperature_is_greedy() -> None:
    assert choose(LOGITS, Sampling(temperature=1e-6), [], None) == 0
