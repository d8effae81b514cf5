"""What requests share in memory, and what they must not see of one another."""

import dataclasses

import pytest
import torch

from tests.engine.small_engine import GRIDS, engine_of, finished, oracle, prepared
from tests.packed import random_inputs
from viewfinder.engine.request import EngineRequest
from viewfinder.engine.ticket import Ticket
from viewfinder.errors import CheckpointError
from viewfinder.messages import Sampling


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
