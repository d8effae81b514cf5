"""Steps of the engine are shared by tenant: many requests of one do not make another wait."""

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import torch

from tests.engine.small_engine import engine_of, finished, oracle, prepared
from tests.packed import random_inputs
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.request import EngineRequest
from viewfinder.engine.scheduler import Scheduled
from viewfinder.messages import Sampling


def work(engine: AsyncEngine, tenant: str, tokens: int, prompt: int = 4, pictures: int = 0, seed: int = 0):
    inputs = random_inputs(engine.engine.model.config, [(1, 4, 6)] * pictures, num_text=prompt, seed=seed)
    return EngineRequest(prepared(inputs), Sampling(max_new_tokens=tokens, temperature=0.0), tenant=tenant)


def steps_until_done(engine: AsyncEngine, asked: EngineRequest, most: int) -> int:
    ticket = engine.submit(asked)
    for step in range(1, most + 1):
        engine.step()
        if ticket.output.finished:
            return step
    raise AssertionError(f"not done after {most} steps")


def test_places_that_one_tenant_holds_are_given_to_another_at_once() -> None:
    engine = engine_of(max_num_seqs=4)
    long = [work(engine, "many", 24, seed=i) for i in range(6)]
    tickets = [engine.submit(one) for one in long]
    for _ in range(5):
        engine.step()
    assert steps_until_done(engine, work(engine, "one", 3), most=5) <= 5
    while engine.step():
        pass
    assert [list(finished(ticket).tokens) for ticket in tickets] == [oracle(engine, one) for one in long]


def test_two_tenants_with_many_hold_the_same_number_of_places() -> None:
    engine = engine_of(max_num_seqs=4)
    for tenant in "ab":
        for i in range(6):
            engine.submit(work(engine, tenant, 60, seed=i))
        engine.step()
    engine.step()
    assert sorted(sequence.tenant for sequence in engine.core.scheduler.running) == ["a", "a", "b", "b"]
    before = engine.counters.preempted
    for _ in range(10):
        engine.step()
    assert engine.counters.preempted == before  # equal is equal: no places go back and forth


def test_prompts_are_read_in_equal_shares_of_their_tenants() -> None:
    engine = engine_of(max_num_seqs=8, max_num_batched_tokens=40, min_chunk_tokens=4)
    for i in range(6):
        engine.submit(work(engine, "many", 2, prompt=200, seed=i))
    engine.step()
    engine.submit(work(engine, "one", 2, prompt=100))
    engine.step()
    scheduled: list[Scheduled] = engine.core.scheduler.schedule()
    read = {tenant: sum(s.num_tokens for s in scheduled if s.sequence.tenant == tenant) for tenant in ("many", "one")}
    assert read["one"] == 20
    assert scheduled[0].sequence.tenant == "one"  # its features are made first: it used less


def test_a_prompt_leaves_no_rest_smaller_than_a_chunk() -> None:
    asked = work(engine_of(), "a", 2, prompt=18)
    length = len(asked.prepared.inputs.input_ids)
    engine = engine_of(max_num_batched_tokens=2 * length + 4, min_chunk_tokens=length // 2)
    for _ in range(3):
        engine.submit(asked)
    engine.step()
    # equal shares would leave a third of each to a step of its own
    assert [sequence.num_computed_tokens for sequence in engine.core.scheduler.running] == [length, length, 4]


def test_many_answers_of_one_tenant_take_turns_beside_another() -> None:
    engine = engine_of(max_num_seqs=12, max_shared_seqs=4)
    asked = [work(engine, "many", 30, seed=i) for i in range(10)]
    tickets = [engine.submit(one) for one in asked]
    engine.step()
    assert len(engine.core.step()) == 10  # alone, all go on
    other = engine.submit(work(engine, "one", 12))
    engine.step()
    told: list[tuple[str, int]] = []
    for _ in range(10):
        outputs = engine.core.step()
        assert [output.sequence.tenant for output in outputs].count("one") == 1
        told += [("turn", output.sequence.order) for output in outputs if output.sequence.tenant == "many"]
    times = Counter(told).values()
    assert (len(told), len(times), max(times) - min(times)) == (30, 10, 0)  # three in each of ten steps, all in turn
    while engine.core.step():
        pass
    for one, ticket in zip([*asked, work(engine, "one", 12)], [*tickets, other], strict=True):
        assert ticket.sequence.token_ids[ticket.sequence.num_prompt_tokens :] == oracle(engine, one)


class CostlyMasks:
    """A constraint that allows everything, after eight milliseconds of the processor."""

    is_finished = False
    masks = 0

    def __init__(self, engine: AsyncEngine) -> None:
        self._bits = np.full(-(-engine.engine.model.config.text.vocab_size // 8), 255, np.uint8)

    def bits(self) -> np.ndarray:
        CostlyMasks.masks += 1
        until = time.thread_time() + 0.008
        while time.thread_time() < until:
            continue
        return self._bits

    def accept(self, token_id: int) -> None:
        return None

    def forced(self, most: int) -> list[int]:
        return []

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        return logits


def test_costly_masks_of_one_tenant_take_a_bounded_part_of_the_steps() -> None:
    engine = engine_of(max_num_seqs=8)
    costly = [replace(work(engine, "many", 60, seed=i), constraint=CostlyMasks(engine)) for i in range(4)]
    tickets = [engine.submit(one) for one in costly]
    other = work(engine, "one", 40)
    before = CostlyMasks.masks
    assert steps_until_done(engine, other, most=41) <= 41
    assert CostlyMasks.masks - before <= 40, "without a budget 160: four sequences in forty steps"
    while engine.step():
        pass
    assert [list(finished(ticket).tokens) for ticket in tickets] == [oracle(engine, one) for one in costly]
