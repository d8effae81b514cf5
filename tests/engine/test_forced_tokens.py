"""Tokens that a grammar forces are read in one pass, and nothing but the number of passes tells."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import random_model, small_config
from tests.packed import random_inputs
from viewfinder.engine import reference
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.engine import Engine, generate
from viewfinder.engine.grammar import TokenGrammar
from viewfinder.engine.loop_guard import LoopGuard
from viewfinder.engine.request import Delta, EngineRequest, RequestOutput
from viewfinder.engine.sampler import Token
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Reply, Sampling
from viewfinder.outputs.document.grammar import qwenvl_html_grammar
from viewfinder.outputs.grammars import boxes_grammar, count_grammar, points_grammar
from viewfinder.processor.processor import Prepared, Processor
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.processor.tokenizer import Tokenizer

SCHEMA = {
    "type": "object",
    "properties": {
        "invoice": {
            "type": "object",
            "properties": {"total": {"type": "integer", "maximum": 999}},
            "required": ["total"],
            "additionalProperties": False,
        },
        "currency": {"enum": ["euro", "europa", "dollar"]},
        "lines": {"type": "array", "maxItems": 3, "items": {"const": {"unit price": 12}}},
    },
    "required": ["invoice", "currency", "lines"],
    "additionalProperties": False,
}
GRAMMARS: dict[str, Callable[[Engine], TokenGrammar]] = {
    "boxes": lambda engine: engine.grammars.lark(boxes_grammar(504, 364, 3, max_label=6)),
    "points": lambda engine: engine.grammars.lark(points_grammar(504, 364, 3, labels=["cake", "cat"])),
    "count": lambda engine: engine.grammars.lark(count_grammar(504, 364, 3, max_noun=6)),
    "schema": lambda engine: engine.grammars.json_schema(SCHEMA),
    "document": lambda engine: engine.grammars.lark(qwenvl_html_grammar(504, 364)),
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Random weights in double precision, and a vocabulary that spells the answers in long and short tokens."""
    text = (
        '```json\n[\n\t{"bbox_2d": [12, 345, 6, 78], "label": "cake"},\n\t{"point_2d": [1, 2]}\n]\n``` There are 2 euro'
    )
    processor = Processor(Tokenizer.train([text] * 3, 340), ProcessorSettings(max_pixels=112 * 112))
    token = processor.tokenizer.token_id
    names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>", "eos_token_id": "<|im_end|>"}
    config = small_config(vocab_size=352).model_copy(update={key: token(name) for key, name in names.items()})
    return Engine(random_model(config).double(), processor)


def oracle(engine: Engine, inputs: ModelInputs, name: str, sampling: Sampling, guard: Any = None) -> list[Token]:
    grammar = GRAMMARS[name](engine)
    run = reference.generate(
        engine.model, inputs, sampling, eos_token_ids=engine.eos_token_ids, constraint=grammar, guard=guard
    )
    return list(run)


def assert_same(fast: list[Token], slow: list[Token]) -> None:
    assert [(t.id, t.finish_reason, t.is_end) for t in fast] == [(t.id, t.finish_reason, t.is_end) for t in slow]
    torch.testing.assert_close([t.logprob for t in fast], [t.logprob for t in slow], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [*GRAMMARS])
@settings(max_examples=3)
@given(seed=st.integers(0, 99), hot=st.booleans(), most=st.integers(1, 40), least=st.sampled_from([0, 0, 30]))
def test_tokens_ends_and_logprobs_equal_the_oracle(
    engine: Engine, name: str, seed: int, hot: bool, most: int, least: int
) -> None:
    inputs = random_inputs(engine.model.config, [(1, 4, 6)], num_text=4, seed=seed)
    sampling = Sampling(
        max_new_tokens=most,
        min_tokens=min(least, most),
        temperature=1.0 if hot else 0.0,
        repetition_penalty=1.2,
        seed=seed,
    )
    fast = generate(
        engine.model, inputs, sampling, eos_token_ids=engine.eos_token_ids, constraint=GRAMMARS[name](engine)
    )
    assert_same(list(fast), oracle(engine, inputs, name, sampling))


def counted(engine: Engine, run: Callable[[], list[Token]]) -> tuple[int, list[Token]]:
    """Forward passes that a run took, and what it gave."""
    calls: list[None] = []
    hook = engine.model.register_forward_pre_hook(lambda *_: calls.append(None))
    try:
        tokens = run()
    finally:
        hook.remove()
    return len(calls), tokens


@pytest.mark.parametrize(("name", "most"), [("boxes", 0.6), ("points", 0.55), ("count", 0.55), ("schema", 0.55)])
def test_what_is_forced_costs_no_pass_of_its_own(engine: Engine, name: str, most: float) -> None:
    inputs = random_inputs(engine.model.config, [])
    sampling = Sampling(max_new_tokens=400, temperature=1.0, seed=4)
    number, tokens = counted(
        engine,
        lambda: list(
            generate(
                engine.model, inputs, sampling, eos_token_ids=engine.eos_token_ids, constraint=GRAMMARS[name](engine)
            )
        ),
    )
    assert tokens[-1].finish_reason == "stop"
    assert number <= most * len(tokens)


class _After:
    """A guard that sees a loop at the `limit`-th token."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def push(self, token_id: int) -> bool:
        self.left -= 1
        return self.left == 0


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8, 11])
def test_a_guard_and_a_limit_end_the_answer_amid_forced_tokens(engine: Engine, limit: int) -> None:
    inputs = random_inputs(engine.model.config, [])
    for sampling, guards in (
        (Sampling(max_new_tokens=50), (_After(limit), _After(limit))),
        (Sampling(max_new_tokens=limit), (None, None)),
    ):
        grammar = GRAMMARS["boxes"](engine)
        fast = generate(
            engine.model,
            inputs,
            sampling,
            eos_token_ids=engine.eos_token_ids,
            constraint=grammar,
            guard=guards[0],
        )
        slow = oracle(engine, inputs, "boxes", sampling, guards[1])
        assert len(slow) == limit
        assert_same(list(fast), slow)


def replied(engine: Engine, work: EngineRequest, name: str) -> Reply:
    """The reply by the oracle, token by token."""
    output = RequestOutput(work, engine.processor.tokenizer)
    guard = LoopGuard(engine.processor.tokenizer.token_bytes)
    for token in oracle(engine, work.prepared.inputs, name, work.sampling, guard):
        output.push(token)
        if output.finished:
            break
    return output.reply()


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_server_under_a_random_schedule_gives_the_oracles_replies(engine: Engine, seed: int) -> None:
    """Prompts shared between grammars, too few blocks for all, steps shorter than a forced run, stop strings."""
    chance = random.Random(seed)
    per_token = 2 * 2 * 16 * 2 * 8
    bounds: dict[str, Any] = {"max_num_seqs": 4, "max_num_batched_tokens": 12, "min_chunk_tokens": 3, "block_size": 4}
    server = AsyncEngine(engine, EngineConfig(cache_bytes=80 * per_token, max_waiting=99, **bounds))
    asked = []
    for _ in range(10):
        inputs = random_inputs(engine.model.config, chance.choice([[], [(1, 4, 6)]]), 9, seed=chance.randrange(2))
        sampling = Sampling(
            max_new_tokens=chance.randint(1, 40),
            temperature=chance.choice([0.0, 1.0]),
            seed=chance.randrange(9),
            stop=chance.choice([(), (), ("2d",), (": [", "\n")]),
        )
        name = chance.choice([*GRAMMARS])
        work = EngineRequest(Prepared(inputs, (), ()), sampling, GRAMMARS[name](engine), top_logprobs=2)
        asked.append((server.submit(work), work, name))
    while server.step():
        pass
    assert min(server.counters.preempted, server.counters.reused_tokens) > 0, "the schedule was too easy"
    blocks = server.core.scheduler.block_manager
    blocks.check()
    assert blocks.num_available == blocks.num_blocks
    for ticket, work, name in asked:
        *deltas, reply = ticket.events()
        expected = replied(engine, work, name)
        assert isinstance(reply, Reply)
        torch.testing.assert_close(reply.logprobs, expected.logprobs, atol=1e-4, rtol=1e-4)
        assert (reply.text, reply.tokens, reply.finish_reason, reply.usage, reply.token_texts) == (
            expected.text,
            expected.tokens,
            expected.finish_reason,
            expected.usage,
            expected.token_texts,
        )
        shown = [delta for delta in deltas if isinstance(delta, Delta)]
        assert "".join(delta.text for delta in shown) == expected.text
        assert all(len(delta.token.top) == 2 for delta in shown)


def test_forced_tokens_are_those_that_the_mask_leaves_and_the_state_does_not_move(engine: Engine) -> None:
    grammar, chance = GRAMMARS["schema"](engine), random.Random(0)
    while not grammar.is_finished:
        forced = grammar.forced(99)
        assert grammar.forced(2) == forced[:2]
        for token_id in forced:
            assert grammar.allowed().nonzero()[0].tolist() == [token_id]
            grammar.accept(token_id)
        if not grammar.is_finished:
            grammar.accept(chance.choice(grammar.allowed().nonzero()[0].tolist()))
