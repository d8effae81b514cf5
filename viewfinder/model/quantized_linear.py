"""Linear layers and embedding tables whose weights stay in 8 or 4 bits.

`PackedWeight` is the only format in memory, for all kinds of files: the numbers of a row, low half of a byte first; one
scale (half precision) for each group of numbers, and for some kinds a zero point; value = (number - zero) * scale. Rows
are padded to 128 numbers. Eight bits are signed around 0, four bits unsigned around 8. Numbers may be in another order
than the inputs (act-order of GPTQ), so that each group lies together: `order[i]` is the input that number i belongs to.

A few tokens are multiplied by the kernel of `native`, which reads each weight once. For many, blocks of the weight are
widened to the dtype of the input and multiplied by PyTorch. This is also done where no kernel can be built, and for
gradients.

After `round_inputs`, many tokens meet weights of 8 bits as signed bytes, with one scale a token made for each product
(dynamic W8A8): 1.6 to 1.85 times as quick as bfloat16 where the processor multiplies bytes (VNNI, AMX). Elsewhere that
would be slower, and inputs stay as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int8, Integer, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.model import native_quantized as kernels
from viewfinder.model.layers import Linear
from viewfinder.model.native import use_huge_pages
from viewfinder.model.native_quantized import PackedMatrix

GROUP = 32
"""Numbers of four bits that share a scale, where the file does not decide: as in llama.cpp's Q4_0."""
_INT4: torch.dtype = torch.int4  # pyright: ignore[reportAttributeAccessIssue] - left out of torch's stubs
ROUNDED = (torch.int8, _INT4)
"""Dtypes to which weights can be rounded at loading."""
_CHUNK = 128
_FEW_ROWS = 12
"""Up to this many tokens the kernel is faster than widening (with one token, four to six times as fast as bfloat16)."""
_APART = 32
"""Inputs that are not rounded to 8 bits: 1.5 % of the products of the 3B model's narrowest layers."""
_BLOCK = 1 << 23
"""Weights widened at a time: 16 MiB of bfloat16."""


@dataclass(frozen=True)
class PackedWeight:
    """A matrix of `shape` (outputs, inputs). `scales` are the bits of half-precision numbers, so that a change of dtype
    of a module leaves them alone. `zeros` None is 8 for four bits; eight bits have none."""

    shape: tuple[int, int]
    bits: int
    numbers: UInt8[Tensor, "O B"]
    scales: Integer[Tensor, "O G"]
    zeros: UInt8[Tensor, "O G"] | None = None
    order: Integer[Tensor, " I"] | None = None

    @property
    def columns(self) -> int:
        """Inputs with the padding."""
        return self.numbers.shape[1] * 8 // self.bits

    @property
    def num_bytes(self) -> int:
        found = (self.numbers, self.scales, self.zeros, self.order)
        return sum(t.numel() * t.element_size() for t in found if t is not None)

    @cached_property
    def matrix(self) -> PackedMatrix:
        return PackedMatrix(self.numbers, self.scales, self.zeros, self.bits)

    @classmethod
    def pack(
        cls,
        numbers: Integer[Tensor, "O I"],
        scales: Float[Tensor, "O G"],
        zeros: Integer[Tensor, "O G"] | None = None,
        *,
        bits: int,
        order: Integer[Tensor, " I"] | None = None,
    ) -> "PackedWeight":
        """Numbers of one group side by side; groups of 128, 256 and so on, of 32 or 64 for four bits, or whole rows.

        Raises:
            ValueError: groups of another size, zero points of eight bits, or scales that half precision does not hold
                to a thousandth.
        """
        rows, columns = numbers.shape
        group = columns // scales.shape[1]
        padded = -(-columns // _CHUNK) * _CHUNK
        whole = scales.shape[1] == 1
        power = group & (group - 1) == 0 and columns % group == 0 and padded % group == 0
        if bits == 8 and zeros is not None:
            raise ValueError("zero points of 8 bits are not kept packed")
        if not whole and not (power and group >= (GROUP if bits == 4 else _CHUNK)):
            raise ValueError(f"groups of {group} of {columns} numbers of {bits} bits are not kept packed")
        half = scales.to(torch.float16)
        if not bool(((half.float() - scales.float()).abs() <= 1e-3 * scales.float().abs()).all()):
            raise ValueError("scales are too small or too large for half precision")
        numbers = F.pad(numbers.to(torch.uint8), (0, padded - columns), value=8 if bits == 4 else 0)
        if not whole:
            half = F.pad(half, (0, padded // group - half.shape[1]))
            zeros = None if zeros is None else F.pad(zeros, (0, half.shape[1] - zeros.shape[1]))
        if bits == 4:
            numbers = numbers[:, 0::2] | numbers[:, 1::2] << 4
        zeros = None if zeros is None else zeros.to(torch.uint8).contiguous()
        numbers = use_huge_pages(torch.empty(numbers.shape, dtype=torch.uint8)).copy_(numbers)
        return cls((rows, columns), bits, numbers, half.view(torch.int16).contiguous(), zeros, order)

    @classmethod
    def of(
        cls, weight: Float[Tensor, "O I"], bits: int, after: Callable[[Tensor], None] | None = None
    ) -> "PackedWeight":
        """Round to nearest: one scale a row for eight bits, one for each 32 numbers of a row for four.

        Of the sixteen numbers of four bits, the lowest is the largest weight of the group, with its sign. `after` is
        called with each part of `weight` that is done with.
        """
        rows, columns = weight.shape
        padded = -(-columns // _CHUNK) * _CHUNK
        numbers = use_huge_pages(torch.empty(rows, padded * bits // 8, dtype=torch.uint8))
        scales = torch.empty(rows, 1 if bits == 8 else padded // GROUP, dtype=torch.int16)
        for at in range(0, rows, step := max(1, _BLOCK // padded)):
            block, part = slice(at, at + step), weight[at : at + step]
            if not kernels.quantized_round(PackedMatrix(numbers[block], scales[block], None, bits), part):
                numbers[block], scales[block] = _rounded(F.pad(part.float(), (0, padded - columns)), bits)
            if after is not None:
                after(part)
        return cls((rows, columns), bits, numbers, scales)

    def widen(self, rows: slice | Integer[Tensor, " R"], dtype: torch.dtype) -> Float[Tensor, "R I"]:
        """Some rows as floats, in the order of the inputs."""
        wide = kernels.quantized_widen(self.matrix, rows, dtype) if isinstance(rows, slice) else None
        wide = self._by_torch(rows).to(dtype) if wide is None else wide
        wide = wide[:, : self.shape[1]]
        return wide if self.order is None else torch.empty_like(wide).index_copy_(1, self.order, wide)

    def _by_torch(self, rows: slice | Integer[Tensor, " R"]) -> Float[Tensor, "R C"]:
        numbers, scales = self.numbers[rows], self.scales[rows].view(torch.float16).float()
        if self.bits == 4:
            numbers = torch.stack((numbers & 15, numbers >> 4), dim=-1).flatten(1).float()
        else:
            numbers = numbers.view(torch.int8).float()
        zeros = (8.0 if self.bits == 4 else 0.0) if self.zeros is None else self.zeros[rows].float()[..., None]
        return ((numbers.unflatten(1, (scales.shape[1], -1)) - zeros) * scales[..., None]).flatten(1)


def _rounded(wide: Float[Tensor, "R C"], bits: int) -> tuple[UInt8[Tensor, "R B"], Integer[Tensor, "R G"]]:
    """What `quantized_round` of the kernel writes."""
    groups = wide.unflatten(1, (-1, GROUP if bits == 4 else wide.shape[1]))
    low, high = groups.aminmax(dim=-1, keepdim=True)
    largest = torch.where(high > -low, high, low)
    scales = (largest / -8 if bits == 4 else largest.abs() / 127).half()
    scales = torch.where(scales == 0, 2**-24, scales)
    numbers = (groups / scales.float()).round_().flatten(1)
    if bits == 4:
        numbers = numbers.add_(8).clamp_(0, 15).to(torch.uint8)
        numbers = numbers[:, 0::2] | numbers[:, 1::2] << 4
    else:
        numbers = numbers.clamp_(-127, 127).to(torch.int8).view(torch.uint8)
    return numbers, scales[..., 0].view(torch.int16)


class QuantizedLinear(nn.Module):
    """`Linear` with a `PackedWeight`; for inference, and for gradients with respect to its input."""

    def __init__(self, packed: PackedWeight, bias: nn.Parameter | None = None) -> None:
        super().__init__()
        self.shape, self.bits = packed.shape, packed.bits
        for name in ("numbers", "scales", "zeros", "order"):
            self.register_buffer(name, getattr(packed, name))
        self.bias = bias
        self.rounds_inputs = False

    @cached_property
    def packed(self) -> PackedWeight:
        names = ("numbers", "scales", "zeros", "order")
        return PackedWeight(self.shape, self.bits, *(getattr(self, name) for name in names))

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self.__dict__.pop("packed", None)  # the buffers move
        return super()._apply(fn, recurse)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "packed"}  # it holds addresses

    def forward(self, x: Float[Tensor, "... I"]) -> Float[Tensor, "... O"]:
        if not x.numel():  # a part of a prompt after which nothing is asked
            return x.new_empty(*x.shape[:-1], self.shape[0])
        rows = x.reshape(-1, x.shape[-1])
        packed = self.packed
        out = None
        with_gradient = torch.is_grad_enabled() and x.requires_grad
        if self.rounds_inputs and len(rows) > _FEW_ROWS and not with_gradient and multiplies_bytes(x.device):
            return byte_product(rows, packed, self.bias).unflatten(0, x.shape[:-1])
        if 0 < len(rows) <= _FEW_ROWS and not with_gradient:
            out = kernels.quantized_rows(packed.matrix, rows if packed.order is None else rows[:, packed.order])
        if out is None:
            step = max(1, _BLOCK // packed.columns)
            blocks = (slice(at, min(at + step, self.shape[0])) for at in range(0, self.shape[0], step))
            out = torch.cat([F.linear(rows, packed.widen(block, x.dtype)) for block in blocks], dim=-1)
        out = out if self.bias is None else out + self.bias
        return out.to(x.dtype).unflatten(0, x.shape[:-1])


def multiplies_bytes(device: torch.device) -> bool:
    """Whether this is a processor with products of bytes that PyTorch uses: others would be slow, or saturate."""
    return device.type == "cpu" and (torch.cpu._is_vnni_supported() or torch.cpu._is_amx_tile_supported())


def byte_product(
    x: Float[Tensor, "N I"], packed: PackedWeight, bias: Float[Tensor, " O"] | None
) -> Float[Tensor, "N O"]:
    """The product with x rounded to 8 bits, for a weight of 8 bits with one scale a row; sums are exact (int32).

    The few inputs that are largest over all tokens would make steps coarse for the rest: they are multiplied apart, in
    the dtype of x. In SmolLM2 that leaves a tenth of the divergence.
    """
    x, scales = x.contiguous(), packed.scales[:, 0].view(torch.float16).float()
    numbers, bias = packed.numbers.view(torch.int8), None if bias is None else bias.float()
    extremes = kernels.column_extremes(x)
    extremes = x.abs().amax(0).float() if extremes is None else extremes
    largest = extremes.topk(min(_APART, len(extremes))).indices
    apart = F.linear(x[:, largest], numbers[:, largest].to(x.dtype))
    keep = torch.ones_like(extremes).index_fill_(0, largest, 0)
    rounded, steps = kernels.round_inputs(x, keep, packed.columns) or _rounded_inputs(x * keep, packed.columns)
    sums = torch._int_mm(rounded, numbers.T)  # pyright: ignore[reportPrivateImportUsage]
    out = kernels.scale_sums(sums, apart, steps, scales, bias)
    if out is None:
        wide = (sums * steps[:, None] + apart) * scales
        out = (wide if bias is None else wide + bias).to(x.dtype)
    return out


def _rounded_inputs(x: Float[Tensor, "N I"], columns: int) -> tuple[Int8[Tensor, "N C"], Float[Tensor, " N"]]:
    """What `round_inputs` of the kernel writes."""
    steps = x.abs().amax(1) / 127
    numbers = (x / steps.clamp(min=1e-38)[:, None]).round_().to(torch.int8)
    return F.pad(numbers, (0, columns - x.shape[1])), steps


def round_inputs(model: nn.Module) -> None:
    """Let the layers of 8 bits with one scale a row round the inputs of many tokens too; others stay as they are."""
    for module in model.modules():
        if isinstance(module, QuantizedLinear):
            packed = module.packed
            module.rounds_inputs = packed.bits == 8 and packed.scales.shape[1] == 1 and packed.order is None


class QuantizedEmbedding(nn.Module):
    """`nn.Embedding` over the table of a `QuantizedLinear`, which may be the output projection too."""

    def __init__(self, table: QuantizedLinear) -> None:
        super().__init__()
        self.table = table

    def forward(self, ids: Integer[Tensor, "..."]) -> Float[Tensor, "... D"]:
        found = self.table.packed.widen(ids.flatten(), torch.float32)
        return found.unflatten(0, ids.shape)


def packed_bits(model: nn.Module, dtype: torch.dtype) -> dict[str, int]:
    """Which weights of a model are rounded for `dtype`, and to how many bits. With `torch.int4`, those of the language
    model's layers to four; the tower, the embedding table and the output projection, which need more precision, to
    eight."""
    bits: dict[str, int] = {}
    for name, module in model.named_modules():
        if isinstance(module, Linear | nn.Embedding):
            bits[f"{name}.weight"] = 4 if dtype == _INT4 and name.startswith("model.layers.") else 8
    return bits


def put_packed(model: nn.Module, name: str, weight: PackedWeight) -> None:
    """Replace the layer that has the weight `name` by a quantized one with this weight and the same bias."""
    path = name.removesuffix(".weight")
    layer = model.get_submodule(path)
    bias = layer.bias if isinstance(layer, nn.Linear) else None
    made: nn.Module = QuantizedLinear(weight, bias)
    model.set_submodule(path, QuantizedEmbedding(made) if isinstance(layer, nn.Embedding) else made)
