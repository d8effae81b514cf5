"""Causal attention of packed sequences that no cache holds anything of: in training, and of whole prompts.

A sequence may go on from another one of the pack: several answers from one prompt. Each token is then read once. The
prompt's keys and values serve all answers, whose gradients add up in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from viewfinder.model.layers import attention
from viewfinder.model.training_kernels import trained_attention
from viewfinder.model.varlen import Segments, varlen_attention


@dataclass(frozen=True)
class Continuations:
    """Lengths of packed sequences, and for each the number of the sequence that it goes on from, or -1.

    A prompt of 5 tokens with answers of 2 and 3: lengths (5, 2, 3), before (-1, 0, 0). The last token attends to 8.
    """

    lengths: tuple[int, ...]
    before: tuple[int, ...]

    @property
    def past(self) -> list[int]:
        """Tokens before each sequence: 0, 5 and 5 in the example."""
        return [self.lengths[number] if number >= 0 else 0 for number in self.before]

    def segments(self, device: torch.device) -> Segments:
        """For the kernel. Keys are those of 0..4, then of 0..4 and 5, 6, then of 0..4 and 7, 8, 9 in the example."""
        spans = [torch.arange(*bounds) for bounds in pairwise([0, *accumulate(self.lengths)])]
        places = [torch.cat([spans[b], own]) if b >= 0 else own for b, own in zip(self.before, spans, strict=True)]
        keys = Segments.of(map(len, places), device)
        return replace(Segments.of(self.lengths, device), keys=keys, key_places=torch.cat(places).to(device))


PackedLengths = Sequence[int] | Segments | Continuations


def causal_attention(
    q: Float[Tensor, "T N H"], k: Float[Tensor, "T G H"], v: Float[Tensor, "T G H"], lengths: PackedLengths
) -> Float[Tensor, "T D"]:
    """Causal attention within each of the packed sequences, and to the one that it goes on from."""
    if isinstance(lengths, Segments):
        out = varlen_attention(q, k, v, lengths, causal=True)
        assert out is not None, "segments are for the kernel"
        return out.flatten(1)
    if not isinstance(lengths, Continuations) and (out := trained_attention(q, k, v, lengths, causal=True)) is not None:
        return out.flatten(1)
    before = lengths.before if isinstance(lengths, Continuations) else [-1] * len(lengths)
    sizes = list(lengths.lengths if isinstance(lengths, Continuations) else lengths)
    # split, not sliced: the gradient of a slice is a zero as large as the pack, once a sequence
    queries, keys, values = (x.split(sizes) for x in (q, k, v))
    parts: list[Tensor] = []
    for query, number, *own in zip(queries, before, keys, values, strict=True):
        past = [] if number < 0 else [keys[number], values[number]]
        key, value = (torch.cat(pair) for pair in zip(past, own, strict=True)) if past else own
        parts.append(attend_causal(query, key.transpose(0, 1), value.transpose(0, 1)))
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def attend_causal(
    q: Float[Tensor, "L N H"], keys: Float[Tensor, "G S H"], values: Float[Tensor, "G S H"]
) -> Float[Tensor, "L D"]:
    """Causal attention of the last L of S tokens of one sequence.

    N query heads share G key heads, N / G in a row each. With 7 keys and 2 queries, the first query sees 6 keys and
    the second 7.
    """
    length, num_heads, head_dim = q.shape
    groups = keys.shape[0]
    if length == 1:  # the heads of a group stand as rows of one query matrix: keys are read once
        rows = q.reshape(1, groups, num_heads // groups, head_dim)
        return F.scaled_dot_product_attention(rows, keys[None], values[None]).reshape(1, -1)
    out = attention(q.transpose(0, 1)[None], keys[None], values[None], is_causal=True)
    return out[0].transpose(0, 1).flatten(1)
