"""Late-interaction retrieval (ColPali, Faysse et al. 2024; ColQwen2.5): a vector for each token of page and query.

The model is Qwen2.5-VL with one more layer, `custom_text_proj`, in place of the output projection: 128 values for each
token, of length 1. A page's score is the sum, over the query's tokens, of the largest product with a token of the page.
"""

import ctypes
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int8, UInt8
from torch import Tensor

from viewfinder.config import ModelConfig
from viewfinder.inputs import ModelInputs
from viewfinder.model.layers import Linear
from viewfinder.model.native import kernel
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL

PROJECTION = "custom_text_proj"
DIM = 128


class LateInteraction(Qwen2_5_VL):
    """The model with its projection; `load_model` makes one of a checkpoint that has it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.custom_text_proj = Linear(config.text.hidden_size, DIM)

    def vectors(self, inputs: ModelInputs) -> Float[Tensor, "T 128"]:
        """One vector of length 1 for each token."""
        projected = self.custom_text_proj(self.hidden_states(inputs))
        return projected / projected.norm(dim=-1, keepdim=True)


def max_similarity(query: Float[Tensor, "Q 128"], pages: Sequence[Float[Tensor, "_ 128"]]) -> Float[Tensor, " P"]:
    """The score of each page. One product for all: threads meet once, which costs little on a busy machine too."""
    if not pages:
        return torch.zeros(0)
    starts = [0, *accumulate(map(len, pages))]
    products = (query.to(pages[0].dtype) @ torch.cat([*pages]).T).float()
    return torch.from_numpy(np.maximum.reduceat(products.numpy(), starts[:-1], axis=1)).sum(0)


def to_bytes(vectors: Float[Tensor, "N 128"]) -> Int8[Tensor, "N 128"]:
    """Values of -1 to 1 as -127 to 127."""
    return (vectors.float() * 127).round().clamp(-127, 127).to(torch.int8)


class RoughPages:
    """Pages as bytes, for scores to about a hundredth: half of the reading of bfloat16, a quarter of the arithmetic.

    Laid out for `page_scores.c`: blocks of sixteen vectors, the last one of a page filled up with its last vector,
    which changes no largest product.
    """

    def __init__(self, pages: Sequence[Float[Tensor, "_ 128"]]) -> None:
        blocks = [_blocks(page) for page in pages]
        self.blocks = torch.cat([torch.zeros(0, 32, 16, 4, dtype=torch.uint8), *blocks])
        self.starts = [0, *accumulate(map(len, blocks))]

    def scores(self, query: Float[Tensor, "Q 128"]) -> Float[Tensor, " P"]:
        """As `max_similarity`."""
        numbers = to_bytes(query)
        run = kernel("page_scores", self.blocks, query)
        return (self._by_torch(numbers) if run is None else self._by_kernel(run, numbers)) / 127**2

    def _by_kernel(self, run: Any, numbers: Int8[Tensor, "Q 128"]) -> Float[Tensor, " P"]:
        numbers = torch.cat([numbers, numbers.new_zeros(-len(numbers) % 10, DIM)])
        shift, starts = numbers.sum(1, dtype=torch.int32) * 128, torch.tensor(self.starts, dtype=torch.int64)
        out = torch.empty(len(starts) - 1)
        pointers = (ctypes.c_void_p(t.data_ptr()) for t in (self.blocks, starts, numbers, shift, out))
        run(*pointers, ctypes.c_long(len(out)), ctypes.c_long(len(numbers)))
        return out

    def _by_torch(self, numbers: Int8[Tensor, "Q 128"]) -> Float[Tensor, " P"]:
        scores = torch.zeros(len(self.starts) - 1)
        for i, (start, end) in enumerate(pairwise(self.starts)):
            page = (self.blocks[start:end].transpose(1, 2).reshape(-1, DIM) ^ 128).view(torch.int8)
            products = torch._int_mm(numbers, page.T)  # pyright: ignore[reportPrivateImportUsage]
            scores[i] = products.amax(1).sum()
        return scores


def _blocks(page: Float[Tensor, "T 128"]) -> UInt8[Tensor, "B 32 16 4"]:
    whole = torch.cat([page, page[-1:].expand(-len(page) % 16, -1)])
    return (to_bytes(whole).view(torch.uint8) ^ 128).view(-1, 16, 32, 4).transpose(1, 2).contiguous()
