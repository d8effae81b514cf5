"""Attention over packed tokens, for the tower (frames and windows) and the language model (causal).

No padding is ever attended and none is made. Needs nothing but PyTorch's own scaled-dot-product
attention; equal windows form one batch, sequences of a pack are visited in turn.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from viewfinder.model.kv_cache import JointLayer, LayerCache
from viewfinder.model.windows import FrameRun


def frame_attention(
    q: Float[Tensor, "P N H"],
    k: Float[Tensor, "P N H"],
    v: Float[Tensor, "P N H"],
    runs: Sequence[FrameRun],
    *,
    windowed: bool,
) -> Float[Tensor, "P D"]:
    """Attention of every patch to its window (`windowed`) or to its whole frame."""
    return (
        torch.cat([_run_attention(q, k, v, run, windowed) for run in runs])
        if len(runs) > 1
        else _run_attention(q, k, v, runs[0], windowed)
    )


def _run_attention(q: Tensor, k: Tensor, v: Tensor, run: FrameRun, windowed: bool) -> Tensor:
    frames, patches = run.num_frames, run.patches_per_frame
    parts = [x[run.start : run.stop].unflatten(0, (frames, patches)) for x in (q, k, v)]
    if not windowed:
        return _attend(*parts).flatten(0, 1)
    out = []
    for group in run.groups:
        batch = (x[:, group.start : group.stop].reshape(-1, group.length, *x.shape[2:]) for x in parts)
        out.append(_attend(*batch).reshape(frames, -1, q.shape[1] * q.shape[2]))
    return (torch.cat(out, dim=1) if len(out) > 1 else out[0]).flatten(0, 1)


def _attend(
    q: Float[Tensor, "B L N H"], k: Float[Tensor, "B L N H"], v: Float[Tensor, "B L N H"]
) -> Float[Tensor, "B L D"]:
    out = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
    return out.transpose(1, 2).flatten(2)


def causal_attention(
    q: Float[Tensor, "T N H"],
    k: Float[Tensor, "T G H"],
    v: Float[Tensor, "T G H"],
    seqlens: Sequence[int],
    caches: Sequence[LayerCache] | JointLayer | None = None,
) -> Float[Tensor, "T D"]:
    """Causal attention within each sequence, over its cache too when there is one.

    N query heads share G key heads, N / G in a row each. With a cache holding 5 tokens and 2 new ones,
    the first new token sees 6 keys and the second 7.
    """
    if isinstance(caches, JointLayer):
        return caches.attend(q, k, v)
    # split, not sliced: the gradient of a slice is a zero as large as the pack, once a sequence
    out = []
    for i, (query, key, value) in enumerate(zip(*(x.split(list(seqlens)) for x in (q, k, v)), strict=True)):
        keys, values = key.transpose(0, 1), value.transpose(0, 1)
        if caches is not None:
            keys, values = caches[i].append(keys, values)
        out.append(_causal(query, keys, values))
    return torch.cat(out) if len(out) > 1 else out[0]


def _causal(
    q: Float[Tensor, "L N H"], keys: Float[Tensor, "G S H"], values: Float[Tensor, "G S H"]
) -> Float[Tensor, "L D"]:
    length, num_heads, head_dim = q.shape
    groups, seen = keys.shape[:2]
    if length == 1:  # the heads of a group stand as rows of one query matrix: keys are read once
        rows = q.reshape(1, groups, num_heads // groups, head_dim)
        return F.scaled_dot_product_attention(rows, keys[None], values[None]).reshape(1, -1)
    query = q.transpose(0, 1)[None]
    if seen == length:
        out = F.scaled_dot_product_attention(
            query, keys[None], values[None], is_causal=True, enable_gqa=groups != num_heads
        )
    else:
        mask = torch.ones(length, seen, dtype=torch.bool, device=q.device).tril(seen - length)
        out = F.scaled_dot_product_attention(
            query, keys[None], values[None], attn_mask=mask, enable_gqa=groups != num_heads
        )
    return out[0].transpose(0, 1).flatten(1)
