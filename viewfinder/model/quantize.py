"""Quantize weights, in the layouts that `model.quantized` reads: compressed-tensors (4 and 8 bits, FP8) and AWQ.

Only the linear layers of the language model are quantized. The vision tower is not: it is a sixth of a 3B model and is
read once for a picture, not once for a token, so quantizing it saves little time and memory, and its errors would reach
every token. Embeddings and the output projection are not quantized either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from viewfinder.errors import CheckpointError

AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]
"""Which output of eight stands in the lowest four bits of a word, in the next four, and so on."""
_LARGEST_FP8 = 448.0
_RANGES = (7.0, 7.5, 8.0, 8.5, 9.0, 9.5, 10.0)
"""Steps of four bits from 0 to the largest weight that are tried: beyond 7.5 the largest weights are cut off."""


@dataclass(frozen=True)
class Layout:
    """The tensors of a quantized layer, and the entry of `config.json`.

    Attributes:
        method: `compressed-tensors` or `awq`.
        dtype: of the weights that stay as they are.
        group: inputs that share a scale; 0 for all.
    """

    name: str
    method: str
    bits: int
    dtype: torch.dtype
    group: int = 0

    def layer(self, weight: Float[Tensor, "O I"]) -> dict[str, Tensor]:
        """The tensors that replace `weight`, by the end of their names."""
        if self.method == "awq":
            return _awq_layer(weight, self.group)
        if self.name == "fp8":
            scale = (weight.float().abs().amax(1, keepdim=True) / _LARGEST_FP8).to(self.dtype)
            scale = scale.clamp(min=torch.finfo(self.dtype).tiny)
            return {"weight": (weight.float() / scale.float()).to(torch.float8_e4m3fn), "weight_scale": scale}
        return _packed_layer(weight, self.bits, self.group, self.dtype)

    def config(self) -> dict[str, Any]:
        """`quantization_config`."""
        if self.method == "awq":
            return {
                "quant_method": "awq",
                "version": "gemm",
                "bits": 4,
                "group_size": self.group,
                "zero_point": True,
                "modules_to_not_convert": ["visual"],
            }
        is_float = self.name == "fp8"
        weights = {
            "num_bits": self.bits,
            "type": "float" if is_float else "int",
            "symmetric": True,
            "dynamic": False,
            "strategy": "group" if self.group else "channel",
            "group_size": self.group or None,
        }
        form = "float-quantized" if is_float else "pack-quantized"
        group = {"targets": ["Linear"], "weights": weights, "input_activations": None, "output_activations": None}
        return {
            "quant_method": "compressed-tensors",
            "format": form,
            "quantization_status": "compressed",
            "config_groups": {"group_0": group},
            "ignore": ["lm_head", "re:.*visual.*"],
        }


def layout_of(kind: str, widths: set[int], dtype: torch.dtype) -> Layout:
    """The layout of `int8`, `int4`, `awq` or `fp8` for layers with these numbers of inputs.

    Raises:
        CheckpointError: no group of 32 or more divides them all.
    """
    if kind in ("int8", "fp8"):
        return Layout(kind, "compressed-tensors", 8, dtype)
    sizes = (32,) if kind == "int4" else (128, 64, 32)
    group = next((size for size in sizes if all(width % size == 0 for width in widths)), None)
    if group is None:
        raise CheckpointError(
            f"layers of {sorted(widths)} inputs have no groups of 32, so {kind} cannot hold them; use int8 or fp8"
        )
    return (
        Layout(kind, "awq", 4, torch.float16, group)
        if kind == "awq"
        else Layout(kind, "compressed-tensors", 4, dtype, group)
    )


def is_quantized(name: str) -> bool:
    """Whether a tensor is a weight that is quantized: `model.layers.0.mlp.up_proj.weight` is."""
    return name.startswith("model.layers.") and name.endswith("_proj.weight")


def quantize_state(state: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """The tensors of the whole checkpoint; names as in `state`, except for the parts of quantized layers."""
    made: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if is_quantized(name):
            stem = name.removesuffix("weight")
            made |= {stem + part: value.contiguous() for part, value in layout.layer(tensor).items()}
        else:
            made[name] = tensor.to(layout.dtype)
    return made


def pack(numbers: Int[Tensor, "R C"], bits: int) -> Int[Tensor, "R W"]:
    """Numbers of 4 or 8 bits along a row into words of 32, the first lowest: 1, 2, 3 ... 8 are 0x87654321."""
    parts = numbers.to(torch.int64).unflatten(1, (-1, 32 // bits))
    words = (parts << torch.arange(0, 32, bits)).sum(-1)
    return torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32)


def _packed_layer(weight: Tensor, bits: int, group: int, dtype: torch.dtype) -> dict[str, Tensor]:
    rows, columns = weight.shape
    groups = weight.float().reshape(rows, -1, group or columns)
    ranges = _RANGES if bits == 4 else (127.0,)
    largest = groups.abs().amax(-1, keepdim=True).clamp(min=1e-30)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    best = torch.full_like(largest, torch.inf)
    chosen = torch.ones_like(largest)
    for steps in ranges:
        scale = (largest / steps).to(dtype).float()
        error = ((groups / scale).round().clamp(low, high) * scale - groups).square().sum(-1, keepdim=True)
        chosen = torch.where(error < best, scale, chosen)
        best = torch.minimum(best, error)
    numbers = (groups / chosen).round().clamp(low, high).view(rows, columns) - low
    padded = torch.nn.functional.pad(numbers, (0, -columns % (32 // bits)))
    return {
        "weight_packed": pack(padded.to(torch.int64), bits),
        "weight_scale": chosen[..., 0].to(dtype),
        "weight_shape": torch.tensor([rows, columns]),
    }


def awq_round(weight: Float[Tensor, "O I"], group: int) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers (O, G, group), zero points (O, G, 1) and scales (O, G, 1): value = (number - zero) * scale."""
    groups = weight.float().reshape(len(weight), -1, group)
    low, high = groups.amin(-1, keepdim=True).clamp(max=0), groups.amax(-1, keepdim=True).clamp(min=0)
    scales = ((high - low) / 15).clamp(min=1e-5).to(torch.float16).float()
    zeros = (-low / scales).round().clamp(0, 15)
    return (groups / scales + zeros).round().clamp(0, 15), zeros, scales


def _awq_layer(weight: Tensor, group: int) -> dict[str, Tensor]:
    numbers, zeros, scales = awq_round(weight, group)
    return {
        "qweight": _awq_words(numbers.flatten(1)),
        "qzeros": _awq_words(zeros[..., 0]),
        "scales": scales[..., 0].T.to(torch.float16),
    }


def _awq_words(numbers: Float[Tensor, "O C"]) -> Int[Tensor, "C W"]:
    return pack(numbers.T.to(torch.int64).unflatten(1, (-1, 8))[..., AWQ_ORDER].flatten(1), 4)
