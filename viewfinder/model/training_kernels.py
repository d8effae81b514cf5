"""Passes over activations in training, forward and backward, by our kernels: under autocast to bfloat16 on a CPU.

PyTorch makes a norm or a rotation of several passes in float32 each way and keeps what they give; one pass each way
takes a tenth of the time and keeps the input alone. Sums are in float32 and rounded once, so results differ by a
rounding of bfloat16. Each function gives None where the kernels cannot serve.
"""

import ctypes
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from viewfinder.model.native import AttentionRows, AttentionTask, kernel, rotate_heads, swiglu


def _serves(*tensors: Tensor) -> bool:
    """Whether gradients of plain tensors are recorded in training with bfloat16 on a CPU."""
    return (
        torch.is_grad_enabled()
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and not torch.compiler.is_compiling()
        and any(x.requires_grad for x in tensors)
        and kernel("rms_norm", *tensors) is not None
    )


def _call(name: str, tensor: Tensor) -> Any:
    found = kernel(name, tensor)
    assert found is not None, "asked for before"
    return found


def trained_norm(x: Float[Tensor, "T D"], weight: Float[Tensor, " D"], eps: float) -> Float[Tensor, "T D"] | None:
    """`layers.RMSNorm` in bfloat16, of x in bfloat16 or float32."""
    fits = x.dtype in (torch.bfloat16, torch.float32) and weight.dtype == torch.float32 and x.is_contiguous()
    return _Norm.apply(x, weight, eps) if fits and _serves(x, weight) else None


def trained_swiglu(gate: Float[Tensor, "T D"], up: Float[Tensor, "T D"]) -> Float[Tensor, "T D"] | None:
    """`silu(gate) * up`."""
    fits = gate.dtype == up.dtype == torch.bfloat16 and gate.is_contiguous() and up.is_contiguous()
    return _SwiGLU.apply(gate, up) if fits and _serves(gate, up) else None


def trained_rotation(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor | None:
    """`layers.rotate` of x (T, ..., 2 half), by one angle a token; back with the opposite angle."""
    fits = x.dtype == torch.bfloat16 and cos.dtype == torch.float32 and cos.numel() == len(x) * cos.shape[-1] > 0
    return _Rotation.apply(x, cos, sin) if fits and x[0].is_contiguous() and _serves(x) else None


def trained_attention(
    q: Float[Tensor, "T N H"],
    k: Float[Tensor, "T G H"],
    v: Float[Tensor, "T G H"],
    lengths: Sequence[int],
    *,
    causal: bool,
) -> Float[Tensor, "T N H"] | None:
    """Attention of packed sequences of these lengths to themselves, with all products in bfloat16.

    As many tasks as sequences times heads of keys: for fewer than threads PyTorch's is quicker.
    """
    tensors, tasks = (q, k, v), len(lengths) * k.shape[1]
    fits = {x.dtype for x in tensors} == {torch.bfloat16} and q.shape[2] in (32, 64, 80, 128)
    if not fits or tasks < torch.get_num_threads() or not _serves(*tensors) or kernel("attention_slopes", q) is None:
        return None
    return _Attention.apply(q, k, v, tuple(lengths), causal) if all(x.stride(2) == 1 for x in tensors) else None


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, lengths: tuple[int, ...], causal: bool) -> Tensor:
        out, normalizer = torch.empty(q.shape, dtype=q.dtype), torch.empty(q.shape[:2])
        starts = torch.tensor([0, *accumulate(lengths)])
        task = _attention_task(q, k, v, out, normalizer, len(lengths), causal)
        _call("packed_attention", q)(ctypes.byref(task), starts.data_ptr(), q.shape[2])
        ctx.save_for_backward(q, k, v, out, normalizer, starts)
        ctx.causal, ctx.longest = causal, max(lengths)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, normalizer, starts = ctx.saved_tensors
        given, slopes = grads[0].to(q.dtype).contiguous(), [torch.empty(x.shape, dtype=x.dtype) for x in (q, k, v)]
        task = _attention_task(q, k, v, out, normalizer, len(starts) - 1, ctx.causal)
        task = _AttentionSlopes(task, AttentionRows(given.transpose(0, 1)[None]), *(x.data_ptr() for x in slopes))
        _call("attention_slopes", q)(ctypes.byref(task), starts.data_ptr(), ctx.longest, q.shape[2])
        return *slopes, None, None


class _AttentionSlopes(ctypes.Structure):
    _fields_ = [("task", AttentionTask), ("given", AttentionRows), *((name, ctypes.c_void_p) for name in "qkv")]


def _attention_task(
    q: Tensor, k: Tensor, v: Tensor, out: Tensor, normalizer: Tensor, sequences: int, causal: bool
) -> AttentionTask:
    rows = (AttentionRows(x.transpose(0, 1)[None]) for x in (q, k, v))
    sizes = (sequences, 0, 0, q.shape[1], k.shape[1], causal)
    return AttentionTask(*rows, out.data_ptr(), *sizes, normalizer.data_ptr())


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        out, scale = torch.empty(x.shape, dtype=torch.bfloat16), torch.empty(len(x.flatten(0, -2)))
        pointers = (t.data_ptr() for t in (x, weight, out, scale))
        _call("rms_norm", x)(*pointers, len(scale), x.shape[-1], x.dtype == torch.float32, False, eps)
        ctx.save_for_backward(x, weight, scale)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        given, slope = grads[0].to(torch.bfloat16).contiguous(), torch.empty_like(x)
        shares = torch.zeros(torch.get_num_threads(), len(weight))
        pointers = (t.data_ptr() for t in (given, x, weight, scale, slope, shares))
        _call("rms_norm_slopes", x)(*pointers, len(scale), len(weight), x.dtype == torch.float32)
        return slope, shares.sum(dim=0), None


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        out = swiglu(gate.clone(), up)
        assert out is not None
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        given, slope = grads[0].clone(memory_format=torch.contiguous_format), torch.empty_like(gate)
        _call("swiglu_slopes", gate)(*(t.data_ptr() for t in (given, gate, up, slope)), gate.numel())
        return slope, given


class _Rotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        out = rotate_heads(x, cos, sin)
        assert out is not None
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None]:
        cos, sin = ctx.saved_tensors
        return rotate_heads(grads[0].contiguous(), cos, -sin), None, None
