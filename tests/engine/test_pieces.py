"""Clips with frame pairs in common share the work of the tower and the cached beginning, and nothing else."""

import dataclasses

import torch

from tests.engine.small_engine import engine_of, finished, oracle, prepared
from tests.packed import random_inputs
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.request import EngineRequest
from viewfinder.engine.sequence import pieces_of
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Sampling

PAIR = 4 * 4


def clip(engine: AsyncEngine, pairs: str, side: int = 4) -> ModelInputs:
    """A clip of one frame pair a letter; equal letters are equal pixels."""
    inputs = random_inputs(engine.engine.model.config, [(len(pairs), side, side)], 6)
    pixels = [torch.randn(side * side, 1176, generator=torch.Generator().manual_seed(ord(pair))) for pair in pairs]
    return dataclasses.replace(inputs, pixel_values=torch.cat(pixels))


def tokens_of(engine: AsyncEngine, inputs: ModelInputs, tenant: str = "") -> list[int]:
    work = EngineRequest(prepared(inputs), Sampling(max_new_tokens=4), tenant=tenant)
    ticket = engine.submit(work)
    while engine.step():
        pass
    found = list(finished(ticket).tokens)
    assert found == oracle(engine, work)
    return found


def encoded(engine: AsyncEngine, inputs: ModelInputs, tenant: str = "") -> int:
    """Frame pairs that the tower sees for a request."""
    before = engine.core.runner.encoder.num_patches
    tokens_of(engine, inputs, tenant)
    return (engine.core.runner.encoder.num_patches - before) // PAIR


def test_a_clip_that_goes_on_costs_the_pairs_that_are_new() -> None:
    engine = engine_of()
    assert encoded(engine, clip(engine, "abc")) == 3
    reused = engine.counters.reused_tokens
    assert encoded(engine, clip(engine, "abcd")) == 1
    # 6 of text, the mark and three pairs of 4 tokens are read already: 19, in whole blocks of 4
    assert engine.counters.reused_tokens - reused == 16
    assert encoded(engine, clip(engine, "bcde")) == 1, "the window moved, and two pairs are known"
    assert encoded(engine, clip(engine, "bcde"), tenant="other") == 4


def test_blocks_tell_apart_clips_with_the_same_pairs_in_another_order() -> None:
    """Pairs of one token, so that a block has several: the same two pairs, once in each order."""
    engine = engine_of()
    answers = [tokens_of(engine, clip(engine, "cc" + pairs, side=2)) for pairs in ("abba", "abab", "aabb", "abbb")]
    assert len({tuple(answer) for answer in answers}) > 1, "the model looks at nothing, so the test shows nothing"


def test_the_places_of_pieces_are_those_of_their_pixels_and_features() -> None:
    engine = engine_of()
    inputs = random_inputs(engine.engine.model.config, [(1, 2, 2), (3, 4, 4)], 5)
    pieces = pieces_of(inputs, "t", 2)
    assert [(p.patches.start, p.patches.stop) for p in pieces] == [(0, 4), (4, 20), (20, 36), (36, 52)]
    assert [(p.features.start, p.features.stop) for p in pieces] == [(0, 1), (1, 5), (5, 9), (9, 13)]
    assert len({p.key for p in pieces}) == 4
    assert {p.key for p in pieces_of(inputs, "t", 2, hashed=False)} == {("t", b"")}
