"""One kernel for windows, frames, packed training, prompts and decoding gives what the loops give (through a twin)."""

from dataclasses import replace

import pytest
import torch

from tests.conftest import random_model, small_config
from tests.packed import random_inputs
from tests.varlen_twin import pretend_kernel
from viewfinder.engine.engine import EngineCore
from viewfinder.engine.sampler import Sampler
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.inputs import ModelInputs, pack
from viewfinder.messages import Sampling
from viewfinder.model.packed_attention import Continuations
from viewfinder.model.varlen import takes_pages

CONFIG = small_config(vocab_size=300)


def test_tower_and_packed_sequences_with_their_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(CONFIG).requires_grad_()
    grids = ([(1, 4, 6)], [], [(2, 8, 10), (1, 6, 6)])
    inputs = pack([random_inputs(CONFIG, grid, num_text=4 + i, seed=i) for i, grid in enumerate(grids)])
    found = []
    for wanted in (False, True):
        with monkeypatch.context() as patched:
            calls = pretend_kernel(patched, wanted)
            model.zero_grad()
            logits = model(inputs)
            logits.square().mean().backward()
            found.append((logits.detach(), [p.grad for p in model.parameters()]))
            layers = CONFIG.vision.depth + CONFIG.text.num_hidden_layers
            assert len(calls) == (layers if wanted else 0), "one call a layer"
    torch.testing.assert_close(found[1], found[0], atol=2e-5, rtol=2e-4)


def test_answers_go_on_from_one_prompt_with_its_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt of 11 tokens and answers of 3, 1 and 2: the loops and the kernel give what whole sequences give."""
    model, tokens = random_model(CONFIG).requires_grad_(), torch.arange(17)
    answers = (tokens[11:14], tokens[14:15], tokens[15:17])
    whole = [inputs_of(torch.cat([tokens[:11], answer])) for answer in answers]
    model.zero_grad()
    expected = torch.cat([model.hidden_states(one)[11:] for one in whole])
    expected.square().sum().backward()
    gradients = [p.grad for p in model.model.parameters()]
    positions = [whole[0].position_ids, whole[1].position_ids[:, 11:], whole[2].position_ids[:, 11:]]
    shared = replace(inputs_of(tokens), position_ids=torch.cat(positions, dim=1))
    continuations = Continuations((11, 3, 1, 2), (-1, 0, 0, 0))
    assert continuations.past == [0, 11, 11, 11]
    for wanted in (False, True):
        with monkeypatch.context() as patched:
            pretend_kernel(patched, wanted)
            model.zero_grad()
            found = model.hidden_states(shared, continuations=continuations)[11:]
            found.square().sum().backward()
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        for parameter, gradient in zip(model.model.parameters(), gradients, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, atol=1e-4, rtol=1e-3)


def inputs_of(ids: torch.Tensor) -> ModelInputs:
    bounds = torch.tensor([0, len(ids)], dtype=torch.int32)
    return ModelInputs(ids, torch.arange(len(ids)).expand(3, -1), bounds, (0,), media_per_sequence=(0,))


def served(block_size: int, join: bool) -> list[list[int]]:
    model = random_model(CONFIG)
    if join:
        model.join_projections()
    core = EngineCore(model, EngineConfig(cache_bytes=1 << 20, block_size=block_size, max_num_batched_tokens=24))
    sequences = []
    for i, grid in enumerate(([(1, 4, 6)], [], [(2, 4, 4)])):
        inputs = random_inputs(CONFIG, grid, num_text=5 + i, seed=i)
        sequences.append(core.runner.make_sequence(inputs, Sampler(CONFIG, inputs, Sampling(max_new_tokens=9), ())))
        core.scheduler.add(sequences[-1])
    while not core.scheduler.is_idle:
        assert all(output.error is None for output in core.step())
    return [sequence.token_ids for sequence in sequences]


@pytest.mark.parametrize("join", [False, True])
def test_prompts_in_parts_and_decoding_over_pages(monkeypatch: pytest.MonkeyPatch, join: bool) -> None:
    expected = served(4, False)
    calls = pretend_kernel(monkeypatch)
    assert served(4, join) == expected
    assert "paged" in calls


def test_a_kernel_that_does_not_agree_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = torch.zeros(2, 2, 3, 4, 16)
    assert not takes_pages(memory, 4), "a CPU has none"
    pretend_kernel(monkeypatch)
    assert takes_pages(memory, 4)
    monkeypatch.setattr("tests.varlen_twin._attend", lambda q, k, v, causal: torch.zeros_like(q))
    assert not takes_pages(memory, 4)

    def refuse(*args: object, causal: bool) -> torch.Tensor:
        raise RuntimeError("Paged KV cache block size must be divisible by 256")

    monkeypatch.setattr("tests.varlen_twin._attend", refuse)
    assert not takes_pages(memory, 4)
