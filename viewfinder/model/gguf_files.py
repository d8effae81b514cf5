"""GGUF files: metadata by key and tensors by name, read from the file's head, and blocks of packed numbers as floats.

The head is read here: the reader of the `gguf` package makes an array of each string, which takes seconds for a
vocabulary of 150,000 tokens. The package does what is hard to keep right, the block types.
"""

import mmap
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from viewfinder.errors import CheckpointError

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_PLAIN = {0: (torch.float32, 4), 1: (torch.float16, 2), 30: (torch.bfloat16, 2)}
_AT_A_TIME = 1 << 18
"""Numbers unpacked at a time: what the package makes on the way then stays in the processor's cache."""


@dataclass(frozen=True)
class PackedTensor:
    """One tensor of a file: its shape as PyTorch has it, its block type by number, and its bytes (mapped)."""

    shape: tuple[int, ...]
    block_type: int
    data: memoryview


class GgufFile:
    """A file's metadata and tensors, nothing unpacked yet.

    Raises:
        CheckpointError: no GGUF, cut short, or of a version that is not read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fields: dict[str, Any] = {}
        self.tensors: dict[str, PackedTensor] = {}
        try:
            with path.open("rb") as file:
                self._data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
            self._at = 0
            self._read()
        except (OSError, ValueError, KeyError, struct.error) as error:
            raise CheckpointError(f"{path} is no GGUF file that can be read ({error}); fetch it again") from error

    def _read(self) -> None:
        if bytes(self._data[:4]) != b"GGUF":
            raise ValueError(f"it begins with {bytes(self._data[:4])!r}, expected b'GGUF'")
        self._at = 4
        version, num_tensors, num_fields = (self._number(kind) for kind in (4, 10, 10))
        if version not in (2, 3):
            raise ValueError(f"version {version}, expected 2 or 3")
        for _ in range(num_fields):
            name = self._string()
            self.fields[name] = self._value(self._number(4))
        found = [
            (self._string(), [self._number(10) for _ in range(self._number(4))], self._number(4), self._number(10))
            for _ in range(num_tensors)
        ]
        align = self.fields.get("general.alignment", 32)
        begin = -(-self._at // align) * align
        for name, sizes, block_type, offset in found:
            shape = tuple(reversed(sizes))
            start, size = begin + offset, _num_bytes(shape, block_type)
            if start + size > len(self._data):
                raise ValueError(f"it ends inside {name}")
            self.tensors[name] = PackedTensor(shape, block_type, self._data[start : start + size])

    def _number(self, kind: int) -> Any:
        code = "<" + _NUMBERS[kind]
        (value,) = struct.unpack_from(code, self._data, self._at)
        self._at += struct.calcsize(code)
        return value

    def _string(self) -> str:
        size = self._number(10)
        if size > len(self._data) - self._at:
            raise ValueError("it ends inside a string")
        self._at += size
        return str(self._data[self._at - size : self._at], "utf-8", "replace")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._number(kind)
        inner, count = self._number(4), self._number(10)
        if inner not in _NUMBERS:
            return [self._value(inner) for _ in range(count)]
        code = f"<{count}{_NUMBERS[inner]}"
        values = list(struct.unpack_from(code, self._data, self._at))
        self._at += struct.calcsize(code)
        return values


def _num_bytes(shape: tuple[int, ...], block_type: int) -> int:
    count = int(np.prod(shape, dtype=object))
    if block_type in _PLAIN:
        return count * _PLAIN[block_type][1]
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    size, num_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(block_type)]
    if not shape or shape[-1] % size:
        raise ValueError(f"rows of {shape[-1:]} numbers are no blocks of {size}")
    return count // size * num_bytes


def unpack(tensor: PackedTensor) -> Tensor:
    """Its numbers: in the dtype they are stored in, or float32 where they were packed."""
    if tensor.block_type in _PLAIN:
        dtype, _ = _PLAIN[tensor.block_type]
        return torch.frombuffer(tensor.data, dtype=dtype).view(tensor.shape)
    from gguf import GGMLQuantizationType, dequantize

    kind = GGMLQuantizationType(tensor.block_type)
    columns = tensor.shape[-1]
    packed = np.frombuffer(tensor.data, np.uint8).reshape(-1, len(tensor.data) * columns // int(np.prod(tensor.shape)))
    out = np.empty((len(packed), columns), np.float32)
    rows = max(1, _AT_A_TIME // columns)

    def one(start: int) -> None:
        out[start : start + rows] = dequantize(packed[start : start + rows], kind)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(one, range(0, len(packed), rows)))
    return torch.from_numpy(out).view(tensor.shape)
