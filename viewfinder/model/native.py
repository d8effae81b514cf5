"""The kernels of our own: a bfloat16 matrix times one or a few vectors, which is what decoding spends its time on.

`narrow_matvec.c` is built by the system's C compiler when first needed and kept, with its hash, in the user's
cache; in a folder of this process where others could write there. A damaged one is built anew. Without a compiler, on
a GPU, or with `VIEWFINDER_NATIVE=0`, PyTorch's own product is used: slower, and with the vector
rounded to 16 bits.
"""

import atexit
import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

_SOURCE = Path(__file__).with_name("narrow_matvec.c")
_REORDER = ("-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math")
"""What summing in vectors needs. `-ffast-math` would, on loading, turn off tiny numbers for the whole process."""
_FLAGS = ("-O3", "-march=native", *_REORDER, "-fopenmp", "-shared", "-fPIC")


def narrow_matvec(weight: Float[Tensor, "O I"], x: Float[Tensor, " I"]) -> Float[Tensor, " O"] | None:
    """`weight @ x` in float32 for a contiguous bfloat16 `weight`; None where the kernel cannot serve."""
    rows, columns = weight.shape
    if columns % 2 or weight.dtype != torch.bfloat16 or not weight.is_contiguous() or not _on_cpu(weight, x):
        return None
    library = _library()
    if library is None:
        return None
    even, odd = x.float().view(-1, 2).T.contiguous()
    out = torch.empty(rows, dtype=torch.float32)
    library.narrow_matvec(weight.data_ptr(), even.data_ptr(), odd.data_ptr(), out.data_ptr(), rows, columns // 2)
    return out


def narrow_rows(weight: Float[Tensor, "O I"], x: Float[Tensor, "N I"]) -> Float[Tensor, "N O"] | None:
    """`x @ weight.T` in float32 for bfloat16 `weight` and `x`; None where the kernel cannot serve.

    Needs a processor with bfloat16 products, rows in fours and columns in thirty-twos, as all official sizes have.
    """
    rows, columns = weight.shape
    if rows % 4 or columns % 32 or {weight.dtype, x.dtype} != {torch.bfloat16} or not weight.is_contiguous():
        return None
    if not _on_cpu(weight, x):
        return None
    library = _library()
    if library is None or not hasattr(library, "narrow_rows"):
        return None
    x = x.contiguous()
    out = torch.empty(len(x), rows, dtype=torch.float32)
    library.narrow_rows(weight.data_ptr(), x.data_ptr(), out.data_ptr(), rows, columns, len(x))
    return out


def _on_cpu(*tensors: Tensor) -> bool:
    """Whether C may read the memory: plain tensors on the CPU. Others have a pointer into a GPU, or none."""
    return all(type(tensor) in (Tensor, nn.Parameter) and tensor.device.type == "cpu" for tensor in tensors)


@cache
def _library() -> Any | None:
    """The built kernel, or None. The cache spares a build a call and holds nothing that could change."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or os.environ.get("VIEWFINDER_NATIVE") == "0" or platform.system() != "Linux":
        return None
    for runtime in sorted(Path(torch.__file__).parent.glob("lib/libgomp*.so*")):
        ctypes.CDLL(str(runtime), mode=ctypes.RTLD_GLOBAL)  # share PyTorch's threads instead of starting more
    try:
        library = ctypes.CDLL(str(_built(compiler)))
    except (OSError, subprocess.SubprocessError):
        return None
    pointer = ctypes.c_void_p
    library.narrow_matvec.argtypes = [pointer, pointer, pointer, pointer, ctypes.c_long, ctypes.c_long]
    library.narrow_matvec.restype = None
    if hasattr(library, "narrow_rows"):
        library.narrow_rows.argtypes = [pointer, pointer, pointer, ctypes.c_long, ctypes.c_long, ctypes.c_long]
        library.narrow_rows.restype = None
    return library


def _built(compiler: str) -> Path:
    """The shared library for this source, compiler and processor, built unless it is there."""
    cpu = Path("/proc/cpuinfo")
    flags = (
        next((line for line in cpu.read_text().splitlines() if line.startswith("flags")), "") if cpu.exists() else ""
    )
    key = hashlib.sha256("\n".join([_SOURCE.read_text(), compiler, *_FLAGS, flags]).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "viewfinder"
    if not _is_private(folder):
        folder = Path(tempfile.mkdtemp(prefix="viewfinder-"))  # somebody else could write what we load: build each time
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = folder / f"narrow_matvec-{key}.so"
    digest = target.with_suffix(".sha256")
    if not _is_whole(target, digest):
        temporary = folder / f".{target.name}.{os.getpid()}"
        command = [compiler, *_FLAGS, "-o", str(temporary), str(_SOURCE)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
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
