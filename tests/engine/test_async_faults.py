"""A request that fails fails alone; an engine that cannot go on says so."""

import dataclasses
import threading

import numpy as np
import pytest
import torch

from tests.engine.small_engine import engine_of, finished, oracle, prepared
from tests.packed import random_inputs
from viewfinder.engine.engine import EngineCore
from viewfinder.engine.request import Delta, EngineRequest
from viewfinder.engine.ticket import EngineStoppedError
from viewfinder.messages import Sampling


class _Poisoned:
    """A constraint that breaks."""

    is_finished = False

    def bits(self) -> np.ndarray:
        raise RuntimeError("poison")

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("poison")

    def accept(self, token_id: int) -> None: ...

    def forced(self, most: int) -> list[int]:
        return []


def test_a_poisoned_request_fails_alone() -> None:
    batching = engine_of()
    config = batching.engine.model.config
    good = [
        EngineRequest(prepared(random_inputs(config, [(1, 4, 6)], seed=i)), Sampling(max_new_tokens=6))
        for i in range(3)
    ]
    bad_pixels = random_inputs(config, [(1, 4, 6)])
    bad = [
        EngineRequest(good[0].prepared, Sampling(), constraint=_Poisoned()),
        EngineRequest(prepared(dataclasses.replace(bad_pixels, pixel_values=torch.zeros(24, 7))), Sampling()),
        EngineRequest(prepared(dataclasses.replace(bad_pixels, input_ids=bad_pixels.input_ids + 10**6)), Sampling()),
    ]
    tickets = [batching.submit(work) for work in (good[0], bad[0], good[1], bad[1], good[2], bad[2])]
    while batching.step():
        pass
    for work, ticket in zip(good, tickets[::2], strict=True):
        assert list(finished(ticket).tokens) == oracle(batching, work)
    for ticket in tickets[1::2]:
        with pytest.raises((RuntimeError, IndexError)):
            finished(ticket)
    assert batching.core.scheduler.block_manager.num_available == batching.core.scheduler.block_manager.num_blocks


def test_the_loop_comes_back_after_a_crash_and_its_requests_are_told() -> None:
    batching = engine_of()
    inputs = prepared(random_inputs(batching.engine.model.config, []))
    batching.core.runner.run = lambda scheduled: 1 / 0  # type: ignore[method-assign]
    ticket = batching.submit(EngineRequest(inputs, Sampling(max_new_tokens=3)))
    batching.start()
    with pytest.raises(EngineStoppedError, match="send it again"):
        finished(ticket)
    work = EngineRequest(inputs, Sampling(max_new_tokens=3))
    assert list(finished(batching.submit(work)).tokens) == oracle(batching, work)
    assert batching.counters.restarts == 1
    batching.stop()


def test_a_restart_frees_the_caches_of_the_old_core_first(monkeypatch: pytest.MonkeyPatch) -> None:
    batching = engine_of()
    inputs = prepared(random_inputs(batching.engine.model.config, []))
    old, make = batching.core.runner, batching._new_core
    kept: list[int] = []

    def watched() -> EngineCore:
        kept.append(len(old.kv_cache.layers))
        return make()

    monkeypatch.setattr(batching, "_new_core", watched)
    old.run = lambda scheduled: 1 / 0  # type: ignore[method-assign]
    ticket = batching.submit(EngineRequest(inputs, Sampling(max_new_tokens=3)))
    batching.start()
    with pytest.raises(EngineStoppedError, match="send it again"):
        finished(ticket)
    work = EngineRequest(inputs, Sampling(max_new_tokens=3))
    assert list(finished(batching.submit(work)).tokens) == oracle(batching, work)
    assert kept == [0]
    batching.stop()


@pytest.mark.parametrize("fault", ["device", "restart"])
def test_an_engine_that_cannot_go_on_answers_what_waits_and_says_so(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batching = engine_of()
    inputs = prepared(random_inputs(batching.engine.model.config, []))

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    if fault == "device":  # caught for one sequence, it would fail all that follow, one by one
        monkeypatch.setattr(batching.engine.model, "forward", broken)
    else:
        monkeypatch.setattr(batching.core, "step", lambda: 1 / 0)
        monkeypatch.setattr(batching, "_new_core", broken)
    told = threading.Event()
    batching.on_failure = told.set
    tickets = [batching.submit(EngineRequest(inputs, Sampling(max_new_tokens=3))) for _ in range(2)]
    batching.start()
    assert told.wait(30)
    for ticket in tickets:
        with pytest.raises(EngineStoppedError, match="the engine failed"):
            finished(ticket)
    assert batching.has_failed
    assert batching._thread is not None
    batching._thread.join(30)
    assert not batching.is_alive
    with pytest.raises(EngineStoppedError):
        batching.submit(EngineRequest(inputs, Sampling()))
    batching.stop()


def test_a_listener_that_breaks_costs_its_own_request_only() -> None:
    batching = engine_of()
    inputs = prepared(random_inputs(batching.engine.model.config, []))
    seen: list[object] = []

    def listen(event: object) -> None:
        seen.append(event)
        if isinstance(event, Delta):
            raise RuntimeError("the asker is gone")

    batching.submit(EngineRequest(inputs, Sampling(max_new_tokens=5)), listen)
    work = EngineRequest(inputs, Sampling(max_new_tokens=5), tenant="other")
    ticket = batching.submit(work)
    while batching.step():
        pass
    assert list(finished(ticket).tokens) == oracle(batching, work)
    assert [type(event) for event in seen] == [Delta, RuntimeError]
    assert batching.counters.failed == 1
    assert batching.is_idle
