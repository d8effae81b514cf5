"""Weights that were quantised, back to floating point: AWQ, GPTQ, FP8, compressed-tensors and bitsandbytes.

A quantised linear layer is several tensors under one name: small integers, a scale for each group of them, sometimes a
zero point. Each layout becomes the one `weight` that the layer has in the original checkpoint, `(q - zero) * scale`,
computed in float32 and rounded once. Memory is then that of the original checkpoint; only the files are smaller.

    method               integers (shape for a layer of O outputs and I inputs)      packed along, order
    awq (gemm)           qweight int32 [I, O/8], qzeros [I/G, O/8], scales [I/G, O]  outputs: 0 2 4 6 1 3 5 7
    gptq                 qweight int32 [I*b/32, O], qzeros [I/G, O*b/32], g_idx [I]  inputs (zeros: outputs), in order
    compressed-tensors   weight_packed int32 [O, I*b/32], weight_scale [O, I/G]      inputs (zeros: outputs), in order
    compressed-tensors   weight int8 or float8 [O, I], weight_scale [O, 1], [1] or blocks
    fp8                  weight float8 [O, I], weight_scale_inv [O/128, I/128]
    bitsandbytes         weight uint8 [O*I/2, 1], .absmax, .quant_map                high half of a byte first
    bitsandbytes         weight int8 [O, I], SCB [O]

Activations stay in full: scales for them are left out, which `read_quantization` says once.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from viewfinder.config import read_json, section
from viewfinder.errors import CheckpointError

_AWQ_ORDER = [0, 4, 1, 5, 2, 6, 3, 7]
"""Where output 0, 1, 2 ... of eight stands in its word: output 1 is in the fifth four bits."""
_PARTS = {
    "awq": ("qweight", "qzeros", "scales"),
    "gptq": ("qweight", "qzeros", "scales", "g_idx"),
    "fp8": ("weight", "weight_scale_inv", "weight_scale"),
    "compressed-tensors": (
        *("weight", "weight_packed", "weight_scale", "weight_zero_point", "weight_shape", "weight_g_idx"),
    ),
    "bitsandbytes": ("weight", "SCB"),
}
_OF_ACTIVATIONS = ("input_scale", "output_scale", "input_zero_point", "output_zero_point", "k_scale", "v_scale")
_SIGNED = ("int-quantized", "naive-quantized", "float-quantized", "pack-quantized", "")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Quantization:
    """How the weights of a checkpoint were quantised.

    Attributes:
        method: `awq`, `gptq`, `fp8`, `compressed-tensors`, `bitsandbytes`, or `gguf` (`model.gguf_model`).
        settings: as `quantization_config` has them.
        dtype: what the weights become: the checkpoint's `torch_dtype`, else bfloat16.
    """

    method: str
    settings: Mapping[str, Any]
    dtype: torch.dtype

    @property
    def bits(self) -> int:
        return int(self.settings.get("bits") or self.settings.get("w_bit") or 4)

    @property
    def group_size(self) -> int:
        return int(self.settings.get("group_size") or self.settings.get("q_group_size") or 128)


def read_quantization(directory: Path) -> Quantization | None:
    """The quantisation that a checkpoint's files state; None where they state none.

    Raises:
        CheckpointError: a method or a layout that is not read; names it and what to use instead.
    """
    path = directory / "config.json"
    raw = read_json(path) if path.is_file() else {}
    name = str(raw.get("torch_dtype") or raw.get("dtype") or "bfloat16").removeprefix("torch.")
    dtype = {"float16": torch.float16, "float32": torch.float32}.get(name, torch.bfloat16)
    if any(directory.glob("*.gguf")) and not any(directory.glob("model*.safetensors")):
        return Quantization("gguf", {}, dtype)
    found = _stated(directory, raw)
    if found is None:
        return None
    where, settings = found
    unnamed = "mlx" if "group_size" in settings else "a method that is not named"  # MLX alone leaves its name out
    method = str(settings.get("quant_method") or unnamed).lower().replace("_", "-")
    if method not in _PARTS:
        raise CheckpointError(_refused(directory, method, where))
    problem = _unread(method, settings)
    if problem:
        raise CheckpointError(_refused(directory, f"{method} with {problem}", where))
    return Quantization(method, settings, dtype)


def _stated(directory: Path, raw: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    for key in ("quantization_config", "compression_config", "quantization"):
        for level in (raw, section(raw, "text_config", "config.json")):
            if settings := section(level, key, "config.json"):
                return f"{key} in config.json", settings
    for name, method in (("quantize_config.json", "gptq"), ("quant_config.json", "awq")):
        if (directory / name).is_file():
            return name, {"quant_method": method, **read_json(directory / name)}
    if (directory / "hf_quant_config.json").is_file():
        return "hf_quant_config.json", {"quant_method": "ModelOpt"}
    return None


def _unread(method: str, settings: Mapping[str, Any]) -> str:
    """What of the settings names a layout that is not known here; "" where all is."""
    if method == "awq" and str(settings.get("version", "gemm")).lower() != "gemm":
        return f"version {settings['version']!r}"
    if method == "awq" and int(settings.get("bits") or settings.get("w_bit") or 4) != 4:
        return f"{settings.get('bits') or settings.get('w_bit')} bits"
    if method == "gptq" and str(settings.get("checkpoint_format", "gptq")).lower() not in ("gptq", "gptq_v2", ""):
        return f"checkpoint_format {settings['checkpoint_format']!r}"
    if method == "compressed-tensors":
        if str(settings.get("format", "")) not in _SIGNED:
            return f"format {settings['format']!r}"
        for key in ("sparsity_config", "transform_config"):
            stated = settings.get(key)
            if isinstance(stated, dict) and stated and stated.get("format") != "dense":
                return key
    return ""


def dequantize(tensors: dict[str, Tensor], quantization: Quantization) -> dict[str, Tensor]:
    """Plain tensors by name, all in the checkpoint's dtype. Empties `tensors`, so that each layer's parts can go.

    Raises:
        CheckpointError: a layer lacks a part, or its shapes fit no layer of this method; names the layer.
    """
    plain: dict[str, Tensor] = {}
    parts = _PARTS[quantization.method]
    layers: dict[str, dict[str, Tensor]] = {}
    left_out = 0
    for name in list(tensors):
        tensor = tensors.pop(name)
        layer, _, part = name.rpartition(".")
        if ".weight." in name:  # the side tensors of bitsandbytes
            layer, _, part = name.partition(".weight.")
            part = f"weight.{part}"
        if part in _OF_ACTIVATIONS or part == "weight_format":
            left_out += 1
        elif part in parts or part.startswith("weight."):
            layers.setdefault(layer, {})[part] = tensor
        else:
            plain[name] = tensor
    if left_out:
        _LOG.warning("%d scales of activations are left out: activations are computed in full", left_out)
    for layer, found in layers.items():
        plain[f"{layer}.weight"] = _weight(layer, found, quantization)
    return {name: tensor.to(quantization.dtype) for name, tensor in plain.items()}


def _weight(layer: str, found: dict[str, Tensor], quantization: Quantization) -> Tensor:
    weight = found.get("weight")
    if weight is not None and len(found) == 1 and weight.dtype in (torch.float32, torch.bfloat16, torch.float16):
        return weight  # a layer that was left as it is
    try:
        if quantization.method == "awq":
            made = _awq(found, quantization.group_size)
        elif quantization.method == "gptq":
            made = _gptq(found, quantization)
        elif quantization.method == "bitsandbytes":
            made = _bitsandbytes(found)
        elif "weight_packed" in found:
            made = _packed(found)
        else:
            made = _scaled(found)
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        shapes = ", ".join(f"{part} {list(tensor.shape)}" for part, tensor in found.items())
        raise CheckpointError(
            f"{layer} is no layer of {quantization.method} ({shapes}; {error}); fetch the checkpoint again, or use the "
            "one it was made from"
        ) from error
    return made.to(quantization.dtype)


def unpack(words: Int[Tensor, "... W"], bits: int, count: int) -> Int[Tensor, "... N"]:
    """Unsigned numbers of `bits` bits that lie one after the other in 32-bit words, from the lowest bit on.

    Two words of 16-bit numbers, 0x00020001 and 0x00040003, are 1, 2, 3, 4. A number may begin in one word and end in
    the next: number 10 of 3 bits has its lowest two in word 0 and its highest in word 1.
    """
    start = torch.arange(count) * bits
    index, offset = start // 32, start % 32
    wide = words.to(torch.int64) & 0xFFFFFFFF
    low = wide[..., index] >> offset
    high = wide[..., (index + 1).clamp(max=words.shape[-1] - 1)] << (32 - offset)
    return ((low | high) & ((1 << bits) - 1)).to(torch.int32)


def _awq(found: dict[str, Tensor], group: int) -> Float[Tensor, "O I"]:
    scales = found["scales"].float()
    count = scales.shape[1]
    q, zero = (_awq_order(unpack(found[name], 4, count)) for name in ("qweight", "qzeros"))
    group = len(q) if group == -1 else group
    each = torch.arange(len(q)) // group
    return ((q - zero[each]) * scales[each]).T.contiguous()


def _awq_order(numbers: Int[Tensor, "R O"]) -> Int[Tensor, "R O"]:
    return numbers.view(len(numbers), -1, 8)[:, :, _AWQ_ORDER].reshape(numbers.shape)


def _gptq(found: dict[str, Tensor], quantization: Quantization) -> Float[Tensor, "O I"]:
    bits, scales = quantization.bits, found["scales"].float()
    q = unpack(found["qweight"].T, bits, found["qweight"].shape[0] * 32 // bits)
    zero = unpack(found["qzeros"], bits, scales.shape[1])
    if str(quantization.settings.get("checkpoint_format", "gptq")).lower() != "gptq_v2":
        zero = (zero + 1) & ((1 << bits) - 1)  # the first format stores one less, and 15 for none
    size = q.shape[1] if quantization.group_size == -1 else quantization.group_size
    each = found["g_idx"].long() if "g_idx" in found else torch.arange(q.shape[1]) // size
    return (q - zero[each].T) * scales[each].T


def _packed(found: dict[str, Tensor]) -> Float[Tensor, "O I"]:
    packed, scale = found["weight_packed"], found["weight_scale"].float()
    rows, columns = found["weight_shape"].tolist()
    bits = packed.shape[1] * 32 // columns
    middle = 1 << (bits - 1)  # numbers are signed, and stored from 0 on
    q = unpack(packed, bits, columns) - middle
    groups = scale.shape[1]
    each = found["weight_g_idx"].long() if "weight_g_idx" in found else torch.arange(columns) // (columns // groups)
    if "weight_zero_point" in found:
        zero = found["weight_zero_point"]
        zero = unpack(zero.T, bits, rows).T - middle if zero.dtype == torch.int32 else zero.to(torch.int32)
        q = q - zero[:, each]
    return q * scale[:, each]


def _scaled(found: dict[str, Tensor]) -> Float[Tensor, "O I"]:
    """One scale for all, for each output, for groups of inputs, or for blocks; the last of each may be cut short."""
    weight = found["weight"].float()
    scale = found["weight_scale_inv"] if "weight_scale_inv" in found else found["weight_scale"]
    scale = scale.float().reshape(-1, 1) if scale.dim() < 2 else scale.float()
    if "weight_zero_point" in found:
        weight = weight - _spread(found["weight_zero_point"].float().reshape(scale.shape), weight.shape)
    return weight * _spread(scale, weight.shape)


def _spread(scale: Float[Tensor, "R C"], shape: torch.Size) -> Float[Tensor, "O I"]:
    """Each scale over its block: 2 x 1 scales over 4 x 3 numbers are two rows of the first, two of the second."""
    for dim in (0, 1):
        count, size = scale.shape[dim], shape[dim]
        block = -(-size // count) if size % count == 0 else 128
        if -(-size // block) != count:
            raise ValueError(f"{count} scales do not divide {size} numbers")
        scale = scale.repeat_interleave(block, dim)[(slice(None),) * dim + (slice(size),)]
    return scale


def _bitsandbytes(found: dict[str, Tensor]) -> Float[Tensor, "O I"]:
    if "SCB" in found:
        return found["weight"].float() * (found["SCB"].float() / 127)[:, None]
    name = next((n for n in found if n.startswith("weight.quant_state.bitsandbytes__")), None)
    if name is None:
        raise KeyError("quant_state")
    state = json.loads(bytes(found[name].tolist()))
    absmax = found["weight.absmax"]
    if "weight.nested_absmax" in found:
        inner = found["weight.nested_absmax"].repeat_interleave(state["nested_blocksize"])[: absmax.numel()]
        absmax = found["weight.nested_quant_map"][absmax.long()] * inner + state["nested_offset"]
    packed = found["weight"].flatten()
    values = found["weight.quant_map"][torch.stack((packed >> 4, packed & 15), dim=1).flatten().long()]
    scale = absmax.float().repeat_interleave(state["blocksize"])[: values.numel()]
    return (values * scale).view(state["shape"])


def _refused(directory: Path, method: str, where: str) -> str:
    return (
        f"{directory} holds weights quantised by {method} ({where}), which are not read here; use the checkpoint that "
        "they were made from, in bfloat16, float16 or float32 safetensors"
    )
