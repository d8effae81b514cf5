"""Many requests at once over a model of this process: continuous batching for folder jobs, `map` and the async jobs."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viewfinder.chat.viewfinder import Viewfinder

_SMALL = 2**28
"""Parameters of a model that is cheap to copy."""


@contextmanager
def batched(viewfinder: "Viewfinder", size: int, exact: bool = True) -> Iterator["Viewfinder"]:
    """A `Viewfinder` that `size` threads may ask at the same time; their requests share each step of the model.

    Args:
        exact: a small model on a CPU computes in float32, where an answer is the same whatever else is in the batch.
            In 16-bit arithmetic a tie may be decided otherwise. False keeps the model's own arithmetic.

    A model that is not of this process (a server's, a test's) is given back as it is: it batches by itself, or not.
    """
    from viewfinder.engine.engine import Engine

    if not isinstance(viewfinder.model, Engine):
        yield viewfinder
        return
    import torch

    from viewfinder.engine.async_engine import AsyncEngine
    from viewfinder.engine.scheduler import EngineConfig

    engine = viewfinder.model
    small = engine.model.num_parameters() < _SMALL and engine.model.device.type == "cpu"
    if exact and small and engine.model.dtype != torch.float32:
        engine = Engine(
            copy.deepcopy(engine.model).float(),
            engine.processor,
            sampling=engine.sampling,
            eos_token_ids=engine.eos_token_ids,
        )
    shared = AsyncEngine(
        engine, EngineConfig.for_device(engine.model.device.type, max_num_seqs=size, max_waiting=4 * size)
    )
    shared.start()
    try:
        yield type(viewfinder)(shared.chat_for(processor=viewfinder.processor), viewfinder.processor)
    finally:
        shared.stop()
