"""The kernels of our own: a matrix times one or a few vectors, attention, and passes over activations.

`narrow_matvec.c` (bfloat16), `flash_attention.c`, `activations.c`, `page_scores.c` and those of `decode_attention` and
`native_quantized` are built by the system's C compiler when first needed and kept, with their hash, in the user's
cache; in a folder of this process where others could write there. A damaged library is built anew. Without a compiler,
on a GPU, or with `VIEWFINDER_NATIVE=0`, PyTorch's own kernels are used: slower, and with the vector rounded to 16 bits.
"""

import atexit
import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

_SOURCES = tuple(
    Path(__file__).with_name(name)
    for name in (
        "narrow_matvec.c",
        "few_rows.c",
        "quantized_rows.c",
        "decode_layer.c",
        "byte_products.c",
        "paged_attention.c",
        "flash_attention.c",
        "attention_slopes.c",
        "activations.c",
        "page_scores.c",
    )
)
_HEADERS = tuple(
    Path(__file__).with_name(name) for name in ("numbers.h", "few_rows.h", "paged_attention.h", "attention_tiles.h")
)
_ARGUMENTS = {
    "narrow_matvec": "ppppll",
    "quantized_rows": "ppplll",
    "decode_layer": "ppppppp",
    "quantized_widen": "pplll",
    "quantized_round": "ppll",
    "column_extremes": "pplll",
    "round_inputs": "ppppllll",
    "scale_sums": "pppppplll",
    "paged_attention": "pppppll",
    "flash_attention": "pl",
    "packed_attention": "ppl",
    "attention_slopes": "ppll",
    "swiglu": "ppll",
    "rotate_heads": "pppplllll",
    "swiglu_slopes": "ppppl",
    "rms_norm": "ppppllllf",
    "rms_norm_slopes": "pppppplll",
}
"""Of each function: p is a pointer, l a long, f a double."""
_TYPES = {"p": ctypes.c_void_p, "l": ctypes.c_long, "f": ctypes.c_double}
_WIDE = {torch.bfloat16: False, torch.float32: True}
"""Of the activations that `activations.c` takes."""
_HUGE_PAGE = 1 << 21
_REORDER = ("-fassociative-math", "-ffinite-math-only", "-fno-signed-zeros", "-fno-trapping-math")
"""What sums and extremes in vectors need. `-ffast-math` would, on loading, flush tiny numbers in the whole process."""
_FLAGS = ("-O3", "-march=native", *_REORDER, "-fopenmp", "-shared", "-fPIC")


def narrow_matvec(weight: Float[Tensor, "O I"], x: Float[Tensor, " I"]) -> Float[Tensor, " O"] | None:
    """`weight @ x` in float32 for a contiguous bfloat16 `weight`; None where the kernel cannot serve."""
    rows, columns = weight.shape
    if columns % 2 or weight.dtype != torch.bfloat16 or not weight.is_contiguous() or not on_cpu(weight, x):
        return None
    kernels = library()
    if kernels is None:
        return None
    even, odd = x.float().view(-1, 2).T.contiguous()
    out = torch.empty(rows, dtype=torch.float32)
    kernels.narrow_matvec(weight.data_ptr(), even.data_ptr(), odd.data_ptr(), out.data_ptr(), rows, columns // 2)
    return out


class AttentionRows(ctypes.Structure):
    """Where the heads of a tensor stand, whose last dimension is contiguous."""

    _fields_ = [("data", ctypes.c_void_p), *((name, ctypes.c_long) for name in ("sequence", "token", "head"))]

    def __init__(self, x: Float[Tensor, "B N L H"]) -> None:
        super().__init__(x.data_ptr(), x.stride(0), x.stride(2), x.stride(1))


class AttentionTask(ctypes.Structure):
    _fields_ = [
        *((name, AttentionRows) for name in ("q", "k", "v")),
        ("out", ctypes.c_void_p),
        *((name, ctypes.c_long) for name in ("sequences", "queries", "keys", "heads", "key_heads", "causal")),
        ("normalizer", ctypes.c_void_p),
    ]


def flash_attention(
    q: Float[Tensor, "B N L H"], k: Float[Tensor, "B G S H"], v: Float[Tensor, "B G S H"], *, is_causal: bool = False
) -> Float[Tensor, "B N L H"] | None:
    """Scaled dot-product attention in bfloat16, with sums in float32; None where the kernel cannot serve.

    N query heads share G key heads, N / G in a row each. With `is_causal` the queries are the last L of S tokens. Needs
    a processor with bfloat16 products and heads of 64, 80 or 128 numbers; under autocast (a frozen tower) also of 32.
    """
    batch, heads, queries, dim = q.shape
    keys, dims = k.shape[2], (32, 64, 80, 128) if torch.is_autocast_enabled("cpu") else (64, 80, 128)
    fits = {x.dtype for x in (q, k, v)} == {torch.bfloat16} and dim in dims and on_cpu(q, k, v)
    if not fits or torch.is_grad_enabled() or not 0 < queries <= keys or not all(x.stride(3) == 1 for x in (q, k, v)):
        return None
    kernels = library()
    if kernels is None or not hasattr(kernels, "flash_attention"):
        return None
    out = torch.empty(batch, queries, heads, dim, dtype=q.dtype)
    rows = (AttentionRows(x) for x in (q, k, v))
    given = AttentionTask(*rows, out.data_ptr(), batch, queries, keys, heads, k.shape[1], is_causal, None)
    kernels.flash_attention(ctypes.byref(given), dim)
    return out.transpose(1, 2)


def swiglu(gate: Float[Tensor, "T D"], up: Float[Tensor, "T D"]) -> Float[Tensor, "T D"] | None:
    """`silu(gate) * up`, rounded once, in the memory of `gate`; None where the kernel cannot serve."""
    fits = gate.dtype == up.dtype in _WIDE and gate.is_contiguous() and up.is_contiguous()
    kernels = library() if fits and not torch.is_grad_enabled() and on_cpu(gate, up) else None
    if kernels is None:
        return None
    kernels.swiglu(gate.data_ptr(), up.data_ptr(), gate.numel(), _WIDE[gate.dtype])
    return gate


def rms_norm(x: Float[Tensor, "T D"], weight: Float[Tensor, " D"], eps: float) -> Float[Tensor, "T D"] | None:
    """Root-mean-square normalisation, rounded once; None where the kernel cannot serve."""
    fits = x.dtype in (weight.dtype, torch.float32) and weight.dtype in _WIDE
    if not fits or torch.is_grad_enabled() or not (x.is_contiguous() and weight.is_contiguous() and on_cpu(x, weight)):
        return None
    kernels = library()
    if kernels is None:
        return None
    wide_weight, out, wide = weight.float(), torch.empty_like(x), _WIDE[x.dtype]
    rows, pointers = x.numel() // len(weight), (x.data_ptr(), wide_weight.data_ptr(), out.data_ptr())
    kernels.rms_norm(*pointers, None, rows, len(weight), wide, wide, eps)
    return out


def rotate_heads(x: Tensor, cos: Float[Tensor, "T ... half"], sin: Float[Tensor, "T ... half"]) -> Tensor | None:
    """`layers.rotate` of x (T, ..., 2 half), heads of a token side by side, turned by one angle a token;
    None where the kernel cannot serve."""
    tokens, half = x.shape[0], cos.shape[-1]
    fits = x.dtype in _WIDE and cos.dtype == torch.float32 and cos.numel() == tokens * half
    if not fits or torch.is_grad_enabled() or not on_cpu(x, cos, sin):
        return None
    if not tokens or not (x.is_contiguous() or x[0].is_contiguous()):
        return None
    kernels = library()
    if kernels is None:
        return None
    cos, sin, out = cos.contiguous(), sin.contiguous(), torch.empty(x.shape, dtype=x.dtype)
    pointers = (t.data_ptr() for t in (x, cos, sin, out))
    kernels.rotate_heads(*pointers, tokens, x.numel() // (2 * half * tokens), half, x.stride(0), _WIDE[x.dtype])
    return out


def kernel(name: str, *tensors: Tensor) -> Any | None:
    """A function of the C files that reads these tensors; None where it cannot serve. Give it values of `ctypes`."""
    return getattr(library() if on_cpu(*tensors) else None, name, None)


def drop_pages(tensor: Tensor) -> None:
    """Give back the memory of a tensor that is mapped from a file and not needed any more, while its file stays open.

    Only for what was never written to: the kernel reads such pages again if somebody asks. Does nothing off Linux."""
    if platform.system() != "Linux" or not on_cpu(tensor):
        return
    page = os.sysconf("SC_PAGE_SIZE")
    start, end = tensor.data_ptr(), tensor.data_ptr() + tensor.numel() * tensor.element_size()
    start, end = -(-start // page) * page, end // page * page
    if end > start:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), 4)  # MADV_DONTNEED


def use_huge_pages(tensor: Tensor) -> Tensor:
    """Ask for pages of 2 MiB under a tensor of our own memory that is not filled yet.

    In a virtual machine, looking up the addresses of 4 KiB pages costs up to half of the speed of reading weights."""
    if platform.system() == "Linux" and on_cpu(tensor):
        start, end = tensor.data_ptr(), tensor.data_ptr() + tensor.numel() * tensor.element_size()
        start, end = -(-start // _HUGE_PAGE) * _HUGE_PAGE, end // _HUGE_PAGE * _HUGE_PAGE
        if end > start:
            ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), 14)  # MADV_HUGEPAGE
    return tensor


def thread_setter() -> Callable[[int], None] | None:
    """A function that sets with how many threads the calling thread works, in PyTorch's products, passes and ours; None
    where it is not known. `torch.set_num_threads` would set it for the products of all threads."""
    runtime = next(iter(sorted(Path(torch.__file__).parent.glob("lib/libgomp*.so*"))), None)
    return None if runtime is None else ctypes.CDLL(str(runtime)).omp_set_num_threads


def on_cpu(*tensors: Tensor) -> bool:
    """Whether C may read the memory: plain tensors on the CPU. Others have a pointer into a GPU, or none."""
    return all(type(tensor) in (Tensor, nn.Parameter) and tensor.is_cpu for tensor in tensors)


@cache
def library() -> Any | None:
    """The built kernel, or None. The cache spares a build a call and holds nothing that could change."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or os.environ.get("VIEWFINDER_NATIVE") == "0" or platform.system() != "Linux":
        return None
    for runtime in sorted(Path(torch.__file__).parent.glob("lib/libgomp*.so*")):
        ctypes.CDLL(str(runtime), mode=ctypes.RTLD_GLOBAL)  # share PyTorch's threads instead of starting more
    try:
        found = ctypes.CDLL(str(_built(compiler)))
    except (OSError, subprocess.SubprocessError):
        return None
    for name, arguments in _ARGUMENTS.items():
        if hasattr(found, name):
            function = getattr(found, name)
            function.restype = None
            function.argtypes = [_TYPES[kind] for kind in arguments]
    return found


def _built(compiler: str) -> Path:
    """The shared library for this source, compiler and processor, built unless it is there."""
    cpu = Path("/proc/cpuinfo")
    flags = (
        next((line for line in cpu.read_text().splitlines() if line.startswith("flags")), "") if cpu.exists() else ""
    )
    key = hashlib.sha256(
        "\n".join([*(path.read_text() for path in (*_SOURCES, *_HEADERS)), compiler, *_FLAGS, flags]).encode()
    ).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "viewfinder"
    if not _is_private(folder):
        folder = Path(tempfile.mkdtemp(prefix="viewfinder-"))  # somebody else could write what we load: build each time
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = folder / f"kernels-{key}.so"
    digest = target.with_suffix(".sha256")
    if not _is_whole(target, digest):
        temporary = folder / f".{target.name}.{os.getpid()}"
        command = [compiler, *_FLAGS, "-o", str(temporary), *map(str, _SOURCES), "-lm"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        _publish(digest, hashlib.sha256(temporary.read_bytes()).hexdigest().encode())
        _publish(target, temporary.read_bytes())
        temporary.unlink()
    return target


def _is_private(folder: Path) -> bool:
    """Whether the folder, made where it is missing, is this user's and nobody else may write in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.stat()
    except OSError:
        return False
    return state.st_uid == os.getuid() and not state.st_mode & 0o022


def _is_whole(target: Path, digest: Path) -> bool:
    """Whether the library is what was built: mapping a cut file would kill the process (SIGBUS)."""
    try:
        return hashlib.sha256(target.read_bytes()).hexdigest() == digest.read_text()
    except (OSError, ValueError):
        return False


def _publish(path: Path, data: bytes) -> None:
    """Write and rename, on the disk before it has its name; whoever has the old file mapped keeps it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
