"""Passes over activations in training, forward and backward, by our kernels: under autocast to bfloat16 on a CPU.

PyTorch makes a norm or a rotation of several passes in float32 each way and keeps what they give; one pass each way
takes a tenth of the time and keeps the input alone. Sums are in float32 and rounded once, so results differ by a
rounding of bfloat16. Each function gives None where the kernels cannot serve.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from viewfinder.model.native import kernel, rotate_heads, swiglu


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
