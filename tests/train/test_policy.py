"""Advantages, weights and clipping by hand-counted values."""

import pytest
import torch

from viewfinder.train.grpo_config import GrpoConfig
from viewfinder.train.losses import token_log_probs
from viewfinder.train.policy import (
    AgreementError,
    answer_units,
    by_kind,
    check_agreement,
    choice_log_probs,
    group_advantages,
    overlong_penalty,
    policy_loss,
    token_weight,
    unpack_bits,
)

NONE = torch.tensor([], dtype=torch.int64)


def test_a_group_of_equal_rewards_teaches_nothing() -> None:
    assert group_advantages([0.3, 0.3, 0.3], scale=True) == [0.0, 0.0, 0.0]
    assert group_advantages([1.0, 0.0, 0.0, 1.0], scale=False) == [0.5, -0.5, -0.5, 0.5]
    assert group_advantages([1.0, 0.0, 0.0, 1.0], scale=True)[0] == pytest.approx(0.5 / (3**-0.5 + 1e-4))


def test_variants_weigh_tokens_as_their_papers_do() -> None:
    weights = {}
    for variant in ("grpo", "dr_grpo", "dapo"):
        config = GrpoConfig.model_validate({"variant": variant, "max_new_tokens": 100}).resolved()
        weights[variant] = [token_weight(config, n) * n for n in (10, 50)], [answer_units(config, n) for n in (10, 50)]
    assert weights["grpo"] == ([1.0, 1.0], [1.0, 1.0])  # long answers weigh as much as short ones
    assert weights["dr_grpo"] == ([0.1, 0.5], [1.0, 1.0])  # by tokens, over a constant
    assert weights["dapo"] == ([10.0, 50.0], [10.0, 50.0])  # by tokens, over the tokens of the step


@pytest.mark.parametrize(("length", "expected"), [(80, 0.0), (90, -0.5), (100, -1.0), (79, 0.0)])
def test_overlong_answers_lose_reward_bit_by_bit(length: int, expected: float) -> None:
    assert overlong_penalty(length, limit=100, buffer=20) == pytest.approx(expected)
    assert overlong_penalty(length, limit=100, buffer=0) == 0.0


def test_clipping_stops_what_has_gone_far_enough() -> None:
    config = GrpoConfig(clip=0.2, clip_high=0.28).resolved()
    now = torch.log(torch.tensor([1.5, 1.5, 0.5, 0.5])).requires_grad_()
    advantages = torch.tensor([1.0, -1.0, 1.0, -1.0])
    loss, clipped, _ = policy_loss(now, torch.zeros(4), None, advantages, config)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([-1.28, 1.5, -0.5, 0.8])
    assert clipped.tolist() == [1.0, 0.0, 0.0, 1.0]
    assert now.grad is not None
    assert now.grad.tolist() == pytest.approx([0.0, 1.5, -0.5, 0.0])


def test_probabilities_are_those_of_what_could_be_drawn() -> None:
    """Logits with probabilities 0.5, 0.3, 0.2: of the first two alone the second has 0.3 / 0.8."""
    hidden, weight = torch.eye(3)[:2], torch.log(torch.tensor([[0.5, 0.5, 0], [0.3, 0.3, 0], [0.2, 0.2, 0]]))
    weight[:, 2] = 0
    kept = torch.tensor([[0b011], [0b010]], dtype=torch.uint8)
    found = choice_log_probs(hidden, weight, torch.tensor([1, 1]), temperature=1.0, excluded=NONE, kept=kept)
    assert found.exp().tolist() == pytest.approx([0.375, 1.0])
    plain = choice_log_probs(hidden, weight, torch.tensor([1, 1]), temperature=1.0, excluded=torch.tensor([2]))
    assert plain.exp().tolist() == pytest.approx([0.375, 0.375])


def test_without_filters_they_are_those_of_the_model_in_chunks_too() -> None:
    torch.manual_seed(0)
    hidden, weight, labels = torch.randn(7, 4, requires_grad=True), torch.randn(9, 4), torch.arange(7)
    found = choice_log_probs(hidden, weight, labels, temperature=1.0, excluded=NONE, chunk=3)
    torch.testing.assert_close(found, token_log_probs(hidden, weight, labels))
    torch.autograd.grad(found.sum(), hidden)


def test_a_forced_token_has_no_gradient() -> None:
    hidden = torch.randn(1, 4, requires_grad=True)
    kept = torch.tensor([[0b100]], dtype=torch.uint8)
    found = choice_log_probs(hidden, torch.randn(5, 4), torch.tensor([2]), temperature=1.0, excluded=NONE, kept=kept)
    assert found.item() == 0.0
    assert not torch.autograd.grad(found.sum(), hidden)[0].any()


def test_bits_are_read_lowest_first() -> None:
    assert unpack_bits(torch.tensor([[5, 1]], dtype=torch.uint8), 9).int().tolist() == [[1, 0, 1, 0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("differences", [[0.0, 2.0], [0.1, 0.1], [float("nan"), 0.0]])
def test_a_gap_between_rollouts_and_training_stops_the_run(differences: list[float]) -> None:
    with pytest.raises(AgreementError, match="max_log_ratio=1 allow"):
        check_agreement(torch.tensor(differences), GrpoConfig(max_log_ratio=1.0, mean_log_ratio=0.05))
    assert check_agreement(torch.tensor([0.5] + [0.0] * 20), GrpoConfig(mean_log_ratio=0.05))[1] == 0.5


def test_agreement_is_told_by_kind() -> None:
    found = by_kind(torch.tensor([1.0, 2.0, 3.0, 4.0]), [("text", 1), ("clip", 2), ("text", 1)])
    assert {kind: (float(total), count) for kind, (total, count) in found.items()} == {"text": (5, 2), "clip": (5, 2)}


def test_a_turn_counts_as_its_share_of_an_episode() -> None:
    units = {name: GrpoConfig.model_validate({"variant": name}) for name in ("grpo", "dr_grpo", "dapo")}
    assert [answer_units(config, 3, 12) for config in units.values()] == [0.25, 0.25, 3.0]


def test_bfloat16_rollouts_may_differ_by_what_the_dtype_costs() -> None:
    short = torch.tensor([0.088, 0.004, 0.001, 0.023])  # an answer of four tokens, as the default command drew it
    assert check_agreement(short, GrpoConfig().resolved(bf16=True))[0] == pytest.approx(0.029)
    with pytest.raises(AgreementError, match=r"mean_log_ratio=0\.02 "):
        check_agreement(short, GrpoConfig().resolved(bf16=False))
    with pytest.raises(AgreementError, match=r"mean_log_ratio=0\.1 "):
        check_agreement(short + 0.1, GrpoConfig().resolved(bf16=True))
    with pytest.raises(AgreementError, match=r"mean_log_ratio=0\.01 "):
        check_agreement(short, GrpoConfig(mean_log_ratio=0.01).resolved(bf16=True))


def test_the_score_of_filtered_draws_has_a_mean_of_zero() -> None:
    """The worked example of docs/grpo.md: 0.5, 0.3, 0.2 under top_p=0.7 are drawn as 0.625, 0.375, 0."""
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]]))
    kept = torch.tensor([[0b011]], dtype=torch.uint8)
    total = torch.zeros(3)
    for token, drawn in ((0, 0.625), (1, 0.375)):
        hidden = logits.clone().requires_grad_()
        found = choice_log_probs(hidden, torch.eye(3), torch.tensor([token]), temperature=1.0, excluded=NONE, kept=kept)
        assert found.exp().item() == pytest.approx(drawn)
        total += drawn * torch.autograd.grad(found.sum(), hidden)[0][0]
    assert total.abs().max() < 1e-6
