"""Attention of packed sequences of any lengths in one launch, on a GPU: `torch.nn.attention.varlen` where it exists.

Windows and frames of the tower, packed sequences in training and prompts are segments of one packed tensor; sequences
that have a past read it from the blocks of a paged cache; `decode_kernel` is another kernel for steps that only decode.
Elsewhere (CPUs, float32, older PyTorch, a kernel that does not agree with the plain way) callers keep their loops over
`scaled_dot_product_attention`.

cuDNN's attention is never taken: its backward pass gave NaN on H100 and H200 from PyTorch 2.11 on (pytorch/pytorch
issue 196678; NVIDIA/cudnn-frontend issues 160 and 1072), it garbled greedy answers of models with fewer than 8 heads of
keys on B200 (pytorch/pytorch issue 193893; this model has 2, 4 or 8), it plans anew for each shape, so first calls are
slow (meta-pytorch/torchtune issue 1652), and in variable-length attention it was slower where it is the default
(pytorch/pytorch issue 187770). `without_cudnn` says so to PyTorch.
"""

import inspect
import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

_CAUSAL, _WHOLE = (-1, 0), (-1, -1)
_LOG = logging.getLogger(__name__)

DecodeKernel = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""`paged_decode.paged_decode`: queries, memory, table and lengths to the attention of one token of each sequence."""


@dataclass(frozen=True)
class Segments:
    """Where the segments of a packed tensor begin, and its length last (int32); tokens of the longest.

    `keys` are the segments of what each attends to, where that is more than itself: `key_places` of the packed tensor.
    """

    starts: Int[Tensor, " S1"]
    longest: int
    keys: "Segments | None" = None
    key_places: Int[Tensor, " K"] | None = None

    @classmethod
    def of(cls, lengths: Iterable[int], device: torch.device) -> "Segments":
        sizes = list(lengths)
        starts = torch.tensor([0, *accumulate(sizes)], dtype=torch.int32)
        return cls(starts.to(device, non_blocking=True), max(sizes, default=0))


@dataclass(frozen=True)
class Pages:
    """What each sequence has in a paged cache: its blocks in order, tokens with the new ones, and the new ones.

    Attributes:
        table: numbers of blocks, int32; what stands behind a sequence's last block is not read.
        lengths: tokens of each sequence, int32; `longest` of them at most.
    """

    new: Segments
    table: Int[Tensor, "S B"]
    lengths: Int[Tensor, " S"]
    longest: int


def kernel_for(x: Tensor) -> Callable[..., Tensor] | None:
    """PyTorch's kernel, where it takes what is made of this tensor: 16-bit numbers on an NVIDIA GPU from Ampere on."""
    is_cast = torch.is_autocast_enabled(x.device.type)
    dtype = torch.get_autocast_dtype(x.device.type) if is_cast else x.dtype
    return _kernel(x.device) if x.device.type == "cuda" and dtype in (torch.bfloat16, torch.float16) else None


def varlen_attention(
    q: Float[Tensor, "T N H"],
    k: Float[Tensor, "T G H"],
    v: Float[Tensor, "T G H"],
    segments: Segments,
    *,
    causal: bool,
) -> Float[Tensor, "T N H"] | None:
    """Attention within each segment, None without a kernel for it; causal queries are the last of their keys."""
    kernel = kernel_for(q)
    if kernel is None:
        return None
    keys = segments.keys or segments
    if segments.key_places is not None:
        k, v = k[segments.key_places], v[segments.key_places]
    bounds = (segments.starts, keys.starts, segments.longest, keys.longest)
    return kernel(q, k, v, *bounds, window_size=_CAUSAL if causal else _WHOLE, enable_gqa=q.shape[1] != k.shape[1])


def paged_attention(
    q: Float[Tensor, "T N H"], memory: Float[Tensor, "2 G blocks size H"], pages: Pages
) -> Float[Tensor, "T N H"]:
    """Causal attention of the new tokens of each sequence to all that it has; `takes_pages` says whether this runs."""
    kernel = kernel_for(q)
    assert kernel is not None, "ask `takes_pages` first"
    keys, values = memory.permute(0, 2, 3, 1, 4)
    return kernel(
        q,
        keys,
        values,
        pages.new.starts,
        None,
        pages.new.longest,
        pages.longest,
        window_size=_CAUSAL,
        enable_gqa=q.shape[1] != memory.shape[1],
        seqused_k=pages.lengths,
        block_table=pages.table,
    )


def takes_pages(memory: Tensor, num_heads: int) -> bool:
    """Whether PyTorch's kernel reads this cache, found out by a trial: kernels differ in the sizes of blocks that they
    take. Asked once for each cache."""
    kernel = kernel_for(memory)
    if kernel is None or "block_table" not in inspect.signature(kernel).parameters:
        return False

    def run(q: Tensor, trial: Tensor, table: Tensor, lengths: Tensor) -> Tensor:
        return paged_attention(q, trial, Pages(Segments.of([1], memory.device), table, lengths, memory.shape[3] + 1))

    try:
        return _agrees(run, memory, num_heads)
    except (RuntimeError, ValueError, TypeError, NotImplementedError):
        return False


def decode_kernel(memory: Tensor, num_heads: int) -> DecodeKernel | None:
    """Triton's kernel for decoding, where Triton is installed and it agrees on this cache with the plain way."""
    if memory.device.type != "cuda" or memory.dtype not in (torch.bfloat16, torch.float16, torch.float32):
        return None
    try:
        from viewfinder.model.paged_decode import paged_decode

        if _agrees(paged_decode, memory, num_heads):
            return paged_decode
        reason = "its numbers differ from the plain way's"
    except ImportError:  # PyTorch brings it on Linux only
        return None
    except Exception as error:  # of a compiler, a driver or a kernel
        reason = f"{type(error).__name__}: {error}"
    _LOG.warning("decoding does not use the Triton kernel (%s), so it is slower; check the versions", reason[:200])
    return None


def _agrees(run: DecodeKernel, memory: Tensor, num_heads: int) -> bool:
    """Whether a kernel gives what the plain way gives for a sequence of two blocks that stand in the other order."""
    groups, size, head_dim = memory.shape[1], memory.shape[3], memory.shape[4]
    generator = torch.Generator().manual_seed(0)
    trial = torch.randn(2, groups, 2, size, head_dim, generator=generator).to(memory)
    q = torch.randn(1, num_heads, head_dim, generator=generator).to(memory)
    lengths = torch.tensor([size + 1], dtype=torch.int32).to(memory.device)
    out = run(q, trial, torch.tensor([[1, 0]], dtype=torch.int32).to(memory.device), lengths)
    keys, values = trial.flip(2).flatten(2, 3)[:, :, : size + 1].repeat_interleave(num_heads // groups, dim=1).float()
    weights = (torch.einsum("nh,nsh->ns", q[0].float(), keys) / head_dim**0.5).softmax(-1)
    return bool((out[0].float() - torch.einsum("ns,nsh->nh", weights, values)).abs().max() < 0.05)


def without_cudnn(device: torch.device) -> AbstractContextManager[Any]:
    """Attention inside takes any kernel but cuDNN's; its backward pass takes the kernel of its forward pass."""
    if device.type != "cuda":
        return nullcontext()
    return sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])


@cache
def _kernel(device: torch.device) -> Callable[..., Tensor] | None:
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    known = inspect.signature(varlen_attn).parameters
    is_able = torch.cuda.get_device_capability(device) >= (8, 0) and torch.version.hip is None
    return varlen_attn if is_able and {"window_size", "enable_gqa"} <= set(known) else None  # type: ignore[return-value]
