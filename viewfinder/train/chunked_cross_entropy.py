"""Cross entropy of a large vocabulary, chunk by chunk, so that the logits of all tokens never exist at once."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from viewfinder.inputs import IGNORE_INDEX

MAX_LOGITS = 1 << 26
"""Logits that may exist at once: 256 MiB of float32."""


def chunked_cross_entropy(
    hidden: Float[Tensor, "N D"], weight: Float[Tensor, "V D"], labels: Int[Tensor, " N"], chunk: int | None = None
) -> Float[Tensor, ""]:
    """`F.cross_entropy(hidden @ weight.T, labels, reduction="sum")` in chunks of tokens.

    Gradients are computed in the forward pass, so that no logits are kept or computed twice.
    """
    summed: Tensor = _ChunkedCrossEntropy.apply(hidden, weight, labels, chunk or max(64, MAX_LOGITS // len(weight)))
    return summed


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, chunk: int) -> Tensor:
        dtype = _product_dtype(hidden)
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


def _product_dtype(hidden: Tensor) -> torch.dtype:
    """Type of matrix products: that of autocast where it is on."""
    device = hidden.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype


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
    dtype = _product_dtype(hidden)
    return -F.cross_entropy((hidden.to(dtype) @ weight.to(dtype).T).float(), labels, reduction="none")
