"""The two small layers that the tower and the language model share."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.model.linear import Linear


class RMSNorm(nn.Module):
    """Root-mean-square normalisation: computed in float32, cast back, then scaled by the weight."""

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Float[Tensor, "T D"]) -> Float[Tensor, "T D"]:
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


class SwiGLU(nn.Module):
    """`down(silu(gate(x)) * up(x))`; with biases in the tower, without in the language model."""

    def __init__(self, dim: int, hidden: int, *, bias: bool) -> None:
        super().__init__()
        self.gate_proj = Linear(dim, hidden, bias=bias)
        self.up_proj = Linear(dim, hidden, bias=bias)
        self.down_proj = Linear(hidden, dim, bias=bias)

    def forward(self, x: Float[Tensor, "T D"]) -> Float[Tensor, "T D"]:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
