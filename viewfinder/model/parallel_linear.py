"""Linear layers of which each of several processes has a part (`model.tensor_parallel`)."""

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from viewfinder.model.layers import Linear


class SummedLinear(Linear):
    """Each rank has columns of the weight, and gets its inputs; the result is the sum over the ranks."""

    def forward(self, input: Float[Tensor, "T I"]) -> Float[Tensor, "T O"]:
        out = super().forward(input)
        dist.all_reduce(out)
        return out


class GatheredLinear(Linear):
    """Each rank has rows of the weight, as many as the others, and gets all results; what stands behind the last of
    `num_outputs` is dropped."""

    def __init__(self, width: int, num_outputs: int, ranks: int) -> None:
        super().__init__(width, -(-num_outputs // ranks), bias=False)
        self.num_outputs, self.ranks = num_outputs, ranks

    def forward(self, input: Float[Tensor, "K I"]) -> Float[Tensor, "K O"]:
        own = super().forward(input).contiguous()
        parts = [torch.empty_like(own) for _ in range(self.ranks)]
        dist.all_gather(parts, own)
        return torch.cat(parts, dim=-1)[..., : self.num_outputs]
