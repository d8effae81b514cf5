"""Choosing: literal distributions, and the definitions written out in plain numbers."""

import math
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import random_model, small_config
from tests.packed import random_inputs
from viewfinder.engine import engine, reference
from viewfinder.engine.reference import adjusted, choose, distribution, penalize_repetition
from viewfinder.errors import MessageError
from viewfinder.messages import Sampling

LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def probabilities(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    return distribution(logits, sampling).float()


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    found = probabilities(LOGITS, Sampling(temperature=1, top_p=0.7))
    torch.testing.assert_close(found, torch.tensor([0.625, 0.375, 0, 0]))


@pytest.mark.parametrize(("top_k", "kept"), [(3, [0.5, 0.3, 0.15, 0]), (-1, [0.5, 0.3, 0.15, 0.05])])
def test_top_k(top_k: int, kept: list[float]) -> None:
    found = probabilities(LOGITS, Sampling(temperature=1, top_k=top_k))
    torch.testing.assert_close(found, torch.tensor(kept) / sum(kept))


def test_min_p_is_a_share_of_the_likeliest() -> None:
    found = probabilities(LOGITS, Sampling(temperature=1, min_p=0.31))
    torch.testing.assert_close(found, torch.tensor([0.625, 0.375, 0, 0]))


def test_temperature_sharpens() -> None:
    found = probabilities(LOGITS, Sampling(temperature=0.5))
    squares = torch.tensor([0.25, 0.09, 0.0225, 0.0025])
    torch.testing.assert_close(found, squares / squares.sum())


def test_penalty_divides_positive_and_multiplies_negative_logits_once() -> None:
    found = penalize_repetition(torch.tensor([2.0, -2.0, 3.0]), [0, 1, 1, 0], 2.0)
    assert found.tolist() == [1.0, -4.0, 3.0]


@pytest.mark.parametrize("sampling", [Sampling(temperature=1e-6), Sampling(temperature=1, top_p=0)])
def test_the_official_temperature_and_no_mass_are_greedy(sampling: Sampling) -> None:
    assert choose(LOGITS, sampling, [], 0, 0.9) == 0


def by_definition(logits: list[float], sampling: Sampling, prompt: list[int], answer: list[int]) -> list[float]:
    """OpenAI's penalties (of the answer), CTRL's (of all), bias, temperature, min-p, top-k, top-p: number by number."""
    counts = Counter(answer)
    for i in range(len(logits)):
        logits[i] += sampling.logit_bias.get(i, 0.0)
        if i in {*prompt, *answer}:
            logits[i] *= 1 / sampling.repetition_penalty if logits[i] > 0 else sampling.repetition_penalty
        logits[i] -= counts[i] * sampling.frequency_penalty + (counts[i] > 0) * sampling.presence_penalty
    scaled = [value / sampling.temperature for value in logits]
    odds = [math.exp(value - max(scaled)) for value in scaled]
    odds = [value if value >= sampling.min_p else 0.0 for value in odds]
    if sampling.top_k > 0:
        odds = [value if sum(other > value for other in odds) < sampling.top_k else 0.0 for value in odds]
    kept, mass = set[int](), 0.0
    for i in sorted(range(len(odds)), key=lambda i: -odds[i]):
        if mass / sum(odds) < sampling.top_p:
            kept.add(i)
        mass += odds[i]
    odds = [value if i in kept else 0.0 for i, value in enumerate(odds)]
    return [value / sum(odds) for value in odds]


def ids(most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 5), max_size=most)


@settings(max_examples=200, deadline=None)
@given(
    values=st.permutations([-7, -3, -1, 2, 4, 8]),
    prompt=ids(4),
    answer=ids(8),
    penalties=st.tuples(*[st.sampled_from([-2.0, -0.31, 0.0, 0.53, 2.0])] * 2),
    repetition=st.sampled_from([0.83, 1.0, 1.37]),
    bias=st.dictionaries(st.integers(0, 5), st.sampled_from([-100.0, -1.7, 3.3])),
    cuts=st.tuples(st.sampled_from([0.0, 0.03]), st.sampled_from([-1, 0, 2]), st.sampled_from([0.371, 0.877, 1.0])),
)
def test_distributions_are_those_of_the_definitions(
    values: list[int],
    prompt: list[int],
    answer: list[int],
    penalties: tuple[float, float],
    repetition: float,
    bias: dict[int, float],
    cuts: tuple[float, int, float],
) -> None:
    presence, frequency = penalties
    min_p, top_k, top_p = cuts
    sampling = Sampling(
        temperature=1.3,
        presence_penalty=presence,
        frequency_penalty=frequency,
        repetition_penalty=repetition,
        logit_bias=bias,
        min_p=min_p,
        top_k=top_k,
        top_p=top_p,
    )
    logits = [value / 3 + i / 97 for i, value in enumerate(values)]
    row = torch.tensor(logits, dtype=torch.float64)
    found = distribution(adjusted(row, sampling, [*prompt, *answer], len(prompt)), sampling)
    wanted = torch.tensor(by_definition(logits, sampling, prompt, answer))
    torch.testing.assert_close(found.float(), wanted, atol=1e-5, rtol=1e-4)


SETTINGS = [
    Sampling(temperature=1, seed=1, presence_penalty=1.5, frequency_penalty=-0.5, min_p=0.02),
    Sampling(logit_bias={7: 3.0, 9: -100.0}, frequency_penalty=0.7),
    Sampling(top_p=0, temperature=2, stop_token_ids=(3,), min_tokens=4),
    Sampling(ignore_eos=True, repetition_penalty=1.2),
]


@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
def test_the_engine_chooses_as_the_oracle(sampling: Sampling) -> None:
    model, inputs = random_model(small_config()).double(), random_inputs(small_config(), [])
    sampling = sampling.model_copy(update={"max_new_tokens": 12})
    cached = [token.id for token in engine.generate(model, inputs, sampling, eos_token_ids=[2])]
    assert cached == [token.id for token in reference.generate(model, inputs, sampling, eos_token_ids=[2])]


def answer_of(sampling: Sampling, eos: Sequence[int] = ()) -> list[int]:
    model, inputs = random_model(small_config()).double(), random_inputs(small_config(), [])
    return [token.id for token in engine.generate(model, inputs, sampling, eos_token_ids=eos)]


def test_where_an_answer_ends() -> None:
    """A token that comes second ends the answer there; not where ends are ignored, or the answer must be longer."""
    plain = answer_of(Sampling(max_new_tokens=6, frequency_penalty=2))
    at = next(i for i, token in enumerate(plain) if i and token not in plain[:i])
    short, end = plain[: at + 1], plain[at]
    base = Sampling(max_new_tokens=6, frequency_penalty=2)
    assert answer_of(base, [end]) == short
    assert answer_of(base.model_copy(update={"stop_token_ids": (end,)})) == short
    assert answer_of(base.model_copy(update={"ignore_eos": True}), [end]) == plain
    assert answer_of(base.model_copy(update={"ignore_eos": True, "stop_token_ids": (end,)}), [end]) == short
    longer = answer_of(base.model_copy(update={"min_tokens": 5}), [end])
    assert len(longer) >= 5
    assert end not in longer[:5]


def test_a_token_that_does_not_exist_is_refused() -> None:
    with pytest.raises(MessageError, match="logit_bias names token 100000"):
        answer_of(Sampling(logit_bias={100000: 1.0}))
