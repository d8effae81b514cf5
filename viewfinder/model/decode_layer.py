"""A layer of the language model for the few tokens of a decoding step on a CPU, in two calls of C around its attention.

PyTorch makes some thirty calls of it, whose fixed cost is a seventh of a step with weights of four bits. These may have
16, 8 or 4 bits. Whoever changes, replaces or adapts one of them gets the plain way, or a layer that is made anew.
"""

import ctypes
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from viewfinder.model import native
from viewfinder.model.attention import LayerView
from viewfinder.model.layers import Linear
from viewfinder.model.native_quantized import PackedMatrix
from viewfinder.model.quantized_linear import QuantizedLinear

MAX_ROWS = 4
"""More tokens at once are for PyTorch's products."""
_CHUNK = 128


class _Layer(ctypes.Structure):
    """`Layer` of `decode_layer.c`."""

    _fields_ = [
        ("products", PackedMatrix * 7),
        ("biases", ctypes.c_void_p * 3),
        ("norms", ctypes.c_void_p * 2),
        *((name, ctypes.c_long) for name in ("heads", "key_heads", "dim", "wide", "wide_parameters")),
        ("epsilon", ctypes.c_float),
    ]


class DecodeLayer:
    """`layer` with activations in `dtype`; None of it is copied."""

    def __init__(self, layer: nn.Module, head_dim: int, dtype: torch.dtype) -> None:
        self._layer, self._dtype = layer, dtype
        self._places = self._now()
        products = [_matrix(module) for module in _projections(layer)]
        self._kept = products
        q, k = products[:2]
        norm_weights, biases = _parameters(layer)[:2], _parameters(layer)[2:]
        self.num_heads, num_key_heads = q.rows // head_dim, k.rows // head_dim
        self._given = _Layer(
            (PackedMatrix * 7)(*products),
            (ctypes.c_void_p * 3)(*(None if bias is None else bias.data_ptr() for bias in biases)),
            (ctypes.c_void_p * 2)(*(weight.data_ptr() for weight in norm_weights if weight is not None)),
            *(self.num_heads, num_key_heads, head_dim, dtype == torch.float32),
            norm_weights[0].dtype == torch.float32,  # type: ignore[union-attr]
            layer.input_layernorm.eps,  # type: ignore[union-attr, arg-type]
        )
        self._width = (self.num_heads + 2 * num_key_heads, head_dim)

    @staticmethod
    def fits(layer: nn.Module, dtype: torch.dtype) -> bool:
        """The kernel is there and takes all weights of `layer`."""
        small = [p for p in _parameters(layer) if p is not None]
        if dtype not in (torch.bfloat16, torch.float32) or native.kernel("decode_after", *small) is None:
            return False
        if len({p.dtype for p in small}) > 1 or small[0].dtype not in (torch.bfloat16, torch.float32):
            return False
        bits = [_bits(module, dtype) for module in _projections(layer)]
        return 0 not in bits and len(set(bits[:3])) == len(set(bits[4:6])) == 1

    def is_current(self, dtype: torch.dtype) -> bool:
        """The kernel is there, and all modules and weights still stand where they stood."""
        return native.library() is not None and dtype == self._dtype and self._places == self._now()

    def _now(self) -> list[object]:
        found: list[object] = [None if p is None else p.data_ptr() for p in _parameters(self._layer)]
        for module in _projections(self._layer):
            weight = module._parameters["weight"].data_ptr() if type(module) is Linear else None  # type: ignore[union-attr]
            found += (type(module), id(module.packed.matrix) if type(module) is QuantizedLinear else weight)
        return found

    def __call__(
        self, x: Float[Tensor, "T D"], rope: tuple[Float[Tensor, "T half"], Float[Tensor, "T half"]], cache: LayerView
    ) -> None:
        """Put the layer's output in the place of `x`."""
        kernels: Any = native.library()
        layer, (cos, sin) = ctypes.byref(self._given), rope
        qkv = torch.empty(len(x), *self._width, dtype=x.dtype)
        kernels.decode_before(layer, x.data_ptr(), cos.data_ptr(), sin.data_ptr(), qkv.data_ptr(), len(x))
        kv = qkv[:, self.num_heads :].unflatten(1, (2, -1))
        cache.write(kv)
        seen = cache.read(qkv[:, : self.num_heads], *kv.unbind(1)).contiguous()
        kernels.decode_after(layer, seen.data_ptr(), x.data_ptr(), len(x))

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """Addresses mean nothing in a copy of the model, here or in another process: it makes layers of its own."""
        return type(None), ()


def _projections(layer: Any) -> list[nn.Module]:
    """Looked up where they are kept: asked of a module, each would take a microsecond."""
    attention, mlp = layer._modules["self_attn"]._modules, layer._modules["mlp"]._modules
    return [attention[f"{x}_proj"] for x in "qkvo"] + [mlp[f"{x}_proj"] for x in ("gate", "up", "down")]


def _parameters(layer: Any) -> list[Tensor | None]:
    norms = [layer._modules[f"{where}_layernorm"] for where in ("input", "post_attention")]
    biases = [module._parameters.get("bias") for module in _projections(layer)[:3]]
    return [norm._parameters["weight"] for norm in norms] + biases


def _bits(module: Any, dtype: torch.dtype) -> int:
    """Of the weights; 0 where the kernel does not take them."""
    if type(module) is Linear:
        weight = module.weight
        fits = weight.dtype == dtype == torch.bfloat16 and weight.is_contiguous() and native.on_cpu(weight)
        return 16 if fits and weight.shape[1] % _CHUNK == 0 else 0
    if type(module) is not QuantizedLinear:
        return 0
    packed = module.packed
    fits = packed.order is None and packed.shape[1] % _CHUNK == 0 and native.on_cpu(packed.numbers)
    return packed.bits if fits else 0


def _matrix(module: Any) -> PackedMatrix:
    return PackedMatrix(module.weight, None, None, 16) if type(module) is Linear else module.packed.matrix
