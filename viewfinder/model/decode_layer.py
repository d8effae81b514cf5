"""A layer of the language model for the few tokens of a decoding step on a CPU, in one call of C.

PyTorch makes some thirty calls of it, whose fixed cost is a seventh of a step with weights of four bits. These may have
16, 8 or 4 bits. Whoever changes, replaces or adapts one of them gets the plain way, or a layer that is made anew.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from viewfinder.model import native
from viewfinder.model.attention import LayerView
from viewfinder.model.layers import Linear
from viewfinder.model.native_quantized import CHUNK, PackedMatrix
from viewfinder.model.quantized_linear import QuantizedLinear

MAX_ROWS = 16
"""More tokens at once are for PyTorch's products. 16 take 0.86 of their time in a layer of the 3B model in bfloat16,
0.36 with four bits, and 0.46 in the built-in model (without AMX)."""


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
        self.given = _Layer(
            (PackedMatrix * 7)(*products),
            (ctypes.c_void_p * 3)(*(None if bias is None else bias.data_ptr() for bias in biases)),
            (ctypes.c_void_p * 2)(*(weight.data_ptr() for weight in norm_weights if weight is not None)),
            *(q.rows // head_dim, k.rows // head_dim, head_dim, dtype == torch.float32),
            norm_weights[0].dtype == torch.float32,  # type: ignore[union-attr]
            layer.input_layernorm.eps,  # type: ignore[union-attr, arg-type]
        )

    @staticmethod
    def fits(layer: nn.Module, dtype: torch.dtype) -> bool:
        """The kernel is there and takes all weights of `layer`."""
        small = [p for p in _parameters(layer) if p is not None]
        if dtype not in (torch.bfloat16, torch.float32) or native.kernel("decode_layer", *small) is None:
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

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """Addresses mean nothing in a copy of the model, here or in another process: it makes layers of its own."""
        return type(None), ()


def run_layers(
    layers: Sequence[DecodeLayer],
    x: Float[Tensor, "T D"],
    rope: tuple[Float[Tensor, "T half"], Float[Tensor, "T half"]],
    views: Sequence[LayerView],
) -> Float[Tensor, "T D"]:
    """The output of all layers, whose keys and values are written as well; the views have `paged`."""
    run: Any = native.kernel("decode_layer", x, *rope)
    paged, x, (cos, sin) = views[0].paged, x.clone(), (part.contiguous() for part in rope)
    assert paged is not None, "this step is not for the kernel"
    assert paged.rows == len(x)
    given = ctypes.byref(paged), cos.data_ptr(), sin.data_ptr(), x.data_ptr()
    for layer, view in zip(layers, views, strict=True):
        run(ctypes.byref(layer.given), *given, *view.addresses)
    return x


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
        return 16 if dtype == torch.bfloat16 and PackedMatrix.takes(module.weight) else 0
    if type(module) is not QuantizedLinear:
        return 0
    packed = module.packed
    fits = packed.order is None and packed.shape[1] % CHUNK == 0 and native.on_cpu(packed.numbers)
    return packed.bits if fits else 0


def _matrix(module: Any) -> PackedMatrix:
    return PackedMatrix(module.weight, None, None, 16) if type(module) is Linear else module.packed.matrix
