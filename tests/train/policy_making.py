"""Answers of fixed random tokens to text and pictures, for the comparison with TRL (`tools/grpo_oracle.py`)."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from tests.train.making import MADE, picture, train_config
from viewfinder.data.sample import say
from viewfinder.messages import VideoPart
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.train.batches import PolicyBatch
from viewfinder.train.config import TrainConfig
from viewfinder.train.policy import group_advantages
from viewfinder.train.policy_batches import Group, policy_batch
from viewfinder.train.rollouts import Prompt, Rollout

REWARDS = ((1.0, 0.0, 0.25), (0.5, 0.9, 0.1))
LIMIT = 8
VARIANTS: dict[str, dict[str, Any]] = {
    "grpo": {},
    "grpo stale": {"iterations": 2},
    "grpo kl": {"kl": 0.04, "iterations": 2},
    "grpo kl of the paper": {"kl": 0.04, "iterations": 2, "unbiased_kl": False},
    "grpo masked": {"mask_truncated": True},
    "dr_grpo": {"variant": "dr_grpo"},
    "dapo": {"variant": "dapo", "iterations": 2, "overlong_buffer": 0},
    "dapo masked": {"variant": "dapo", "mask_truncated": True, "overlong_buffer": 0},
    "warm": {"temperature": 1.7},
}
CASES = [
    *((kind, variant) for kind in ("text", "pictures") for variant in VARIANTS),
    ("clips", "grpo"),
    ("clips", "grpo kl"),
]


@dataclass(frozen=True)
class Answered:
    """Groups, and the random numbers that stand for what earlier weights and a reference said."""

    groups: tuple[Group, ...]
    old: tuple[float, ...]
    reference: tuple[float, ...]


def config_of(variant: str) -> TrainConfig:
    changes = {"max_new_tokens": LIMIT, "group": 3, "max_log_ratio": 100, "mean_log_ratio": 100, **VARIANTS[variant]}
    return train_config(MADE, objective="policy", grpo=changes, seq_len=512)


def answered(kind: str, variant: str, model: Qwen2_5_VL) -> Answered:
    """Two prompts of different lengths with three answers each: two that ended, one that was cut off."""
    del model
    rng = np.random.default_rng(3)
    config, end = config_of(variant).grpo.resolved(), MADE.tokenizer.token_id("<|im_end|>")
    usable = [MADE.tokenizer.encode(word)[0] for word in ("one", "two", "three", "say", " one", " two")]
    groups: list[Group] = []
    for at, rewards in enumerate(REWARDS):
        media: list[Any] = [picture(at, 56 + 28 * at, 84)] if kind == "pictures" else []
        if kind == "clips":  # short in time: after longer ones transformers 5.24 goes on from a position too low
            media = [
                VideoPart(video=[picture(7 * at + i, 56, 84) for i in range(4 + 2 * at)], sample_fps=4.0 * (1 + at))
            ]
        prepared = MADE.prepare([say("user", *media, "say one" + " two three" * at)])
        rollouts: list[Rollout] = []
        for i, (reward, advantage) in enumerate(
            zip(rewards, group_advantages(rewards, bool(config.scale_by_deviation)), strict=True)
        ):
            words = rng.choice(usable, LIMIT if i == 2 else 3 + i + at).tolist()
            tokens = tuple(words if i == 2 else [*words, end])
            log_probs = tuple((-1 - rng.random(len(tokens))).tolist())
            rollouts.append(Rollout(i, tokens, log_probs, (), "length" if i == 2 else "stop", "", reward, advantage))
        groups.append(Group(Prompt(at, str(at), None, prepared), tuple(rollouts)))  # type: ignore[arg-type]
    count = sum(len(one.tokens) for group in groups for one in group.rollouts)
    noise, behind = rng.normal(0, 0.3, (2, count)).astype(np.float32).tolist()
    return Answered(tuple(groups), tuple(noise), tuple(behind))


def batch_of(made: Answered, variant: str) -> PolicyBatch:
    return policy_batch(made.groups, config_of(variant).grpo.resolved())


def with_old(batch: PolicyBatch, now: torch.Tensor, made: Answered, variant: str) -> PolicyBatch:
    """Log-probabilities of earlier weights that differ from those of now by noise, for variants with iterations."""
    old = now + torch.tensor(made.old) if config_of(variant).grpo.iterations > 1 else None
    return replace(batch, old_log_probs=old)


def probes(gradients: dict[str, torch.Tensor]) -> dict[str, tuple[float, float]]:
    """Of each gradient its norm and its product with a fixed wave."""
    found: dict[str, tuple[float, float]] = {}
    for name, value in gradients.items():
        flat = value.detach().double().flatten()
        wave = torch.cos(0.37 * torch.arange(len(flat), dtype=torch.float64) + 0.1)
        found[name] = float(flat.norm()), float(flat @ wave)
    return found
