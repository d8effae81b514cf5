"""A small engine in double precision, works for it, and the oracle that they are compared with."""

import random

import torch

from tests.conftest import random_model, small_config
from tests.doubles import small_processor, special_ids
from tests.packed import random_inputs
from viewfinder.config import ModelConfig
from viewfinder.engine import reference
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.engine import Engine
from viewfinder.engine.request import EngineRequest
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.engine.ticket import Ticket
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Reply, Sampling
from viewfinder.processor.processor import Prepared

GRIDS = ([], [(1, 4, 6)], [(3, 4, 4)], [(1, 4, 4), (2, 8, 4)], [(1, 18, 10)])


def engine_of(*, cache_tokens: int = 4096, seed: int = 0, dtype: torch.dtype = torch.float64, **bounds: int):
    """Double precision: the order of a sum must not decide between two tokens."""
    processor = small_processor(max_pixels=112 * 112)
    config = small_config(vocab_size=300).model_copy(update=special_ids(processor))
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
