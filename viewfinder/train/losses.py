"""The losses of three objectives: next token, preference, contrast; `train.policy` has that of the fourth."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from viewfinder.inputs import IGNORE_INDEX

MAX_LOGITS = 1 << 26
"""Logits that may exist at once: 256 MiB of float32."""


def next_token_loss(
    hidden: Float[Tensor, "T D"], weight: Float[Tensor, "V D"], labels: Int[Tensor, " T"], chunk: int | None = None
) -> Float[Tensor, ""]:
    """Sum of the cross entropies of labelled tokens. `labels[i]` is the token after token i, -100 for none.

    The same value and gradients as

        logits = hidden @ weight.T
        F.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")

    but in chunks of tokens: all logits (T x V, 4 bytes each) of 32,768 tokens and the official vocabulary are 20 GB.
    """
    kept = labels != IGNORE_INDEX
    hidden, labels = hidden[kept], labels[kept]
    if not len(labels):
        return hidden.sum() * 0.0 + weight[:1, :1].sum() * 0.0
    summed: Tensor = _ChunkedCrossEntropy.apply(hidden, weight, labels, chunk or max(64, MAX_LOGITS // len(weight)))
    return summed


def token_log_probs(
    hidden: Float[Tensor, "T D"], weight: Float[Tensor, "V D"], labels: Int[Tensor, " T"], chunk: int | None = None
) -> Float[Tensor, " T"]:
    """Log-probability of each label, 0 where there is none. Logits are computed again in the backward pass."""
    at = (labels != IGNORE_INDEX).nonzero().flatten()
    result = torch.zeros(len(labels), dtype=torch.float32, device=hidden.device)
    if not len(at):
        return result + hidden.sum() * 0.0
    size = chunk or max(64, MAX_LOGITS // len(weight))
    chosen, targets = hidden[at].split(size), labels[at].split(size)
    parts = [
        checkpoint(_log_probs, h, weight, y, use_reentrant=False)
        if torch.is_grad_enabled()
        else _log_probs(h, weight, y)
        for h, y in zip(chosen, targets, strict=True)
    ]
    return result.index_put((at,), torch.cat(parts))


def _log_probs(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    dtype = product_dtype(hidden)
    return -F.cross_entropy((hidden.to(dtype) @ weight.to(dtype).T).float(), labels, reduction="none")


def preference_losses(
    policy: Float[Tensor, "B 2"], reference: Float[Tensor, "B 2"], beta: float, label_smoothing: float = 0.0
) -> tuple[Float[Tensor, " B"], Float[Tensor, "B 2"]]:
    """Loss of each pair (DPO, Rafailov et al. 2023) and its rewards; columns are chosen and rejected."""
    rewards = beta * (policy - reference)
    margin = rewards[:, 0] - rewards[:, 1]
    loss = -(1 - label_smoothing) * F.logsigmoid(margin) - label_smoothing * F.logsigmoid(-margin)
    return loss, rewards.detach()


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


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Gradients are computed in the forward pass, chunk by chunk, so that no logits are kept or computed twice."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, chunk: int) -> Tensor:
        dtype = product_dtype(hidden)
        narrow = weight.to(dtype)
        total = torch.zeros((), device=hidden.device)
        grad_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        for start in range(0, len(labels), chunk):
            part, target = hidden[start : start + chunk].to(dtype), labels[start : start + chunk, None]
            with torch.autocast(hidden.device.type, enabled=False):
                logits = (part @ narrow.T).float()
                normalizer = logits.logsumexp(-1, keepdim=True)
                total += (normalizer - logits.gather(1, target)).sum()
                if grad_hidden is None and grad_weight is None:
                    continue
                slope = logits.sub_(normalizer).exp_()
                slope.scatter_add_(1, target, torch.full_like(target, -1, dtype=slope.dtype))
                slope = slope.to(dtype)
                if grad_hidden is not None:
                    grad_hidden[start : start + chunk] = slope @ narrow
                if grad_weight is not None:
                    grad_weight += slope.T @ part
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.weight_dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        return (
            None if grad_hidden is None else grad_hidden * grads[0],
            None if grad_weight is None else (grad_weight * grads[0]).to(ctx.weight_dtype),
            None,
            None,
        )


def product_dtype(hidden: Tensor) -> torch.dtype:
    """Type of matrix products: that of autocast where it is on."""
    device = hidden.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
