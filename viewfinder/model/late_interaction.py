"""Late-interaction retrieval (ColPali, Faysse et al. 2024; ColQwen2.5): a vector for each token of page and query.

The model is Qwen2.5-VL with one more layer, `custom_text_proj`, in place of the output projection: 128 values for each
token, of length 1. A page's score is the sum, over the query's tokens, of the largest product with a token of the page.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int8, Shaped
from torch import Tensor

from viewfinder.config import ModelConfig
from viewfinder.inputs import ModelInputs
from viewfinder.model.layers import Linear
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL

PROJECTION = "custom_text_proj"
DIM = 128
_AT_A_TIME = 8


class LateInteraction(Qwen2_5_VL):
    """The model with its projection; `load_model` makes one of a checkpoint that has it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.custom_text_proj = Linear(config.text.hidden_size, DIM)

    def vectors(self, inputs: ModelInputs) -> Float[Tensor, "T 128"]:
        """One vector of length 1 for each token."""
        projected = self.custom_text_proj(self.hidden_states(inputs))
        return projected / projected.norm(dim=-1, keepdim=True)


def max_similarity(
    query: Float[Tensor, "Q 128"], pages: Float[Tensor, "N 128"], starts: Sequence[int]
) -> Float[Tensor, " P"]:
    """The score of each page.

    Args:
        pages: vectors of all pages, one page after another.
        starts: where each page begins, and the number of vectors at the end: pages of 3 and 2 are [0, 3, 5].
    """
    return _sum_of_largest((query.to(pages.dtype) @ pages.T).float(), starts)


def to_bytes(vectors: Float[Tensor, "N 128"]) -> Int8[Tensor, "N 128"]:
    """Values of -1 to 1 as -127 to 127, for `rough_similarity`."""
    return (vectors.float() * 127).round().clamp(-127, 127).to(torch.int8)


def rough_similarity(
    query: Float[Tensor, "Q 128"], pages: Int8[Tensor, "N 128"], starts: Sequence[int]
) -> Float[Tensor, " P"]:
    """As `max_similarity` to about a hundredth, of pages as bytes: a quarter of the reading, half of the arithmetic."""
    numbers = to_bytes(query)
    scores: list[Tensor] = []
    for first in range(0, len(starts) - 1, _AT_A_TIME):  # products of so many pages stay in the processor's cache
        bounds = starts[first : first + _AT_A_TIME + 1]
        block = pages[bounds[0] : bounds[-1]]
        products = torch._int_mm(numbers, block.T)  # pyright: ignore[reportPrivateImportUsage]
        scores.append(_sum_of_largest(products, [bound - bounds[0] for bound in bounds]))
    return torch.cat([torch.zeros(0), *scores]) / 127**2


def _sum_of_largest(products: Shaped[Tensor, "Q N"], starts: Sequence[int]) -> Float[Tensor, " P"]:
    if len(starts) < 2:
        return torch.zeros(0)
    return torch.from_numpy(np.maximum.reduceat(products.numpy(), starts[:-1], axis=1)).float().sum(0)
