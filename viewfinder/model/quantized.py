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
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from viewfinder.errors import CheckpointError
from viewfinder.model.quantization import Quantization
from viewfinder.model.quantized_linear import PackedWeight

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
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class IntegerWeight:
    """A layer of integers, as its file has them: value = (number - zero) * scale of its group.

    Attributes:
        numbers: of each output and input, of `bits` bits; signed ones around 0 where `zeros` is None.
        scales: of each output and group.
        zeros: of each output and group; None where all are 0.
        groups: the group of each input; with act-order those of one group do not lie together.
    """

    bits: int
    numbers: Int[Tensor, "O I"]
    scales: Float[Tensor, "O G"]
    zeros: Int[Tensor, "O G"] | None
    groups: Int[Tensor, " I"]

    def widen(self) -> Float[Tensor, "O I"]:
        numbers = self.numbers if self.zeros is None else self.numbers - self.zeros[:, self.groups]
        return numbers * self.scales[:, self.groups]


def dequantize(
    tensors: dict[str, Tensor], quantization: Quantization, kept: dict[str, PackedWeight] | None = None
) -> dict[str, Tensor]:
    """Plain tensors by name, all in the checkpoint's dtype. Empties `tensors`, so that each layer's parts can go.

    Args:
        kept: takes the layers that `quantized_linear` can hold as they are, by the name of their weight.

    Raises:
        CheckpointError: a layer lacks a part, or its shapes fit no layer of this method; names the layer.
    """
    plain, layers = split_layers(tensors, quantization)
    for layer in list(layers):
        made = _weight(layer, layers.pop(layer), quantization, keep=kept is not None)
        if isinstance(made, PackedWeight):
            assert kept is not None
            kept[f"{layer}.weight"] = made
        else:
            plain[f"{layer}.weight"] = made
    return {name: tensor.to(quantization.dtype) for name, tensor in plain.items()}


def as_packed(integers: IntegerWeight) -> PackedWeight | None:
    """The same numbers for the kernels; None where they have no such form. Numbers and zero points move together: 4
    bits to 0 and up, 8 bits to a zero point of 0."""
    numbers, zeros, bits = integers.numbers, integers.zeros, integers.bits
    if bits == 4:
        lift = 8 if zeros is None or min(int(numbers.min()), int(zeros.min())) < 0 else 0
        numbers, zeros = numbers + lift, None if zeros is None else zeros + lift
    elif bits == 8 and zeros is not None and bool((zeros == zeros[0, 0]).all()):
        numbers, zeros = numbers - zeros[0, 0], None
    low, high = (0, 15) if bits == 4 else (-128, 127)
    if bits not in (4, 8) or int(numbers.min()) < low or int(numbers.max()) > high:
        return None
    groups, order = integers.groups, None
    if bool((groups.diff() < 0).any()):
        order = groups.argsort(stable=True)
        numbers, groups = numbers[:, order], groups[order]
    if len(groups.unique_consecutive(return_counts=True)[1].unique()) != 1:
        return None  # groups of different sizes
    try:
        return PackedWeight.pack(
            numbers.to(torch.int8).view(torch.uint8), integers.scales, zeros, bits=bits, order=order
        )
    except ValueError:
        return None


def split_layers(
    tensors: dict[str, Tensor], quantization: Quantization
) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """What is no part of a quantised layer, and the parts of each layer by its name. Empties `tensors`."""
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
    return plain, layers


def integer_weight(found: dict[str, Tensor], quantization: Quantization) -> IntegerWeight | None:
    """The integers of a layer; None for one of floats, of blocks, or of a table of values."""
    if "qweight" in found:
        return _awq(found, quantization) if quantization.method == "awq" else _gptq(found, quantization)
    if "weight_packed" in found:
        return _packed(found)
    weight = found["weight"]
    if weight.dtype != torch.int8:
        return None
    one_group = torch.zeros(weight.shape[1], dtype=torch.long)
    if "SCB" in found:
        return IntegerWeight(8, weight, (found["SCB"].float() / 127)[:, None], None, one_group)
    scale, zero = found["weight_scale"].float(), found.get("weight_zero_point")
    if scale.shape != (len(weight), 1):
        return None
    return IntegerWeight(8, weight.to(torch.int32), scale, None if zero is None else zero.to(torch.int32), one_group)


def _weight(
    layer: str, found: dict[str, Tensor], quantization: Quantization, *, keep: bool = False
) -> Tensor | PackedWeight:
    weight = found.get("weight")
    if weight is not None and len(found) == 1 and weight.dtype in (torch.float32, torch.bfloat16, torch.float16):
        return weight  # a layer that was left as it is
    try:
        integers = integer_weight(found, quantization)
        if keep and integers is not None and (packed := as_packed(integers)) is not None:
            return packed
        if integers is not None:
            made = integers.widen()
        elif quantization.method == "bitsandbytes":
            made = _bitsandbytes(found)
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


def _awq(found: dict[str, Tensor], quantization: Quantization) -> IntegerWeight:
    scales, group = found["scales"].float(), quantization.group_size
    q, zero = (_awq_order(unpack(found[name], 4, scales.shape[1])) for name in ("qweight", "qzeros"))
    groups = torch.arange(len(q)) // (len(q) if group == -1 else group)
    return IntegerWeight(4, q.T.contiguous(), scales.T, zero.T, groups)


def _awq_order(numbers: Int[Tensor, "R O"]) -> Int[Tensor, "R O"]:
    return numbers.view(len(numbers), -1, 8)[:, :, _AWQ_ORDER].reshape(numbers.shape)


def _gptq(found: dict[str, Tensor], quantization: Quantization) -> IntegerWeight:
    bits, scales = quantization.bits, found["scales"].float()
    q = unpack(found["qweight"].T, bits, found["qweight"].shape[0] * 32 // bits)
    zero = unpack(found["qzeros"], bits, scales.shape[1])
    if str(quantization.settings.get("checkpoint_format", "gptq")).lower() != "gptq_v2":
        zero = (zero + 1) & ((1 << bits) - 1)  # the first format stores one less, and 15 for none
    size = q.shape[1] if quantization.group_size == -1 else quantization.group_size
    groups = found["g_idx"].long() if "g_idx" in found else torch.arange(q.shape[1]) // size
    return IntegerWeight(bits, q, scales.T, zero.T, groups)


def _packed(found: dict[str, Tensor]) -> IntegerWeight:
    packed, scale = found["weight_packed"], found["weight_scale"].float()
    rows, columns = found["weight_shape"].tolist()
    bits = packed.shape[1] * 32 // columns
    middle = 1 << (bits - 1)  # numbers are signed, and stored from 0 on
    q = unpack(packed, bits, columns) - middle
    size = columns // scale.shape[1]
    groups = found["weight_g_idx"].long() if "weight_g_idx" in found else torch.arange(columns) // size
    zero = found.get("weight_zero_point")
    if zero is not None:
        zero = unpack(zero.T, bits, rows).T - middle if zero.dtype == torch.int32 else zero.to(torch.int32)
    return IntegerWeight(bits, q, scale, zero, groups)


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
