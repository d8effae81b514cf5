"""The losses of the three objectives: next token, contrast, preference."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from viewfinder.inputs import IGNORE_INDEX
from viewfinder.train.chunked_cross_entropy import chunked_cross_entropy, token_log_probs

__all__ = ["contrastive_loss", "next_token_loss", "preference_losses", "token_log_probs"]


def next_token_loss(
    hidden: Float[Tensor, "T D"], weight: Float[Tensor, "V D"], labels: Int[Tensor, " T"], chunk: int | None = None
) -> Float[Tensor, ""]:
    """Sum of the cross entropies of labelled tokens. `labels[i]` is the token after token i, -100 for none.

    The same value and gradients as

        logits = hidden @ weight.T
        F.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")

    but the logits (T x V, 4 bytes each) never exist at once: 32,768 tokens of the official vocabulary would be 20 GB.

    Args:
        chunk: tokens whose logits exist at once; as many as fit `MAX_LOGITS` by default.
    """
    kept = labels != IGNORE_INDEX
    if not bool(kept.any()):
        return hidden[kept].sum() * 0.0 + weight[:1, :1].sum() * 0.0
    return chunked_cross_entropy(hidden[kept], weight, labels[kept], chunk)


def contrastive_loss(
    images: Float[Tensor, "B E"],
    texts: Float[Tensor, "B E"],
    all_images: Float[Tensor, "A E"],
    all_texts: Float[Tensor, "A E"],
    scale: Float[Tensor, ""],
    offset: int,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Sum over B pairs of the symmetric cross entropy (CLIP), and how many images found their text.

    Embeddings are unit vectors. The B pairs of this rank begin at row `offset` of the A pairs of all ranks.
    """
    if not len(images):  # a rank without pairs still takes part in the gathering
        return (images.sum() + texts.sum() + all_images.sum() + all_texts.sum() + scale.sum()) * 0.0, torch.tensor(0.0)
    target = torch.arange(len(images), device=images.device) + offset
    by_image, by_text = scale * images @ all_texts.T, scale * texts @ all_images.T
    loss = 0.5 * (
        F.cross_entropy(by_image, target, reduction="sum") + F.cross_entropy(by_text, target, reduction="sum")
    )
    return loss, (by_image.argmax(-1) == target).sum()


def preference_losses(
    policy: Float[Tensor, "B 2"], reference: Float[Tensor, "B 2"], beta: float, label_smoothing: float = 0.0
) -> tuple[Float[Tensor, " B"], Float[Tensor, "B 2"]]:
    """Loss of each pair (DPO, Rafailov et al. 2023) and its rewards; columns are chosen and rejected."""
    rewards = beta * (policy - reference)
    margin = rewards[:, 0] - rewards[:, 1]
    loss = -(1 - label_smoothing) * F.logsigmoid(margin) - label_smoothing * F.logsigmoid(-margin)
    return loss, rewards.detach()
