"""Group-relative policy optimization as pure functions of tensors: advantages, weights of tokens, the clipped loss.

GRPO (Shao et al. 2024, arXiv 2402.03300), Dr. GRPO (Liu et al. 2025, arXiv 2503.20783), DAPO (Yu et al. 2025, arXiv
2503.14476). `train.grpo_config` says how the three differ.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from viewfinder.errors import ViewfinderError
from viewfinder.train.grpo_config import GrpoConfig
from viewfinder.train.losses import MAX_LOGITS, product_dtype

EPSILON = 1e-4
"""Added to the deviation of a group, as TRL does."""
EQUAL = 1e-9
"""Rewards of a group that differ by less are equal."""


class AgreementError(ViewfinderError):
    """Rollouts and training give a token different probabilities."""


def group_advantages(rewards: Sequence[float], scale: bool) -> list[float]:
    """Rewards of one group less their mean; with `scale` over their deviation (n - 1), too.

    Rewards 1, 0, 0, 1 give 0.5, -0.5, -0.5, 0.5, or scaled by 0.5774: 0.8659 and -0.8659.
    """
    values = torch.tensor(rewards, dtype=torch.float64)
    if not is_informative(rewards):
        return [0.0] * len(rewards)
    centered = values - values.mean()
    return (centered / (values.std() + EPSILON) if scale else centered).tolist()


def is_informative(rewards: Sequence[float]) -> bool:
    """Whether a group says that one answer is better than another."""
    return len(rewards) > 1 and max(rewards) - min(rewards) > EQUAL


def overlong_penalty(length: int, limit: int, buffer: int) -> float:
    """DAPO's soft punishment (equation 13): 0 up to `limit - buffer` tokens, from there falling to -1 at `limit`.

    With a limit of 100 and a buffer of 20, an answer of 90 tokens gets -0.5.
    """
    return -min(1.0, max(0.0, (length - (limit - buffer)) / buffer)) if buffer else 0.0


def token_weight(config: GrpoConfig, length: int) -> float:
    """Weight of each token of an answer; `answer_units` is what the weighted sum is divided by."""
    return {"grpo": 1 / max(1, length), "dr_grpo": 1 / config.max_new_tokens, "dapo": 1.0}[config.variant]


def answer_units(config: GrpoConfig, length: int, whole: int = 0) -> float:
    """What an answer adds to the divisor of the loss: itself, or its tokens (dapo). A turn of an episode of `whole`
    tokens is a part of an answer: 3 of 12 tokens are 0.25."""
    return float(length) if config.variant == "dapo" else length / whole if whole else 1.0


def policy_loss(
    log_probs: Float[Tensor, " N"],
    old: Float[Tensor, " N"] | None,
    reference: Float[Tensor, " N"] | None,
    advantages: Float[Tensor, " N"],
    config: GrpoConfig,
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Loss of each token, whether it was clipped, and its divergence from the reference (0 without one).

    min(r A, clip(r, 1 - low, 1 + high) A) with r = exp(log_probs - old), negated; `old` None means r = 1. A token of
    ratio 1.5 and advantage 2 counts as 1.2 x 2 where `clip_high` is 0.2, and has no gradient then.
    """
    assert config.clip_high is not None, "a resolved config"
    ratio = (log_probs - (log_probs.detach() if old is None else old)).exp()
    inside = ratio.clamp(1 - config.clip, 1 + config.clip_high)
    loss = -torch.minimum(ratio * advantages, inside * advantages)
    clipped = (inside * advantages < ratio * advantages).float().detach()
    if reference is None:
        return loss, clipped, torch.zeros_like(clipped)
    behind = reference - log_probs
    divergence = behind.exp() - behind - 1
    by = ratio if config.unbiased_kl else 1.0
    return loss + config.kl * divergence * by, clipped, divergence.detach()


def choice_log_probs(
    hidden: Float[Tensor, "N D"],
    weight: Float[Tensor, "V D"],
    chosen: Int[Tensor, " N"],
    *,
    temperature: float,
    excluded: Int[Tensor, " E"],
    kept: UInt8[Tensor, "N B"] | None = None,
    chunk: int | None = None,
) -> Float[Tensor, " N"]:
    """Log-probability of each chosen token under the distribution that rollouts draw from: logits over `temperature`,
    without the ids in `excluded` and those that `kept` leaves out, normalised over the rest.

    Logits are computed again in the backward pass. A token that a grammar forced has one id kept: 0, and no gradient.
    """
    size = chunk or max(64, MAX_LOGITS // len(weight))
    bits = [None] * len(hidden.split(size)) if kept is None else kept.split(size)
    parts = [
        checkpoint(_log_probs, h, weight, y, temperature, excluded, b, use_reentrant=False)
        if torch.is_grad_enabled()
        else _log_probs(h, weight, y, temperature, excluded, b)
        for h, y, b in zip(hidden.split(size), chosen.split(size), bits, strict=True)
    ]
    return torch.cat(parts) if len(chosen) else hidden.float().sum(-1) * 0.0 + weight[:1, :1].sum() * 0.0


def _log_probs(
    hidden: Tensor, weight: Tensor, chosen: Tensor, temperature: float, excluded: Tensor, bits: Tensor | None
) -> Tensor:
    dtype = product_dtype(hidden)
    logits = (hidden.to(dtype) @ weight.to(dtype).T).float().div_(temperature)
    logits.index_fill_(1, excluded, float("-inf"))
    if bits is not None:
        logits.masked_fill_(~unpack_bits(bits, logits.shape[1]), float("-inf"))
    return -F.cross_entropy(logits, chosen, reduction="none")


def unpack_bits(packed: UInt8[Tensor, "N B"], width: int) -> Tensor:
    """(N, width) booleans of `numpy.packbits(..., bitorder="little")`: the byte 5 is true, false, true, false ..."""
    places = torch.arange(8, dtype=torch.uint8, device=packed.device)
    return ((packed[:, :, None] >> places) & 1).bool().flatten(1)[:, :width]


def check_agreement(differences: Float[Tensor, " N"], config: GrpoConfig) -> tuple[float, float]:
    """Mean and largest |log(rollout / trainer probability)| of tokens, for equal weights.

    Raises:
        AgreementError: one of them is beyond its bound.
    """
    if not len(differences):
        return 0.0, 0.0
    sizes, bound = differences.abs(), config.mean_log_ratio
    assert bound is not None, "a resolved config has one"
    mean, largest = float(sizes.mean()), float(sizes.max())
    if not (mean <= bound and largest <= config.max_log_ratio):
        raise AgreementError(
            f"log-probabilities of rollouts and of training differ by {mean:.2g} on average and {largest:.2g} at most, "
            f"more than grpo.mean_log_ratio={bound:g} or grpo.max_log_ratio={config.max_log_ratio:g} "
            "allow, so gradients would be those of another policy and nothing of this step was learned; use "
            "bf16=false, or raise the bounds if this is what the dtype costs"
        )
    return mean, largest


def by_kind(values: Float[Tensor, " N"], kinds: Sequence[tuple[str, int]]) -> dict[str, tuple[Tensor, float]]:
    """Sums over the tokens of answers, and numbers of tokens, by the kind of each answer.

    Values 1, 2, 3 with kinds (text, 1), (clip, 2) give text 1 over 1 and clip 5 over 2.
    """
    found: dict[str, tuple[Tensor, float]] = {}
    for (kind, count), part in zip(kinds, values.split([count for _, count in kinds]), strict=True):
        total, tokens = found.get(kind, (values.new_zeros(()), 0.0))
        found[kind] = total + part.sum(), tokens + count
    return found
