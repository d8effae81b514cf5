"""A layer of the language model in few launches, for inference on a GPU, where a step of decoding waits for the host.

The weights stay where the checkpoint has them: `q_proj`, `k_proj`, `v_proj` and `gate_proj`, `up_proj` become parts of
one tensor each, under their own names. So files are read and written as ever, an adapter goes on its layer (which is
then no longer joined), and nothing is stored twice.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.model.attention import LayerView
from viewfinder.model.layers import Linear
from viewfinder.model.parallel_linear import SummedLinear


class Joined:
    """Linear layers of one input as one product: (T, I) to (T, sum of their outputs)."""

    def __init__(self, layers: Sequence[Linear]) -> None:
        self.weight = torch.cat([layer.weight.detach() for layer in layers])
        biases = [layer.bias.detach() for layer in layers if layer.bias is not None]
        self.bias = torch.cat(biases) if biases else None
        sizes = [layer.out_features for layer in layers]
        for name, whole in (("weight", self.weight), ("bias", self.bias)):
            for layer, part in zip(layers, () if whole is None else whole.split(sizes), strict=whole is not None):
                requires_grad = getattr(layer, name).requires_grad
                setattr(layer, name, nn.Parameter(part, requires_grad=requires_grad))
        # asked in each step, so past `nn.Module.__getattr__`, which takes four times as long
        self._known = [(layer, layer._parameters, layer.weight, layer.weight.data_ptr()) for layer in layers]

    @property
    def is_current(self) -> bool:
        """The layers still have these weights: none was replaced, moved or given an adapter."""
        for layer, parameters, weight, at in self._known:
            if type(layer) is not Linear or parameters["weight"] is not weight or weight.data_ptr() != at:
                return False
        return True

    def __call__(self, x: Float[Tensor, "T I"]) -> Float[Tensor, "T O"]:
        return F.linear(x, self.weight, self.bias)

    def __deepcopy__(self, memo: object) -> None:
        """A copy of the model has weights of its own, not joined."""


class FusedLayer:
    """`TextLayer` with some 14 launches: norm, product, rotation (3), cache, attention (1 or 2), product with residual,
    norm, product, gate (2), product with residual."""

    def __init__(self, attention: nn.Module, mlp: nn.Module, norms: tuple[nn.Module, nn.Module], head_dim: int) -> None:
        self._qkv = Joined([attention.q_proj, attention.k_proj, attention.v_proj])  # type: ignore[list-item]
        self._gate_up = Joined([mlp.gate_proj, mlp.up_proj])  # type: ignore[list-item]
        self._out: nn.Module = attention.o_proj  # type: ignore[assignment]
        self._down: nn.Module = mlp.down_proj  # type: ignore[assignment]
        self._norms, self._head_dim = norms, head_dim
        self._num_heads = attention.q_proj.out_features // head_dim  # type: ignore[operator]

    @property
    def is_current(self) -> bool:
        plain = {type(self._out), type(self._down)} <= {Linear, SummedLinear}
        return plain and self._qkv.is_current and self._gate_up.is_current

    def __call__(
        self,
        x: Float[Tensor, "T D"],
        rope: tuple[Tensor, Tensor],
        cache: LayerView,
        rows: Int[Tensor, " K"] | None = None,
    ) -> Float[Tensor, "K D"]:
        before_attention, before_mlp = self._norms
        qkv = self._qkv(before_attention(x)).unflatten(-1, (-1, self._head_dim))
        kv = qkv[:, self._num_heads :].unflatten(1, (2, -1))
        turn_(qkv[:, : self._num_heads + kv.shape[2]], *rope)
        cache.write(kv)
        if rows is not None and not len(rows):  # a part of a prompt, all for later parts
            return x[rows]
        seen = cache.read(qkv[:, : self._num_heads], *kv.unbind(1))
        if rows is not None:
            x, seen = x[rows], seen[rows]
        x = _add(x, seen, self._out)
        gate, up = self._gate_up(before_mlp(x)).chunk(2, dim=-1)
        return _add(x, F.silu(gate).mul_(up), self._down)

    def __deepcopy__(self, memo: object) -> None:
        """As `Joined`."""


def _add(x: Float[Tensor, "T D"], hidden: Float[Tensor, "T I"], layer: nn.Module) -> Float[Tensor, "T D"]:
    """`x + layer(hidden)`, in one launch where nothing is summed over processes in between."""
    return torch.addmm(x, hidden, layer.weight.t()) if type(layer) is Linear else x + layer(hidden)


def whole_head(cos: Float[Tensor, "T half"], sin: Float[Tensor, "T half"]) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines (T, 1, H) for `turn_`, from those of half a head."""
    return torch.cat((cos, cos), -1)[:, None], torch.cat((-sin, sin), -1)[:, None]


def turn_(x: Float[Tensor, "T N H"], cos: Float[Tensor, "T 1 H"], sin: Float[Tensor, "T 1 H"]) -> None:
    """As `layers.rotate`, in place: (a, b) becomes (a cos - b sin, b cos + a sin), in float32."""
    swapped = x.unflatten(-1, (2, -1)).flip(-2).flatten(-2)
    torch.addcmul(x * cos, swapped, sin, out=x)
