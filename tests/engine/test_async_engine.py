"""Many requests at once give the tokens of the oracle, whatever comes between: the contract of the engine."""

import dataclasses
import gc
import random
import threading
import time
import weakref

import numpy as np
import pytest
import torch

from tests.conftest import random_model, small_config
from tests.doubles import small_processor
from tests.packed import random_inputs
from viewfinder.config import ModelConfig
from viewfinder.engine import reference
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.engine import Engine, EngineCore
from viewfinder.engine.request import Delta, EngineRequest
from viewfinder.engine.scheduler import BusyError, EngineConfig
from viewfinder.engine.ticket import EngineStoppedError, Ticket
from viewfinder.errors import CheckpointError, ContextLengthError
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Reply, Sampling, user
from viewfinder.processor.processor import Prepared, Processor

GRIDS = ([], [(1, 4, 6)], [(3, 4, 4)], [(1, 4, 4), (2, 8, 4)], [(1, 18, 10)])


def engine_of(*, cache_tokens: int = 4096, seed: int = 0, dtype: torch.dtype = torch.float64, **bounds: int):
    """Double precision: the order of a sum must not decide between two tokens."""
    processor = small_processor(max_pixels=112 * 112)
    token = processor.tokenizer.token_id
    config = small_config(vocab_size=300).model_copy(
        update={
            "image_token_id": token("<|image_pad|>"),
            "video_token_id": token("<|video_pad|>"),
            "vision_start_token_id": token("<|vision_start|>"),
            "vision_end_token_id": token("<|vision_end|>"),
            "eos_token_id": token("<|im_end|>"),
        }
    )
    engine = Engine(random_model(config, seed).to(dtype), processor)
    per_token = 2 * 2 * 16 * 2 * dtype.itemsize
    return AsyncEngine(engine, EngineConfig(cache_bytes=cache_tokens * per_token, block_size=4, **bounds))


def prepared(inputs: ModelInputs) -> Prepared:
    return Prepared(inputs, (), ())


def random_work(config: ModelConfig, chance: random.Random) -> EngineRequest:
    """Few different beginnings, so that prefixes are shared; all ways of choosing."""
    inputs = random_inputs(config, chance.choice(GRIDS), num_text=chance.choice((3, 9, 40)), seed=chance.randrange(3))
    sampling = Sampling(
        max_new_tokens=chance.randint(1, 16),
        temperature=chance.choice((0.0, 0.0, 0.7, 1.3)),
        top_k=chance.choice((0, 20)),
        top_p=chance.choice((1.0, 0.9)),
        repetition_penalty=chance.choice((1.0, 1.2)),
        seed=chance.randrange(100),
    )
    return EngineRequest(prepared(inputs), sampling, tenant=chance.choice("abc"))


def oracle(batching: AsyncEngine, work: EngineRequest) -> list[int]:
    engine = batching.engine
    tokens = reference.generate(engine.model, work.prepared.inputs, work.sampling, eos_token_ids=engine.eos_token_ids)
    return [token.id for token in tokens]


def finished(ticket: Ticket) -> Reply:
    *_, last = ticket.events()
    assert isinstance(last, Reply)
    return last


@pytest.mark.parametrize("seed", [0, 1])
def test_tokens_equal_the_oracle_under_a_random_schedule_with_cancellations(seed: int) -> None:
    """200 requests in all: a cache too small for all, short steps, one in five called off at a random step."""
    bounds = {"max_num_seqs": 8, "max_num_batched_tokens": 24, "min_chunk_tokens": 3, "max_num_patches": 40}
    batching = engine_of(cache_tokens=320, seed=seed, max_waiting=300, encoder_cache_bytes=20_000, **bounds)
    chance = random.Random(seed)
    todo = [random_work(batching.engine.model.config, chance) for _ in range(100)]
    asked: list[tuple[EngineRequest, Ticket, int | None]] = []
    while True:
        while todo and chance.random() < 0.5:
            work = todo.pop()
            asked.append((work, batching.submit(work), chance.randint(0, 40) if chance.random() < 0.2 else None))
        for i, (work, ticket, left) in enumerate(asked):
            if left is not None:
                asked[i] = (work, ticket, left - 1)
                if left == 0:
                    ticket.cancel()
        if not batching.step() and not todo and batching.is_idle:
            break
    batching.core.scheduler.block_manager.check()
    assert batching.core.scheduler.block_manager.num_available == batching.core.scheduler.block_manager.num_blocks, (
        "blocks are lost"
    )
    counters = batching.counters
    assert min(counters.preempted, counters.cancelled, counters.reused_tokens) > 0, "the schedule was too easy"
    for work, ticket, _ in asked:
        reply = finished(ticket)
        expected = oracle(batching, work)
        if reply.finish_reason == "cancelled":
            assert list(reply.tokens) == expected[: len(reply.tokens)]
        else:
            assert list(reply.tokens) == expected


def test_what_memory_held_before_is_never_read() -> None:
    """What is not written yet is masked, but 0 x NaN is NaN: answers turned to token 0 where memory was used."""
    batching = engine_of()
    for layer in batching.core.runner.kv_cache.layers:
        layer[:, :, : batching.core.scheduler.block_manager.num_blocks] = float("nan")
    config = batching.engine.model.config
    works = [
        EngineRequest(prepared(random_inputs(config, grids, 5 + i, seed=i)), Sampling(max_new_tokens=6))
        for i, grids in enumerate(GRIDS)
    ]
    tickets = [batching.submit(work) for work in works]
    while batching.step():
        pass
    for work, ticket in zip(works, tickets, strict=True):
        assert list(finished(ticket).tokens) == oracle(batching, work)


def test_what_a_broken_request_wrote_does_not_reach_the_next_that_gets_its_blocks() -> None:
    batching = engine_of(cache_tokens=60)
    for layer in batching.core.runner.kv_cache.layers:
        layer.zero_()
    config = batching.engine.model.config
    broken = random_inputs(config, [(1, 4, 6)], 9)
    assert broken.pixel_values is not None
    broken = dataclasses.replace(broken, pixel_values=torch.full_like(broken.pixel_values, float("nan")))
    good = EngineRequest(prepared(random_inputs(config, [], 5)), Sampling(max_new_tokens=50))
    tickets: list[Ticket] = []
    for work in (EngineRequest(prepared(broken), Sampling(max_new_tokens=20), tenant="broken"), good):
        tickets.append(batching.submit(work))
        while batching.step():
            pass
    with pytest.raises(CheckpointError, match="no number"):
        finished(tickets[0])
    assert list(finished(tickets[1]).tokens) == oracle(batching, good)


def test_equal_prompts_share_blocks_and_features_within_a_tenant_only() -> None:
    batching = engine_of()
    work = EngineRequest(
        prepared(random_inputs(batching.engine.model.config, [(1, 4, 6)], 20)), Sampling(max_new_tokens=2)
    )

    def reused(work: EngineRequest) -> int:
        before = batching.counters.reused_tokens
        ticket = batching.submit(work)
        while batching.step():
            pass
        finished(ticket)
        return batching.counters.reused_tokens - before

    prompt = len(work.prepared.inputs.input_ids)
    assert reused(work) == 0
    assert reused(work) == (prompt - 1) // 4 * 4
    hits = batching.core.runner.encoder.cache.hits
    assert reused(dataclasses.replace(work, tenant="other")) == 0
    assert batching.core.runner.encoder.cache.hits == hits


def test_equal_tokens_of_different_pictures_share_nothing_after_the_picture_begins() -> None:
    batching = engine_of()
    first = random_inputs(batching.engine.model.config, [(1, 8, 8)], 5)
    assert first.pixel_values is not None
    pixels = first.pixel_values.clone()
    pixels[-1, -1] += 1e-3  # the smallest change of the last patch
    for inputs in (first, dataclasses.replace(first, pixel_values=pixels)):
        ticket = batching.submit(EngineRequest(prepared(inputs), Sampling(max_new_tokens=3)))
        while batching.step():
            pass
        assert list(finished(ticket).tokens) == oracle(
            batching, EngineRequest(prepared(inputs), Sampling(max_new_tokens=3))
        )
    assert batching.counters.reused_tokens <= 6


def test_pictures_that_came_together_take_one_pass_of_the_tower(monkeypatch: pytest.MonkeyPatch) -> None:
    batching = engine_of()
    model = batching.engine.model
    grids = [(1, 4, 6), (1, 8, 4), (1, 4, 6), (1, 4, 6)]
    works = [
        EngineRequest(prepared(random_inputs(model.config, [grid], seed=min(i, 2))), Sampling(max_new_tokens=6))
        for i, grid in enumerate(grids)
    ]  # the last two are the same
    expected = [oracle(batching, work) for work in works]
    passes: list[list[list[int]]] = []
    tower = model.visual.forward
    monkeypatch.setattr(model.visual, "forward", lambda x, grid: (passes.append(grid.tolist()), tower(x, grid))[1])
    tickets = [batching.submit(work) for work in works]
    while batching.step():
        pass
    assert [list(finished(ticket).tokens) for ticket in tickets] == expected
    assert passes == [[[1, 4, 6], [1, 4, 6], [1, 8, 4]]]


def test_patches_of_bytes_and_of_numbers_are_not_mixed() -> None:
    batching = engine_of()
    batching.engine.model.visual.normalization = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    numbers = random_inputs(batching.engine.model.config, [(1, 4, 6)], seed=1)
    assert numbers.pixel_values is not None
    as_bytes = (numbers.pixel_values * 50 + 128).clamp(0, 255).to(torch.uint8)
    both = (numbers, dataclasses.replace(numbers, pixel_values=as_bytes))
    works = [EngineRequest(prepared(inputs), Sampling(max_new_tokens=6)) for inputs in both]
    tickets = [batching.submit(work) for work in works]
    while batching.step():
        pass
    first, second = (batching.core.runner.encoder.cache._items[t.sequence.pieces[0].key] for t in tickets)
    for inputs, features in zip(both, (first, second), strict=True):
        assert inputs.pixel_values is not None
        assert inputs.grid_thw is not None
        torch.testing.assert_close(batching.engine.model.visual(inputs.pixel_values, inputs.grid_thw), features)


def test_prompts_that_the_cache_cannot_hold_at_once_are_read_once() -> None:
    batching = engine_of(cache_tokens=256, max_num_batched_tokens=24, min_chunk_tokens=8, enable_prefix_caching=False)
    config = batching.engine.model.config
    works = [
        EngineRequest(prepared(random_inputs(config, [], num_text=40, seed=i)), Sampling(max_new_tokens=4))
        for i in range(9)
    ]
    assert sum(len(work.prepared.inputs.input_ids) for work in works) > 256
    tickets = [batching.submit(work) for work in works]
    while batching.step():
        pass
    assert [list(finished(ticket).tokens) for ticket in tickets] == [oracle(batching, work) for work in works]
    assert batching.counters.preempted == 0


def test_listeners_are_followed_by_one_call_a_step() -> None:
    batching = engine_of()
    events: list[object] = []
    calls: list[int] = []
    batching.on_events = lambda: calls.append(len(events))
    work = EngineRequest(prepared(random_inputs(batching.engine.model.config, [])), Sampling(max_new_tokens=3))
    tickets = [batching.submit(work, events.append) for _ in range(4)]
    while batching.step():
        pass
    assert calls == [4, 8, 16] == [4, 8, len(events)]  # the last tokens come with the replies
    tickets = [batching.submit(work, events.append)]
    tickets[0].cancel()
    assert not batching.step()
    assert calls[-1] == len(events) == 17
    batching.submit(work, events.append)
    batching.stop()
    assert calls[-1] == len(events) == 18


def test_features_stay_under_their_cap() -> None:
    batching = engine_of(encoder_cache_bytes=6 * 64 * 8)  # six tokens in double precision
    for seed in range(3):
        work = EngineRequest(
            prepared(random_inputs(batching.engine.model.config, [(1, 4, 6)], 5, seed)), Sampling(max_new_tokens=1)
        )
        batching.submit(work)
        while batching.step():
            pass
        assert 0 < batching.core.runner.encoder.cache.num_bytes <= 6 * 64 * 8


def test_too_many_are_refused_with_a_time_to_come_back_and_others_are_not() -> None:
    batching = engine_of(max_num_seqs=1, max_waiting=2)
    work = EngineRequest(
        prepared(random_inputs(batching.engine.model.config, [])), Sampling(max_new_tokens=2), tenant="greedy"
    )
    for _ in range(2):
        batching.submit(work)
    with pytest.raises(BusyError, match="try again in") as refused:
        batching.submit(work)
    assert 1 <= refused.value.retry_after <= 60
    batching.submit(dataclasses.replace(work, tenant="modest"))


def test_turns_are_taken_between_tenants() -> None:
    batching = engine_of(max_num_seqs=2, max_waiting=50)
    inputs = prepared(random_inputs(batching.engine.model.config, []))
    many = [batching.submit(EngineRequest(inputs, Sampling(max_new_tokens=6), tenant="many")) for _ in range(10)]
    one = batching.submit(EngineRequest(inputs, Sampling(max_new_tokens=6), tenant="one"))
    order: list[str] = []
    for name, ticket in [*(("many", t) for t in many), ("one", one)]:
        ticket._emit = lambda event, name=name: isinstance(event, Reply) and order.append(name)
    while batching.step():
        pass
    assert order.index("one") <= 2


def test_a_request_larger_than_the_cache_is_refused_before_it_waits() -> None:
    batching = engine_of(cache_tokens=32)
    work = EngineRequest(prepared(random_inputs(batching.engine.model.config, [], 20)), Sampling(max_new_tokens=100))
    with pytest.raises(ContextLengthError, match="the cache holds 32"):
        batching.submit(work)


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


def test_stopping_finishes_what_runs_and_takes_no_more() -> None:
    batching = engine_of()
    inputs = prepared(random_inputs(batching.engine.model.config, []))
    batching.start()
    ticket = batching.submit(EngineRequest(inputs, Sampling(max_new_tokens=20)))
    batching.stop(drain_seconds=30)
    assert len(finished(ticket).tokens) > 0
    with pytest.raises(EngineStoppedError, match="shutting down"):
        batching.submit(EngineRequest(inputs, Sampling()))


def test_as_a_chat_model_it_streams_what_the_engine_says() -> None:
    batching = engine_of()
    batching.start()
    sampling = Sampling(max_new_tokens=12, temperature=0.5, seed=1)
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}, "required": ["n"]}
    for options in ({}, {"schema": schema}):
        expected = batching.engine.chat([user("hello")], sampling=sampling, **options)
        *pieces, reply = batching.chat_for("a").stream([user("hello")], sampling=sampling, **options)
        assert isinstance(reply, Reply)
        assert (reply.text, reply.tokens, reply.stamp) == (expected.text, expected.tokens, expected.stamp)
        assert "".join(pieces) == reply.text
    batching.stop()


def test_a_stop_string_ends_a_request_and_gives_its_blocks_back() -> None:
    """The core knows ids only, so it goes on until it is told that the text is at its end."""
    batching = engine_of()
    inputs = prepared(random_inputs(batching.engine.model.config, []))
    free = batching.submit(EngineRequest(inputs, Sampling(max_new_tokens=40)))
    while batching.step():
        pass
    whole = finished(free)
    stop = next(piece for piece in whole.token_texts if piece.isprintable() and piece.strip())
    ticket = batching.submit(EngineRequest(inputs, Sampling(max_new_tokens=40, stop=(stop,))))
    while batching.step():
        pass
    reply = finished(ticket)
    assert (reply.text, reply.finish_reason) == (whole.text.partition(stop)[0], "stop")
    assert reply.tokens == whole.tokens[: len(reply.tokens)]
    assert len(reply.tokens) < len(whole.tokens)
    assert batching.is_idle
    blocks = batching.core.scheduler.block_manager
    assert blocks.num_available == blocks.num_blocks
    assert batching.counters.finished == 2


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


def test_closing_a_stream_calls_the_request_off() -> None:
    batching = engine_of(dtype=torch.float32)
    batching.start()
    stream = batching.chat_for("a").stream([user("hello")], sampling=Sampling(max_new_tokens=3000))
    next(stream)
    stream.close()
    deadline = time.monotonic() + 10
    while not batching.is_idle and time.monotonic() < deadline:
        time.sleep(0.01)
    assert batching.counters.cancelled == 1
    batching.stop()


def test_alternatives_are_told_with_each_token_when_asked_for() -> None:
    batching = engine_of()
    inputs = prepared(random_inputs(batching.engine.model.config, []))
    ticket = batching.submit(EngineRequest(inputs, Sampling(max_new_tokens=3), top_logprobs=4))
    while batching.step():
        pass
    for event in ticket.events():
        if isinstance(event, Delta):
            assert event.token.top[0] == (event.token.id, pytest.approx(event.token.logprob))  # greedy
            assert len(event.token.top) == 4


def test_other_budgets_for_one_tenant() -> None:
    batching = engine_of()
    settings = batching.engine.processor.settings.with_(max_pixels=28 * 28)
    chat = batching.chat_for("a", Processor(batching.engine.processor.tokenizer, settings))
    assert chat.processor.stamp != batching.engine.processor.stamp


def test_a_chat_that_is_kept_holds_nothing_of_requests_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live session asks through one chat for hours: the pixels of each question were kept to the end."""
    batching = engine_of()
    submit, tickets = batching.submit, list[weakref.ref[Ticket]]()

    def noted(request: EngineRequest, listener: object = None) -> Ticket:
        tickets.append(weakref.ref(ticket := submit(request)))
        return ticket

    monkeypatch.setattr(batching, "submit", noted)
    batching.start()
    chat = batching.chat_for()
    for _ in range(3):
        chat.chat([user("one")], sampling=Sampling(max_new_tokens=2))
    batching.stop()
    gc.collect()
    assert [ticket() for ticket in tickets] == [None] * 3
