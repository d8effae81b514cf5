"""The cached path against the oracle, under every way of choosing and of ending."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.packed import random_inputs
from viewfinder.config import ModelConfig
from viewfinder.data.sample import say
from viewfinder.engine import reference
from viewfinder.engine.engine import Engine, generate
from viewfinder.errors import ContextLengthError
from viewfinder.messages import Sampling
from viewfinder.model import Qwen2_5_VL

SAMPLINGS = [
    Sampling(max_new_tokens=24),
    Sampling(max_new_tokens=24, repetition_penalty=1.3),
    Sampling(max_new_tokens=24, temperature=1.0, seed=3),
    Sampling(max_new_tokens=24, temperature=0.8, top_k=20, top_p=0.9, seed=4, repetition_penalty=1.05),
]


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("grids", [[], [(1, 4, 6)], [(3, 4, 4), (1, 18, 10)]])
def test_cached_equals_reference(
    model: Qwen2_5_VL, config: ModelConfig, sampling: Sampling, grids: list[tuple[int, int, int]]
) -> None:
    inputs = random_inputs(config, grids)
    slow = list(reference.generate(model, inputs, sampling, eos_token_ids=[281]))
    fast = list(generate(model, inputs, sampling, eos_token_ids=[281]))
    assert [t.id for t in fast] == [t.id for t in slow]
    assert [t.finish_reason for t in fast] == [t.finish_reason for t in slow]
    torch.testing.assert_close([t.logprob for t in fast], [t.logprob for t in slow], atol=1e-3, rtol=1e-3)


def test_a_seed_repeats_and_another_differs(model: Qwen2_5_VL, config: ModelConfig) -> None:
    def ids(seed: int) -> list[int]:
        sampling = Sampling(max_new_tokens=12, temperature=1.5, seed=seed)
        return [t.id for t in generate(model, random_inputs(config, []), sampling, eos_token_ids=[])]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_ends_at_an_end_token_and_says_so(model: Qwen2_5_VL, config: ModelConfig) -> None:
    inputs = random_inputs(config, [])
    free = list(generate(model, inputs, Sampling(max_new_tokens=5), eos_token_ids=[]))
    assert [t.finish_reason for t in free] == [None] * 4 + ["length"]
    third = free[2].id
    ended = list(generate(model, inputs, Sampling(max_new_tokens=5), eos_token_ids=[third]))
    assert ended[-1].finish_reason == "stop"
    assert ended[-1].id == third
    assert len(ended) <= 3


class _OnlyEven:
    """A toy grammar: even ids only, four of them."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def bits(self) -> np.ndarray:
        return np.full(999, 0b01010101, np.uint8)

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        masked = logits.clone()
        masked[1::2] = float("-inf")
        return masked

    def accept(self, token_id: int) -> None:
        self.seen.append(token_id)

    def forced(self, most: int) -> list[int]:
        return []

    @property
    def is_finished(self) -> bool:
        return len(self.seen) == 4


def test_a_constraint_masks_is_told_and_ends_the_answer(model: Qwen2_5_VL, config: ModelConfig) -> None:
    constraint = _OnlyEven()
    sampling = Sampling(max_new_tokens=9, temperature=2.0, seed=0)
    tokens = list(generate(model, random_inputs(config, []), sampling, eos_token_ids=[], constraint=constraint))
    assert [t.id for t in tokens] == constraint.seen
    assert all(t.id % 2 == 0 for t in tokens)
    assert tokens[-1].finish_reason == "stop"


class _AfterThree:
    count = 0

    def push(self, token_id: int) -> bool:
        self.count += 1
        return self.count == 3


def test_a_guard_ends_the_answer_as_a_loop(model: Qwen2_5_VL, config: ModelConfig) -> None:
    sampling = Sampling(max_new_tokens=9)
    tokens = list(generate(model, random_inputs(config, []), sampling, eos_token_ids=[], guard=_AfterThree()))
    assert [t.finish_reason for t in tokens] == [None, None, "loop"]


def test_a_prompt_that_fills_the_context_says_what_to_do(model: Qwen2_5_VL, config: ModelConfig) -> None:
    inputs = random_inputs(config, [], num_text=2048)
    with pytest.raises(ContextLengthError, match="4096 tokens and the model takes 4096"):
        next(iter(generate(model, inputs, Sampling(), eos_token_ids=[])))


def test_patches_may_come_as_bytes() -> None:
    """As they go to a GPU, where the tower normalises them: the same answer, to the last bit of its tokens' odds."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (112, 140, 3), dtype=np.uint8))
    question = [say("user", picture, "Read the text.")]
    asked, told = [], []
    for normalize in (True, False):
        engine = Engine.from_pretrained("tiny", normalize=normalize)
        request = engine.request(question, sampling=Sampling(max_new_tokens=6))
        inputs = request.prepared.inputs
        asked.append(inputs)
        assert inputs.pixel_values is not None
        assert inputs.to(dtype=torch.bfloat16).pixel_values.dtype == (torch.bfloat16 if normalize else torch.uint8)
        sampler = engine.sampler(request)
        told.append([(t.id, t.logprob) for t in generate(engine.model, inputs, sampler.sampling, eos_token_ids=[])])
    assert told[0] == told[1]
    assert asked[0].stamp == asked[1].stamp
    assert asked[1].pixel_values.numel() == asked[1].pixel_values.nbytes == asked[0].pixel_values.nbytes / 4
