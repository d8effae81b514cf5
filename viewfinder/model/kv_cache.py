"""Keys and values of the tokens seen so far, one cache a sequence.

A cache grows by doubling, so appending costs nothing on average, and can be cut back, which is how a
request that is corrected or shared keeps its prefix. Positions are not its business: they belong to
the request.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from viewfinder.config import TextConfig


@runtime_checkable
class JointLayer(Protocol):
    """One layer's cache of all sequences of a pack together, which attends by itself (as a paged one does)."""

    def attend(
        self, q: Float[Tensor, "T N H"], k: Float[Tensor, "T G H"], v: Float[Tensor, "T G H"]
    ) -> Float[Tensor, "T D"]: ...


@runtime_checkable
class JointCaches(Protocol):
    """All layers of it."""

    @property
    def layers(self) -> Sequence[JointLayer]: ...


class LayerCache:
    """Keys and values of one layer: (G, capacity, H), the first `length` of which are filled."""

    def __init__(
        self, num_heads: int, head_dim: int, capacity: int, dtype: torch.dtype, device: torch.device | str
    ) -> None:
        self.keys = torch.empty(num_heads, capacity, head_dim, dtype=dtype, device=device)
        self.values = torch.empty_like(self.keys)
        self.length = 0

    def append(
        self, keys: Float[Tensor, "G L H"], values: Float[Tensor, "G L H"]
    ) -> tuple[Float[Tensor, "G S H"], Float[Tensor, "G S H"]]:
        """Add L tokens and give back views of all S tokens."""
        end = self.length + keys.shape[1]
        if end > self.keys.shape[1]:
            self._grow(max(end, 2 * self.keys.shape[1]))
        self.keys[:, self.length : end] = keys
        self.values[:, self.length : end] = values
        self.length = end
        return self.keys[:, :end], self.values[:, :end]

    def _grow(self, capacity: int) -> None:
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = torch.empty(old.shape[0], capacity, old.shape[2], dtype=old.dtype, device=old.device)
            new[:, : self.length] = old[:, : self.length]
            setattr(self, name, new)


class KVCache:
    """All layers' keys and values for one sequence."""

    def __init__(
        self,
        config: TextConfig,
        *,
        capacity: int = 1024,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.layers = [
            LayerCache(config.num_key_value_heads, config.head_dim, capacity, dtype, device)
            for _ in range(config.num_hidden_layers)
        ]

    @property
    def length(self) -> int:
        """Tokens seen so far."""
        return self.layers[0].length

    def truncate(self, length: int) -> None:
        """Forget all tokens from `length` on."""
        assert 0 <= length <= self.length
        for layer in self.layers:
            layer.length = length
