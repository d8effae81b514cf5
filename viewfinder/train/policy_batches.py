"""Groups of scored rollouts to packed `PolicyBatch`es, and to JSON and back for the state of a run."""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from viewfinder.inputs import ModelInputs, pack
from viewfinder.processor.processor import Processor
from viewfinder.train.batches import PolicyBatch
from viewfinder.train.collators import blank_inputs
from viewfinder.train.grpo_config import GrpoConfig
from viewfinder.train.policy import answer_units, token_weight
from viewfinder.train.rollouts import Prompt, Rollout

Figures = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Group:
    """A prompt and the answers to it that are learned from."""

    prompt: Prompt
    rollouts: tuple[Rollout, ...]


@dataclass(frozen=True)
class Generation:
    """What the rollouts of one step gave.

    Attributes:
        groups: those that are learned from.
        units: what groups that are not learned from add to the divisor of the loss.
        figures: for the report.
        refused: rows and answers that were left out, with reasons.
        answered: how many prompts.
    """

    groups: tuple[Group, ...]
    units: float
    figures: Figures
    refused: tuple[dict[str, str], ...] = ()
    answered: int = 0


def learns_from(config: GrpoConfig, rollout: Rollout) -> bool:
    """Whether an answer is in the loss: one that was cut off is not where `mask_truncated` says so."""
    return not (config.mask_truncated and rollout.finish != "stop")


def units_of(config: GrpoConfig, rollouts: Sequence[Rollout]) -> float:
    """What answers add to the divisor of the loss. Cut-off answers that are masked count as answers, not as tokens."""
    return sum(
        answer_units(config, len(one.tokens), one.episode_tokens)
        for one in rollouts
        if learns_from(config, one) or config.variant != "dapo"
    )


def turn_groups(prompt: Prompt, rollouts: Sequence[Rollout]) -> list[Group]:
    """What is learned from a group: itself, or the turns of its episodes. Turns that saw the same share a prompt."""
    turns = [(turn, one) for one in rollouts for turn in one.turns]
    if not turns:
        return [Group(prompt, tuple(rollouts))]
    found: dict[tuple[bytes, ...], Group] = {}
    for turn, one in turns:
        inputs, answer = turn.prompt.prepared.inputs, replace(turn.rollout, reward=one.reward, advantage=one.advantage)
        seen = [x.numpy().tobytes() for x in (inputs.input_ids, inputs.pixel_values) if x is not None]
        group = found.get(tuple(seen), Group(turn.prompt, ()))
        found[tuple(seen)] = replace(group, rollouts=(*group.rollouts, answer))
    return list(found.values())


def pack_groups(groups: Sequence[Group], seq_len: int) -> list[list[Group]]:
    """Groups in their order, in packs of at most `seq_len` tokens; one that does not fit in a pack is divided, and its
    prompt stands in each part.

    Two groups of 300 tokens in packs of 512 are two packs, so that each picture goes through the tower once.
    """
    packs: list[list[Group]] = []
    room = 0
    for group in groups:
        prompt, sizes = len(group.prompt.prepared.inputs.input_ids), [len(one.tokens) for one in group.rollouts]
        if prompt + sum(sizes) > room:
            packs, room = [*packs, []], seq_len
        room, start = room - prompt, 0
        for at, size in enumerate(sizes):
            if size > room:
                packs[-1].append(Group(group.prompt, group.rollouts[start:at]))
                packs, room, start = [*packs, []], seq_len - prompt, at
            room -= size
        packs[-1].append(Group(group.prompt, group.rollouts[start:]))
    return packs


def policy_batch(groups: Sequence[Group], config: GrpoConfig, figures: Figures | None = None) -> PolicyBatch:
    """One pack; `units` are those of its answers."""
    rollouts = [one for group in groups for one in group.rollouts]
    weights = [token_weight(config, one.episode_tokens or len(one.tokens)) for one in rollouts]
    weights = [weight * learns_from(config, one) for weight, one in zip(weights, rollouts, strict=True)]
    inputs, before, predicted_at = packed(groups)
    return PolicyBatch(
        inputs=inputs,
        before=before,
        tokens=torch.tensor([token for one in rollouts for token in one.tokens]),
        predicted_at=predicted_at,
        advantages=_by_token(rollouts, [one.advantage for one in rollouts]),
        weights=_by_token(rollouts, weights),
        rollout_log_probs=torch.tensor([value for one in rollouts for value in one.log_probs]),
        old_log_probs=_old(rollouts),
        kept=_kept(rollouts),
        units=units_of(config, rollouts),
        kinds=tuple((kind_of(g.prompt.prepared.inputs), len(one.tokens)) for g in groups for one in g.rollouts),
        figures=figures or {},
    )


def kind_of(prompt: ModelInputs) -> str:
    """What a prompt shows, for figures by kind: "text", "picture", "several" (pictures) or "clip"."""
    return "clip" if "video" in prompt.media_kinds else ("text", "picture", "several")[min(2, len(prompt.media_kinds))]


def blank_batch(processor: Processor) -> PolicyBatch:
    """A batch without answers, for a rank that has none."""
    places, none = torch.zeros(0, dtype=torch.int64), torch.zeros(0)
    return PolicyBatch(blank_inputs(processor), (-1,), places, places, none, none, none)


def packed(groups: Sequence[Group]) -> tuple[ModelInputs, tuple[int, ...], Tensor]:
    """Prompts, each with its answers behind it; which sequence each goes on from; after which place each token of an
    answer was chosen.

    A prompt of 5 tokens with answers of 2 and 3 tokens: 10 tokens, (-1, 0, 0), and [4, 5, 4, 7, 8].
    """
    items: list[ModelInputs] = []
    before: list[int] = []
    places: list[int] = []
    start = 0
    for group in groups:
        prompt, number = group.prompt.prepared.inputs, len(items)
        items, before, start = [*items, prompt], [*before, -1], start + len(prompt.input_ids)
        end = start - 1
        for one in group.rollouts:
            items, before = [*items, answer_inputs(prompt, one.tokens)], [*before, number]
            places += [end, *range(start, start + len(one.tokens) - 1)]
            start += len(one.tokens)
    return pack(items), tuple(before), torch.tensor(places)


def answer_inputs(prompt: ModelInputs, tokens: Sequence[int]) -> ModelInputs:
    """An answer as a sequence of its own, whose positions go on as they do in decoding.

    After a prompt of 5 tokens with a rope delta of -2, an answer of 2 has positions 3 and 4.
    """
    start, length = len(prompt.input_ids), len(tokens)
    return ModelInputs(
        input_ids=torch.tensor(tokens, dtype=torch.int64),
        position_ids=torch.arange(start, start + length).expand(3, -1) + prompt.rope_deltas[0],
        cu_seqlens=torch.tensor([0, length], dtype=torch.int32),
        rope_deltas=prompt.rope_deltas,
        media_per_sequence=(0,),
        stamp=prompt.stamp,
    )


def with_old_log_probs(groups: Sequence[Group], values: Tensor) -> list[Group]:
    """The same rollouts with the log-probabilities (N,) of a training pass over `policy_batch(groups)`."""
    parts = iter(values.split([len(one.tokens) for group in groups for one in group.rollouts]))
    return [
        replace(g, rollouts=tuple(replace(one, old_log_probs=tuple(next(parts).tolist())) for one in g.rollouts))
        for g in groups
    ]


def _by_token(rollouts: Sequence[Rollout], values: Sequence[float]) -> Tensor:
    counts = torch.tensor([len(one.tokens) for one in rollouts])
    return torch.repeat_interleave(torch.tensor(values, dtype=torch.float32), counts)


def _old(rollouts: Sequence[Rollout]) -> Tensor | None:
    found = [value for one in rollouts for value in one.old_log_probs]
    return torch.tensor(found) if found else None


def _kept(rollouts: Sequence[Rollout]) -> Tensor | None:
    """One row a token; a row of ones where nothing was left out."""
    width = max((len(bits) for one in rollouts for bits in one.kept), default=0)
    if not width:
        return None
    rows = [bits for one in rollouts for bits in (one.kept or [b"\xff" * width] * len(one.tokens))]
    return torch.from_numpy(np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, width).copy())


def generation_to_json(generation: Generation) -> dict[str, Any]:
    """For the state of a run. Prompts are known by their row numbers."""
    groups = [
        {"row": group.prompt.number, "rollouts": [_rollout_to_json(one) for one in group.rollouts]}
        for group in generation.groups
    ]
    return {**asdict(replace(generation, groups=(), refused=())), "groups": groups}


def _rollout_to_json(rollout: Rollout) -> dict[str, Any]:
    packed = base64.b64encode(zlib.compress(b"".join(rollout.kept))).decode()
    return {**asdict(replace(rollout, kept=())), "kept": packed}


def generation_from_json(stored: dict[str, Any], prompts: dict[int, Prompt]) -> Generation:
    """The inverse, with the prompts of its rows."""
    groups = [
        Group(prompts[group["row"]], tuple(_rollout_from_json(one) for one in group["rollouts"]))
        for group in stored["groups"]
    ]
    figures = {name: (value, weight) for name, (value, weight) in stored["figures"].items()}
    return Generation(tuple(groups), stored["units"], figures, (), stored["answered"])


def _rollout_from_json(stored: dict[str, Any]) -> Rollout:
    bits, count = zlib.decompress(base64.b64decode(stored["kept"])), len(stored["tokens"])
    width = len(bits) // max(1, count)
    kept = tuple(bits[i * width : (i + 1) * width] for i in range(count)) if bits else ()
    lists = {name: tuple(stored[name]) for name in ("tokens", "log_probs", "old_log_probs", "turns")}
    return Rollout(**{**stored, **lists, "kept": kept})
