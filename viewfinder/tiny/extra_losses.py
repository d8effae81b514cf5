"""What a small language model is told on its way to an answer: where to look, and what stands there (`pointing`,
`naming`), from states, queries and keys caught half way up."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from viewfinder.inputs import IGNORE_INDEX, ModelInputs
from viewfinder.model.layers import multimodal_rope
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.train.naming import WordHeads, naming_loss
from viewfinder.train.pointing import NAMED, asked_tokens, pointing_loss, pointing_targets


@dataclass(frozen=True)
class Caught:
    """Of one forward pass the states after half of the layers and one later, and that layer's queries and keys."""

    states: list[Tensor] = field(default_factory=list)
    queries: list[Tensor] = field(default_factory=list)
    keys: list[Tensor] = field(default_factory=list)


@contextmanager
def catching(model: Qwen2_5_VL, caught: Caught) -> Iterator[None]:
    """Fill `caught` in the forward pass that is made meanwhile."""
    layers = model.model.layers
    half = (len(layers) - 1) // 2
    after = layers[min(half + 1, len(layers) - 1)]
    kept_of = (
        (layers[half], caught.states),
        (after.self_attn.q_proj, caught.queries),
        (after.self_attn.k_proj, caught.keys),
        (after, caught.states),
    )
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, kept=kept: kept.append(output))
        for module, kept in kept_of
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def point(model: Qwen2_5_VL, inputs: ModelInputs, told: Mapping[str, Tensor], caught: Caught) -> tuple[Tensor, Tensor]:
    """Loss and accuracy of where the first head of the layer after half of them looks; `told` is what `ahead` gives."""
    text = model.config.text
    asked = asked_tokens(told)
    allowed, wanted = pointing_targets(inputs, _media(model, inputs), told, asked)
    rope = multimodal_rope(inputs.position_ids, text.head_dim, text.rope_theta, text.mrope_section)
    return pointing_loss(caught.queries[0], caught.keys[0], rope, asked, allowed, wanted)


def name_things(
    model: Qwen2_5_VL,
    inputs: ModelInputs,
    labels: Mapping[str, Tensor],
    told: Mapping[str, Tensor],
    caught: Caught,
    words: WordHeads,
) -> tuple[Tensor, Tensor]:
    """Loss and accuracy of the words for what stands at each media token, and for what is about to be placed."""
    media = _media(model, inputs)
    targets = {}
    for seen, asked in NAMED.items():
        targets[seen] = told.get(asked, torch.full_like(inputs.input_ids, IGNORE_INDEX)).clone()
        targets[seen][media] = labels[seen].flatten()
    return naming_loss(words, caught.states[0], model.lm_head.weight, targets)


def _media(model: Qwen2_5_VL, inputs: ModelInputs) -> Tensor:
    ids = inputs.input_ids
    return (ids == model.config.image_token_id) | (ids == model.config.video_token_id)
