"""Triton's kernel for decoding in its interpreter, beside float64: `make test-triton` (Triton is only where a GPU is).

The interpreter follows each program on the CPU, so arithmetic and addresses are those of a GPU; its speed and the
compiler's work are not.
"""

from functools import partial

import pytest
import torch
from torch import Tensor

from tests.engine.test_decode_graphs import core_of, served
from tests.varlen_twin import paged_decode as definition
from viewfinder.model.paged_decode import paged_decode

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


def test_requests_that_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the engine on padded, fixed tensors: the tokens of the plain way."""
    wanted = served(core_of(), 8)
    monkeypatch.setattr("viewfinder.model.attention.decode_kernel", lambda *_: partial(paged_decode, splits=2))
    monkeypatch.setattr("viewfinder.engine.decode_graphs.captured", lambda step, *_: step)
    monkeypatch.setattr("torch.cuda.graph_pool_handle", lambda: (0, 0))
    assert served(core_of(), 8) == wanted
