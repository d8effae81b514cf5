"""What the tower and the language model share: normalisation, the gated feed-forward layer, rotary embeddings.

Rotary embeddings are two-dimensional in the tower, three-axis (MRoPE) in the language model. They know only position
ids; who computes them is `viewfinder.processor.mrope`. Cosines and sines are kept for half of a head, since both halves
share them (report section 2.1.2; rotate-half form).
"""

import torch
from jaxtyping import Float, Int
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


def inverse_frequencies(dim: int, theta: float, device: torch.device | None = None) -> Float[Tensor, " half"]:
    """`theta ** -(0, 2, 4, ... dim-2)/dim`, in float32."""
    return 1.0 / theta ** (torch.arange(0, dim, 2, dtype=torch.float32, device=device) / dim)


def vision_rope(
    rows_cols: Int[Tensor, "P 2"], head_dim: int
) -> tuple[Float[Tensor, "P half"], Float[Tensor, "P half"]]:
    """Cosine and sine for patches at (row, column) of their full grid.

    The first half of the angles turns with the row, the second with the column. For a head of 8 the
    frequencies are f = [1, 0.01] and the patch at row 2, column 5 gets angles [2, 0.02, 5, 0.05].
    """
    inv_freq = inverse_frequencies(head_dim // 2, 10000.0, rows_cols.device)
    angles = (rows_cols[:, :, None].float() * inv_freq).flatten(1)
    return angles.cos(), angles.sin()


def multimodal_rope(
    position_ids: Int[Tensor, "3 T"], head_dim: int, theta: float, mrope_section: tuple[int, int, int]
) -> tuple[Float[Tensor, "T half"], Float[Tensor, "T half"]]:
    """Cosine and sine where blocks of frequencies follow the temporal, height and width id.

    With sections (16, 24, 24), frequencies 0-15 turn with the temporal id, 16-39 with the height id,
    40-63 with the width id. Where the three ids are equal (text) this is one-dimensional RoPE.
    """
    inv_freq = inverse_frequencies(head_dim, theta, position_ids.device)
    axis = torch.repeat_interleave(torch.arange(3), torch.tensor(mrope_section)).to(position_ids.device)
    angles = position_ids[axis].T.float() * inv_freq
    return angles.cos(), angles.sin()


def rotate(x: Float[Tensor, "... half2"], cos: Float[Tensor, "... half"], sin: Float[Tensor, "... half"]) -> Tensor:
    """Turn pairs (x[i], x[i + half]) by their angles, in float32, giving back the dtype of `x`."""
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)
