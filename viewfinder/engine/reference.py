"""The oracle: generation without a cache, recomputing the whole sequence at each step.

Slow and plain on purpose. Every faster path is tested to give the same tokens.
"""

import dataclasses
from collections.abc import Collection, Iterator

import torch

from viewfinder.engine.sampler import Constraint, LoopDetector, Sampler, Token
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Sampling
from viewfinder.model import Qwen2_5_VL


@torch.inference_mode()
def generate(
    model: Qwen2_5_VL,
    inputs: ModelInputs,
    sampling: Sampling,
    *,
    eos_token_ids: Collection[int],
    constraint: Constraint | None = None,
    guard: LoopDetector | None = None,
) -> Iterator[Token]:
    """As `viewfinder.engine.engine.generate`, by the definition."""
    sampler = Sampler(model.config, inputs, sampling, eos_token_ids, constraint, guard)
    while True:
        token = sampler.sample(model(inputs)[-1], inputs.input_ids.tolist())
        yield token
        if token.finish_reason is not None:
            return
        inputs = _appended(inputs, token.id)


def _appended(inputs: ModelInputs, token_id: int) -> ModelInputs:
    length = len(inputs.input_ids)
    position = torch.full((3, 1), length + inputs.rope_deltas[0])
    return dataclasses.replace(
        inputs,
        input_ids=torch.cat([inputs.input_ids, torch.tensor([token_id])]),
        position_ids=torch.cat([inputs.position_ids, position], dim=1),
        cu_seqlens=torch.tensor([0, length + 1], dtype=torch.int32),
    )
