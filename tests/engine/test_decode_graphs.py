"""Decoding on fixed, padded tensors gives the tokens of the plain way; a graph is played by its step."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.conftest import random_model, small_config
from tests.packed import random_inputs
from tests.pretend_device import PretendDevice
from tests.varlen_twin import paged_decode
from viewfinder.engine.engine import EngineCore
from viewfinder.engine.sampler import Sampler
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.engine.sequence import Sequence
from viewfinder.messages import Sampling
from viewfinder.model.lora import adapted_layers, add_adapters

CONFIG = small_config(vocab_size=300)
Replays = list[Counter[str]]


def core_of(device: str = "cpu", layers: int = 2, **settings: Any) -> EngineCore:
    text = CONFIG.text.model_copy(update={"num_hidden_layers": layers})
    model = random_model(CONFIG.model_copy(update={"text": text})).to(device)
    model.join_projections()
    return EngineCore(model, EngineConfig(cache_bytes=1 << 18, block_size=4, max_num_batched_tokens=32, **settings))


def ask(core: EngineCore, i: int, length: int) -> Sequence:
    """A request of its own length, every third with a picture or a clip, some of them drawn."""
    grids = ([(1, 4, 6)], [], [(2, 4, 4)])[i % 3]
    inputs = random_inputs(CONFIG, grids, num_text=3 + i, seed=i)
    sampling = Sampling(max_new_tokens=length, temperature=float(i % 2), top_p=0.9, repetition_penalty=1.1, seed=i)
    core.scheduler.add(sequence := core.runner.make_sequence(inputs, Sampler(CONFIG, inputs, sampling, ())))
    return sequence


def served(core: EngineCore, most: int = 25) -> list[list[int]]:
    """Six requests that come and go at different steps, and at last one alone; at most about so many tokens each."""
    sequences = [ask(core, i, 4 + most // 8 * i) for i in range(4)]
    for _ in range(5):
        step(core)
    sequences += [ask(core, i, most + i) for i in range(4, 6)]
    while not core.scheduler.is_idle:
        step(core)
    return [sequence.token_ids for sequence in sequences]


def step(core: EngineCore) -> None:
    assert [output.error for output in core.step() if output.error] == []


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Replays:
    """How often each graph was replayed; the twin of the kernel is taken everywhere."""
    graphs: Replays = []

    def captured(step: Callable[[], Tensor], *_: Any) -> Callable[[], Tensor]:
        graphs.append(count := Counter())

        def replay() -> Tensor:
            count["replays"] += 1
            return step()

        return replay

    monkeypatch.setattr("viewfinder.engine.decode_graphs.captured", captured)
    monkeypatch.setattr("torch.cuda.graph_pool_handle", lambda: (0, 0))
    monkeypatch.setattr("viewfinder.model.attention.decode_kernel", lambda *_: paged_decode)
    return graphs


def test_padded_steps_give_the_tokens_of_plain_ones(graphs: Replays) -> None:
    core = core_of()
    expected = served(core_of(enforce_eager=True))
    assert not graphs
    assert served(core) == expected
    assert len(graphs) == 4, "one, two, four and eight rows"
    zeros = core.runner.kv_cache.num_blocks
    assert all(not layer[:, :, zeros].any() for layer in core.runner.kv_cache.layers), "padding has a block of its own"
    assert all(layer[:, :, core.runner.kv_cache.spare_block].any() for layer in core.runner.kv_cache.layers)


def test_plain_steps_that_only_decode_take_the_kernel_too(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, calls = served(core_of()), []

    def kernel(*tensors: Tensor) -> Tensor:
        calls.append(len(tensors[0]))
        return paged_decode(*tensors)

    monkeypatch.setattr("viewfinder.model.attention.decode_kernel", lambda *_: kernel)
    assert served(core_of(enforce_eager=True)) == expected
    assert set(calls) >= {1, 2, 3}, "rows as they are"


def test_a_step_copies_once_and_waits_for_the_tokens_only(graphs: Replays) -> None:
    with PretendDevice() as device:
        core = core_of("cuda")
        sequences = [ask(core, 1, 9) for _ in range(3)]
        for _ in range(2):
            step(core)
        assert all(sequence.is_decoding for sequence in sequences)
        device.syncs.clear()
        step(core)
        assert sum(device.syncs.values()) == 1
        decoding = core.runner.graphs
        assert decoding is not None
        core.scheduler.schedule()
        device.syncs.clear(), device.uploads.clear()
        with torch.inference_mode():
            logits = decoding.run(sequences)
        assert logits is not None
        assert logits.shape == (3, 300)
        assert (sum(device.syncs.values()), sum(device.uploads.values())) == (0, 1)


def test_a_layer_is_fourteen_launches(graphs: Replays, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel for decoding is two of them."""
    found = []

    def kernel(*tensors: Tensor) -> Tensor:
        before = device.launches.copy()
        out = paged_decode(*tensors)
        device.launches.clear()
        device.launches.update(before + Counter(_partials=1, _merge=1))
        return out

    monkeypatch.setattr("viewfinder.model.attention.decode_kernel", lambda *_: kernel)
    for layers in (1, 2):
        with PretendDevice() as device:
            core = core_of("cuda", layers)
            ask(core, 1, 9)
            for _ in range(2):
                step(core)
            device.launches.clear()
            step(core)
            found.append(sum(device.launches.values()))
    assert graphs
    assert 8 <= found[1] - found[0] <= 14


def test_a_capture_that_fails_is_told_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    expected = served(core_of())
    monkeypatch.setattr("viewfinder.model.attention.decode_kernel", lambda *_: paged_decode)
    with caplog.at_level(logging.WARNING):
        assert served(core_of()) == expected, "there is no CUDA here"
    (told,) = caplog.messages
    assert told.startswith("decoding goes on without CUDA graphs, more slowly: capture failed (")


def test_layers_that_were_changed_are_not_replayed(graphs: Replays) -> None:
    """An adapter comes after the graphs were made, and goes again."""

    def tokens(core: EngineCore) -> list[int]:
        sequence = ask(core, 1, 6)
        while not core.scheduler.is_idle:
            step(core)
        return sequence.token_ids

    core, plain = core_of(), core_of(enforce_eager=True)
    assert tokens(core) == tokens(plain)
    for one in (core, plain):
        model = one.runner.model
        add_adapters(model, 2, 4.0, ["down_proj"])
        with torch.no_grad():
            for layer in adapted_layers(model).values():
                layer.lora_A.fill_(0.3), layer.lora_B.fill_(0.2)
    assert tokens(core) == tokens(plain)
    assert graphs == [Counter(replays=4)], (
        "of the tokens before; the first comes from the prompt, the second unreplayed"
    )
