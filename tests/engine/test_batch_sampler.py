"""Rows chosen together are chosen as one by one by the definition, with one transfer, whatever stands beside them."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import small_config
from tests.packed import random_inputs
from tests.pretend_device import PretendDevice
from viewfinder.engine import reference
from viewfinder.engine.batch_sampler import Turn, sample
from viewfinder.engine.sampler import Sampler
from viewfinder.errors import CheckpointError
from viewfinder.messages import Sampling

VOCABULARY = 1200
CONFIG = small_config(vocab_size=VOCABULARY)


class Every:
    """A toy grammar: ids that leave a rest of 1 by its step, and nothing after its vocabulary of 900."""

    is_finished = False

    def __init__(self, step: int) -> None:
        self.step = step

    def bits(self) -> np.ndarray:
        return np.packbits(np.arange(900) % self.step == 1, bitorder="little")

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        places = torch.arange(len(logits))
        return logits.where((places % self.step == 1) & (places < 900), float("-inf"))

    def accept(self, token_id: int) -> None:
        assert token_id % self.step == 1

    def forced(self, most: int) -> list[int]:
        return []

    def copy(self) -> "Every":
        return self


def sampler_of(sampling: Sampling, *, step: int = 0, top: int = 0) -> Sampler:
    inputs = random_inputs(CONFIG, [], num_text=5)
    return Sampler(CONFIG, inputs, sampling, [4, 7], Every(step) if step else None, None, top)


SETTINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.7, 1.0, 3.0]),
    top_p=st.sampled_from([0.0, 0.3, 0.9, 0.999, 1.0]),
    top_k=st.sampled_from([-1, 1, 20, 300]),
    min_p=st.sampled_from([0.0, 0.05, 0.0001]),
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    presence_penalty=st.sampled_from([0.0, 0.8]),
    frequency_penalty=st.sampled_from([0.0, -0.4]),
    logit_bias=st.sampled_from([{}, {4: 20.0, 10: -3.0}]),
    min_tokens=st.sampled_from([0, 3]),
    seed=st.integers(0, 99),
    max_new_tokens=st.just(6),
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(SETTINGS, st.sampled_from([0, 3, 21])), min_size=1, max_size=12),
    width=st.sampled_from([0.2, 4.0]),
)
def test_tokens_and_log_probabilities_are_those_of_one_row_by_the_definition(
    rows: list[tuple[Sampling, int]], width: float
) -> None:
    together = [sampler_of(sampling, step=step) for sampling, step in rows]
    alone = [sampler_of(sampling, step=step) for sampling, step in rows]
    histories = [random_inputs(CONFIG, [], num_text=5).input_ids.tolist() for _ in rows]
    num_prompt = len(histories[0])
    generator = torch.Generator().manual_seed(len(rows))
    for _ in range(4):
        logits = width * torch.randn(len(rows), VOCABULARY, generator=generator)
        logits[:, 11] += 4
        for found, sampler, row, history in zip(
            sample([Turn(s) for s in together], logits), alone, logits, histories, strict=True
        ):
            (token,) = found.tokens
            wanted = reference.sample(sampler, row, history, num_prompt)
            assert (token.id, token.finish_reason, token.is_end) == (wanted.id, wanted.finish_reason, wanted.is_end)
            assert token.logprob == pytest.approx(wanted.logprob, abs=1e-4)
            history.append(token.id)


@pytest.mark.parametrize("width", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("sampling", [Sampling(temperature=1), Sampling(temperature=0.6, top_p=0.8), Sampling(top_k=5)])
def test_equal_steps_of_chance_give_each_token_its_share(sampling: Sampling, width: float) -> None:
    """Flat rows (`width` 0.0) need all tokens in order, steep ones the first few."""
    logits = width * torch.randn(40, generator=torch.Generator().manual_seed(1)) + torch.arange(40) / 1e4
    sampling = sampling.model_copy(update={"temperature": sampling.temperature or 1.0})
    wanted, steps = reference.distribution(logits, sampling), 2000
    found = torch.zeros(40)
    for step in range(steps):
        found[reference.choose(logits, sampling, [], 0, (step + 0.5) / steps)] += 1 / steps
    torch.testing.assert_close(found, wanted.float(), atol=1.5 / steps, rtol=0)


def turns_of(samplers: Sequence[Sampler]) -> list[Turn]:
    return [Turn(sampler) for sampler in samplers]


def test_one_transfer_brings_all_rows_of_a_step() -> None:
    kinds = [Sampling(temperature=1, top_p=0.9, repetition_penalty=1.2, seed=i) for i in range(6)] + [Sampling()]
    logits = 6 * torch.randn(len(kinds), VOCABULARY, generator=torch.Generator().manual_seed(2))

    def samplers() -> list[Sampler]:
        return [sampler_of(kind, step=3 * (i % 2), top=i % 3) for i, kind in enumerate(kinds)]

    wanted = sample(turns_of(samplers()), logits)
    with PretendDevice() as device:
        assert sample(turns_of(samplers()), logits.to("cuda")) == wanted
        assert sum(device.syncs.values()) == 1
    assert [len(found.tokens[0].top) for found in wanted] == [i % 3 for i in range(len(kinds))]
    best = logits[2].log_softmax(-1).topk(2)
    assert [i for i, _ in wanted[2].tokens[0].top] == best.indices.tolist()


def test_forced_tokens_are_told_with_their_log_probability_and_the_draw_of_their_place() -> None:
    logits = torch.randn(3, VOCABULARY, generator=torch.Generator().manual_seed(3))
    sampling = Sampling(temperature=1, seed=8)
    together, alone = sampler_of(sampling, step=3), sampler_of(sampling, step=3)
    logits[:, together.placeholders] = float("-inf")
    (found,) = sample([Turn(together, 3, (1, 400))], logits)
    assert [token.id for token in found.tokens[:2]] == [1, 400]
    assert found.tokens[1].logprob == pytest.approx(float(logits[1].log_softmax(-1)[400]), abs=1e-4)
    alone.draw(), alone.draw(), alone.accept(1), alone.accept(400)
    assert found.tokens[2].id == reference.sample(alone, logits[2], [*range(5), 1, 400], 5).id


def test_a_row_without_numbers_fails_alone() -> None:
    logits = torch.randn(3, VOCABULARY)
    logits[1, 5] = float("nan")
    found = sample(turns_of([sampler_of(Sampling(temperature=1)) for _ in range(3)]), logits)
    assert isinstance(found[1].error, CheckpointError)
    assert [len(part.tokens) for part in found] == [1, 0, 1]
