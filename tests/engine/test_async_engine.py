"""Many requests at once give the tokens of the oracle, whatever comes between: the contract of the engine."""

import dataclasses
import gc
import random
import time
import weakref

import pytest
import torch

from tests.engine.small_engine import engine_of, finished, oracle, prepared, random_work
from tests.packed import random_inputs
from viewfinder.engine.request import Delta, EngineRequest
from viewfinder.engine.scheduler import BusyError
from viewfinder.engine.ticket import EngineStoppedError, Ticket
from viewfinder.errors import ContextLengthError
from viewfinder.messages import Reply, Sampling, user
from viewfinder.processor.processor import Processor


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
