"""Kernels of a GPU in plain operations, for tests on machines without one: `torch.nn.attention.varlen` and Triton's for
decoding, with the same arguments."""

from inspect import signature
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor


def varlen_attn(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor | None,
    max_q: int,
    max_k: int,
    *,
    window_size: tuple[int, int] = (-1, -1),
    enable_gqa: bool = False,
    seqused_k: Tensor | None = None,
    block_table: Tensor | None = None,
) -> Tensor:
    assert all(x is None or x.dtype == torch.int32 for x in (cu_seq_q, cu_seq_k, seqused_k, block_table))
    bounds, parts = cu_seq_q.tolist(), []
    for i, (start, end) in enumerate(pairwise(bounds)):
        if block_table is None:
            assert cu_seq_k is not None
            seen = slice(*cu_seq_k.tolist()[i : i + 2])
            keys, values = key[seen], value[seen]
        else:
            assert seqused_k is not None
            length = int(seqused_k[i])
            keys, values = (pool[block_table[i].long()].flatten(0, 1)[:length] for pool in (key, value))
        assert end - start <= max_q
        assert len(keys) <= max_k
        parts.append(_attend(query[start:end], keys, values, causal=window_size == (-1, 0)))
    return torch.cat(parts)


def _attend(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """Causal from the end: the last query sees all keys, as FlashAttention has it."""
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1).float() for x in (k, v))
    scores = torch.einsum("qnh,snh->nqs", q.float(), k) / q.shape[-1] ** 0.5
    if causal:
        seen = torch.ones(len(q), len(k), dtype=torch.bool).tril(len(k) - len(q))
        scores = scores.masked_fill(~seen, float("-inf"))
    return torch.einsum("nqs,snh->qnh", scores.softmax(-1), v).to(q.dtype)


def paged_decode(q: Tensor, memory: Tensor, table: Tensor, lengths: Tensor) -> Tensor:
    """The definition of `viewfinder.model.paged_decode.paged_decode`, for all rows at once and without reading a number
    on the host. Places of a table behind a sequence's last block may hold anything."""
    size, groups = memory.shape[3], memory.shape[1]
    seen = torch.arange(table.shape[1] * size, device=q.device) < lengths[:, None]
    blocks = torch.where(seen[:, ::size], table, table[:, :1])
    keys, values = memory[:, :, blocks.long()].flatten(3, 4).transpose(1, 2)  # (S, G, tokens, H) each
    heads = q.unflatten(1, (groups, -1)).float()
    scores = torch.einsum("sgnh,sgth->sgnt", heads, keys.float()) / q.shape[-1] ** 0.5
    weights = scores.masked_fill(~seen[:, None, None], float("-inf")).softmax(-1)
    return torch.einsum("sgnt,sgth->sgnh", weights, values.float()).flatten(1, 2).to(q.dtype)


def pretend_kernel(monkeypatch: pytest.MonkeyPatch, wanted: bool = True) -> list[str]:
    """Let the model take the twin for every tensor; the list gets a word for each call."""
    from viewfinder.model import attention, qwen2_5_vl, varlen, vision

    calls: list[str] = []

    def kernel(*args: Any, **options: Any) -> Tensor:
        calls.append("paged" if options.get("block_table") is not None else "packed")
        return varlen_attn(*args, **options)

    kernel.__signature__ = signature(varlen_attn)  # type: ignore[attr-defined]
    for module in (varlen, qwen2_5_vl, vision, attention):
        if hasattr(module, "kernel_for"):
            monkeypatch.setattr(module, "kernel_for", lambda x: kernel if wanted else None)
    return calls
