"""Triton's kernel for decoding in its interpreter, beside float64: `make test-triton` (Triton is only where a GPU is).

The interpreter follows each program on the CPU, so arithmetic and addresses are those of a GPU, its speed is not. The
compiler makes code for GPUs that are not there.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.engine.test_decode_graphs import core_of, served
from tests.varlen_twin import paged_decode as definition
from viewfinder.model.paged_decode import paged_decode

COMPILE = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from viewfinder.model.paged_decode import _merge, _partials

of_3b = {"DIM": 128, "DIM_PADDED": 128, "SPLITS": 64}
sizes = {**of_3b, "SIZE": 256, "HEADS": 8, "HEADS_PADDED": 16, "TILE": 64, "WIDE": False}
for capability, kind in ((80, "bf16"), (90, "bf16"), (90, "fp32"), (120, "fp16")):
    target, parts = GPUTarget("cuda", capability, 32), {"parts": "*fp32", "sums": "*fp32"}
    given = {"q": f"*{kind}", "memory": f"*{kind}", "table": "*i32", "lengths": "*i32", **parts, "scale": "fp32"}
    strides = dict.fromkeys(["q_row", "q_head", "memory_values", "memory_group", "table_row", "table_column"], "i64")
    types = {**given, **strides, **dict.fromkeys(sizes, "constexpr")}
    aligned = {(at,): [["tt.divisibility", 16]] for at in (0, 1, 2, 3, 4, 5, 7, 8, 9, 10)}  # as tensors are
    made = compile(ASTSource(_partials, types, sizes, aligned), target=target)
    assert kind == "fp32" or ("mma.sync" in made.asm["ptx"] and "cp.async" in made.asm["ptx"])
    types = {**parts, "out": f"*{kind}", **dict.fromkeys(of_3b, "constexpr")}
    compile(ASTSource(_merge, types, of_3b), target=target)
    print(capability, kind, made.metadata.shared)
"""
LENGTHS = {
    "one token": [1],
    "a block": [16],
    "a block and a token": [17],
    "up to the end of a tile and one more": [64, 65],
    "eight": [1, 2, 15, 16, 17, 63, 64, 200],
    "long": [5000],
}


def case(
    lengths: list[int], dtype: torch.dtype, *, heads: int = 8, groups: int = 2, dim: int = 128, size: int = 16
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries that are a part of wider rows, blocks in any order, and NaN in all that no sequence has."""
    generator = torch.Generator().manual_seed(sum(lengths) + dim)
    width = -(-max(lengths) // size) + 1
    count = len(lengths) * width + 2
    table = torch.randperm(count, generator=generator)[: len(lengths) * width].view(-1, width)
    memory = torch.full((2, groups, count, size, dim), float("nan"), dtype=dtype)
    for row, length in zip(table, lengths, strict=True):
        places = (row[:, None] * size + torch.arange(size)).flatten()[:length]
        memory.flatten(2, 3)[:, :, places] = torch.randn(2, groups, length, dim, generator=generator).to(dtype)
    q = torch.randn(len(lengths), heads + 2 * groups, dim, generator=generator).to(dtype)[:, :heads]
    return q, memory, table.int(), torch.tensor(lengths, dtype=torch.int32)


def expected(q: Tensor, memory: Tensor, table: Tensor, lengths: Tensor) -> Tensor:
    """In float64, from numbers that are there."""
    return definition(q.double(), memory.double().nan_to_num(), table, lengths)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_any_lengths(lengths: list[int], dtype: torch.dtype) -> None:
    given = case(lengths, dtype)
    found, wanted = paged_decode(*given), expected(*given)
    assert found.dtype == dtype
    if dtype == torch.float32:
        torch.testing.assert_close(found.double(), wanted, atol=1e-5, rtol=0)
    else:  # two units in the last place
        torch.testing.assert_close(found.double(), wanted, atol=1e-3, rtol=2 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("splits", [1, 2, 8, 64])
def test_any_number_of_splits(splits: int) -> None:
    given = case([1, 130, 700], torch.float32)
    torch.testing.assert_close(paged_decode(*given, splits).double(), expected(*given), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "shape",
    [
        {"heads": 16, "groups": 2, "size": 256},  # 3B on a GPU
        {"heads": 28, "groups": 4},  # 7B
        {"heads": 3, "groups": 3, "dim": 16, "size": 4},
        {"heads": 40, "groups": 1, "dim": 48},
    ],
)
def test_any_heads_and_blocks(shape: dict[str, int]) -> None:
    given = case([5, 90], torch.float32, **shape)
    torch.testing.assert_close(paged_decode(*given).double(), expected(*given), atol=1e-5, rtol=0)


def test_a_table_on_its_side() -> None:
    """As the fixed tensors of `engine.decode_graphs` have it: one column a sequence."""
    q, memory, table, lengths = case([40, 7, 100], torch.float32)
    turned = table.T.contiguous().T
    assert turned.stride() == (1, 3)
    assert torch.equal(paged_decode(q, memory, turned, lengths), paged_decode(q, memory, table, lengths))


def test_it_compiles_for_gpus_that_are_not_here(tmp_path: Path) -> None:
    """To machine code of Ampere, Hopper and Blackwell, with tensor cores for 16 bits and copies that run ahead."""
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shared = [int(line.split()[2]) for line in done.stdout.splitlines()]
    assert len(shared) == 4
    assert max(shared) <= 99 * 1024, "what the smallest of these GPUs has"


def test_requests_that_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the engine on padded, fixed tensors: the tokens of the plain way."""
    wanted = served(core_of(), 8)
    monkeypatch.setattr("viewfinder.model.attention.decode_kernel", lambda *_: partial(paged_decode, splits=2))
    monkeypatch.setattr("viewfinder.engine.decode_graphs.captured", lambda step, *_: step)
    monkeypatch.setattr("torch.cuda.graph_pool_handle", lambda: (0, 0))
    assert served(core_of(), 8) == wanted
