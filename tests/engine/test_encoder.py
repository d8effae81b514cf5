"""The tower in a thread of its own: others go on meanwhile, and everybody gets the tokens of the oracle."""

import random
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.engine.small_engine import engine_of, finished, oracle, prepared, random_work
from tests.packed import random_inputs
from viewfinder.engine import encoder
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.encoder import Encoder, Wanted
from viewfinder.engine.request import EngineRequest
from viewfinder.engine.ticket import Ticket
from viewfinder.messages import Sampling
from viewfinder.model.native import thread_setter


@pytest.fixture(autouse=True)
def as_with_two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where PyTorch has one thread, or another library for threads."""
    monkeypatch.setattr(encoder, "_thread_setter", lambda model, config: lambda count: None)


def ask(engine: AsyncEngine, grids: list[tuple[int, int, int]], tokens: int = 3, seed: int = 0) -> Ticket:
    inputs = random_inputs(engine.engine.model.config, grids, 6, seed)
    return engine.submit(EngineRequest(prepared(inputs), Sampling(max_new_tokens=tokens), tenant=str(seed)))


def held(monkeypatch: pytest.MonkeyPatch, go_on: threading.Event, *, broken: bool = False) -> None:
    """Passes in the other thread wait for `go_on`, and fail if `broken`."""
    features = Encoder._features

    def late(self: Encoder, wanted: list[Wanted]) -> list[Tensor]:
        if threading.current_thread() is not threading.main_thread():
            assert go_on.wait(60)
            if broken:
                raise RuntimeError("this pass failed")
        return features(self, wanted)

    monkeypatch.setattr(Encoder, "_features", late)


def picture_beside_text(
    monkeypatch: pytest.MonkeyPatch, tokens: int
) -> tuple[threading.Event, AsyncEngine, Ticket, Ticket]:
    """An answer of so many tokens is under way when a picture comes; its pass waits for the event."""
    go_on = threading.Event()
    held(monkeypatch, go_on)
    engine = engine_of(encode_beside=True)
    text = ask(engine, [], tokens=tokens)
    engine.step()
    return go_on, engine, text, ask(engine, [(1, 4, 6)], seed=1)


def steps_until(engine: AsyncEngine, is_done: Callable[[], bool]) -> int:
    for number in range(1000):
        if is_done():
            return number
        engine.step()
    raise AssertionError("it never came so far")


@pytest.mark.parametrize("seed", [2, 3])
def test_tokens_equal_the_oracle_under_a_random_schedule(seed: int) -> None:
    bounds = {"max_num_seqs": 8, "max_num_batched_tokens": 24, "min_chunk_tokens": 3, "max_num_patches": 240}
    engine = engine_of(cache_tokens=320, seed=seed, max_waiting=300, encode_beside=True, **bounds)
    chance = random.Random(seed)
    works = [random_work(engine.engine.model.config, chance) for _ in range(30)]
    tickets = [(work, engine.submit(work)) for work in works]
    for _, ticket in tickets[::7]:
        ticket.cancel()
    steps_until(engine, lambda: engine.is_idle)
    manager = engine.core.scheduler.block_manager
    assert manager.num_available == manager.num_blocks
    for i, (work, ticket) in enumerate(tickets):
        if i % 7:
            assert list(finished(ticket).tokens) == oracle(engine, work)


def test_others_get_their_tokens_while_a_picture_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, engine, text, shown = picture_beside_text(monkeypatch, tokens=12)
    steps_until(engine, lambda: text.sequence.num_chosen_tokens == text.sequence.num_prompt_tokens + 12)
    assert shown.sequence.num_computed_tokens == 0
    go_on.set()
    steps_until(engine, lambda: engine.is_idle)
    for ticket in (text, shown):
        assert list(finished(ticket).tokens) == oracle(engine, ticket.output.request)


def test_a_step_waits_where_nothing_else_can_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle step would make the engine's loop sleep until somebody asks."""
    go_on, engine, text, shown = picture_beside_text(monkeypatch, tokens=2)
    steps_until(engine, lambda: not engine.core.scheduler.running or text.sequence not in engine.core.scheduler.running)
    threading.Timer(0.05, go_on.set).start()
    assert engine.step()
    assert shown.sequence.num_computed_tokens > 0


def test_what_fails_beside_is_tried_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    go_on.set()
    held(monkeypatch, go_on, broken=True)
    engine = engine_of(encode_beside=True)
    text = ask(engine, [], tokens=100)
    engine.step()
    shown = [ask(engine, [(1, 4, 6)], seed=seed) for seed in (1, 2)]
    steps_until(engine, lambda: all(t.sequence.num_chosen_tokens == t.sequence.num_prompt_tokens + 3 for t in shown))
    assert text.sequence in engine.core.scheduler.running, "they waited until nobody else was there"
    steps_until(engine, lambda: engine.is_idle)
    for ticket in (text, *shown):
        assert list(finished(ticket).tokens) == oracle(engine, ticket.output.request)


def test_called_off_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, engine, text, shown = picture_beside_text(monkeypatch, tokens=9)
    engine.step()
    shown.cancel()
    engine.step()
    go_on.set()
    again = ask(engine, [(1, 4, 6)], seed=1)
    steps_until(engine, lambda: engine.is_idle)
    assert finished(shown).finish_reason == "cancelled"
    assert list(finished(again).tokens) == oracle(engine, again.output.request)
    assert list(finished(text).tokens) == oracle(engine, text.output.request)


def test_a_thread_sets_its_own_number_of_threads_only() -> None:
    set_threads = thread_setter()
    if set_threads is None:  # not Linux, or another runtime
        return
    before, found = torch.get_num_threads(), []

    def other() -> None:
        torch.get_num_threads()
        set_threads(before + 3)
        found.append(torch.get_num_threads())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert (found, torch.get_num_threads()) == ([before + 3], before)
