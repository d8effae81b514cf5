"""Kernels for weights, inputs and caches of few bits (`quantized_rows.c`, `byte_products.c`), see `native`.

Each function says by None or False where the kernel cannot serve.
"""

import ctypes
from typing import Any

import torch
from jaxtyping import Float, Int8, Int32, Integer, UInt8
from torch import Tensor

from viewfinder.model import native
from viewfinder.model.native import on_cpu

CHUNK = 128
"""The kernels take columns in multiples of it; those of 16 bits in multiples of half of it."""


class PackedMatrix(ctypes.Structure):
    """`Matrix` of `few_rows.h`; keeps the tensors whose memory it points to. With 16 bits the numbers are bfloat16."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("numbers", "scales", "zeros")),
        *((name, ctypes.c_long) for name in ("rows", "columns", "group", "bits")),
    ]

    def __init__(
        self,
        numbers: Tensor,
        scales: Integer[Tensor, "O G"] | None,
        zeros: UInt8[Tensor, "O G"] | None,
        bits: int,
    ) -> None:
        columns = numbers.shape[1] * numbers.element_size() * 8 // bits
        group = columns if scales is None else columns // scales.shape[1]
        pointers = (None if t is None else t.data_ptr() for t in (numbers, scales, zeros))
        super().__init__(*pointers, len(numbers), columns, group, bits)
        self.tensors = tuple(t for t in (numbers, scales, zeros) if t is not None)
        assert all(t.is_contiguous() for t in self.tensors)

    @staticmethod
    def takes(weight: Float[Tensor, "O I"]) -> bool:
        """Whether a weight that is not packed can be one of 16 bits."""
        is_whole = weight.shape[1] % (CHUNK // 2) == 0 and weight.is_contiguous()
        return is_whole and weight.dtype == torch.bfloat16 and on_cpu(weight)


def quantized_rows(matrix: PackedMatrix, x: Float[Tensor, "N I"]) -> Float[Tensor, "N O"] | None:
    """`x @ matrix.T` in float32; `x` is padded with zeros. None where the kernel cannot serve.

    Where the processor has products of bytes, `x` is in fixed point of 14 bits; but not a bfloat16 `x` with four bits
    where it has products of bfloat16."""
    kernels = native.library() if on_cpu(x, *matrix.tensors) else None
    if kernels is None:
        return None
    x = (x if x.dtype == torch.bfloat16 else x.float()).contiguous()
    out = torch.empty(len(x), matrix.rows, dtype=torch.float32)
    pointers = (x.data_ptr(), out.data_ptr())
    kernels.quantized_rows(ctypes.byref(matrix), *pointers, *x.shape, x.dtype == torch.float32)
    return out


def quantized_widen(matrix: PackedMatrix, rows: slice, dtype: torch.dtype) -> Float[Tensor, "R I"] | None:
    """Some rows of the matrix in bfloat16 or float32, rounded once; None where the kernel cannot serve."""
    fits = dtype in (torch.bfloat16, torch.float32) and on_cpu(*matrix.tensors)
    kernels = native.library() if fits else None
    if kernels is None:
        return None
    out = torch.empty(rows.stop - rows.start, matrix.columns, dtype=dtype)
    kernels.quantized_widen(ctypes.byref(matrix), out.data_ptr(), rows.start, len(out), dtype == torch.float32)
    return out


def quantized_round(matrix: PackedMatrix, weight: Float[Tensor, "O I"]) -> bool:
    """Write the weights, rounded, into the tensors of `matrix`; False where the kernel cannot serve."""
    kernels = _kernels_for(weight)
    if kernels is not None:
        kernels.quantized_round(ctypes.byref(matrix), weight.data_ptr(), weight.shape[1], weight.dtype == torch.float32)
    return kernels is not None


def column_extremes(x: Float[Tensor, "N I"]) -> Float[Tensor, " I"] | None:
    """The largest absolute value of each column."""
    kernels = _kernels_for(x)
    if kernels is None:
        return None
    out = torch.empty(x.shape[1])
    kernels.column_extremes(x.data_ptr(), out.data_ptr(), *x.shape, x.dtype == torch.float32)
    return out


def round_inputs(
    x: Float[Tensor, "N I"], keep: Float[Tensor, " I"], columns: int
) -> tuple[Int8[Tensor, "N C"], Float[Tensor, " N"]] | None:
    """Rows of `x * keep` as signed bytes, padded with zeros to `columns`, and what 1 is worth in each; the row's
    largest is 127."""
    kernels = _kernels_for(x)
    if kernels is None:
        return None
    numbers, scales = torch.empty(len(x), columns, dtype=torch.int8), torch.empty(len(x))
    pointers = (t.data_ptr() for t in (x, keep, numbers, scales))
    kernels.round_inputs(*pointers, *x.shape, columns, x.dtype == torch.float32)
    return numbers, scales


def scale_sums(
    sums: Int32[Tensor, "N O"],
    apart: Float[Tensor, "N O"],
    rows: Float[Tensor, " N"],
    columns: Float[Tensor, " O"],
    bias: Float[Tensor, " O"] | None,
) -> Float[Tensor, "N O"] | None:
    """`(sums * rows[:, None] + apart) * columns + bias`, rounded once, in the memory of `apart`; scales are float32."""
    kernels = _kernels_for(apart) if apart.is_contiguous() else None
    if kernels is None:
        return None
    pointers = (None if t is None else t.data_ptr() for t in (sums, rows, columns, bias, apart, apart))
    kernels.scale_sums(*pointers, *sums.shape, apart.dtype == torch.float32)
    return apart


def _kernels_for(x: Tensor) -> Any | None:
    fits = x.dtype in (torch.bfloat16, torch.float32) and x.is_contiguous() and on_cpu(x)
    return native.library() if fits else None
