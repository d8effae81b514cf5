"""Tokens that decode attend on a CPU as attention in float64 says, whatever else is in the step."""

import ctypes
import platform
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.test_layers import HAS_COMPILER
from viewfinder.config import OFFICIAL_SIZES
from viewfinder.model import Chunk, KVCache, native
from viewfinder.model.byte_cache import to_bytes, widen_bytes
from viewfinder.model.decode_attention import PagedRows, decode_attention, serves

needs_compiler = pytest.mark.skipif(not HAS_COMPILER, reason="no compiler")
Step = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, PagedRows]
NEAR = {torch.float32: 2e-5, torch.bfloat16: 1e-2}


def random_step(
    lengths: list[int], heads: int, groups: int, dim: int, size: int, kinds: tuple[torch.dtype, torch.dtype]
) -> Step:
    """Queries, memory, scales and rows; the blocks of sequences stand anywhere, and NaN stands where nobody looks."""
    generator = torch.Generator().manual_seed(sum(lengths) + heads + dim)
    needed = [-(-length // size) for length in lengths]
    places = torch.randperm(sum(needed), generator=generator).split(needed)
    tables = torch.full((len(lengths), max(needed)), sum(needed))
    for row, numbers in zip(tables, places, strict=True):
        row[: len(numbers)] = numbers
    wide = torch.randn(2, groups, sum(needed) + 1, size, dim, generator=generator)
    for length, numbers in zip(lengths, places, strict=True):
        wide[:, :, numbers[-1], (length - 1) % size + 1 :] = torch.nan if kinds[1] != torch.int8 else 0
    q = (3 * torch.randn(len(lengths), groups * heads, dim, generator=generator)).to(kinds[0])
    memory, scales = to_bytes(wide) if kinds[1] == torch.int8 else (wide.to(kinds[1]), None)
    return q, memory, scales, PagedRows(tables, torch.tensor(lengths), memory)


def by_hand(step: Step) -> torch.Tensor:
    q, memory, scales, rows = step
    tables, lengths = rows.tensors
    wide = widen_bytes(memory, scales, torch.float64).double()
    out = []
    for one, table, length in zip(q.double(), tables, lengths.tolist(), strict=True):
        keys, values = wide[:, :, table].flatten(2, 3)[:, :, :length].repeat_interleave(len(one) // wide.shape[1], 1)
        weights = (torch.einsum("nh,nsh->ns", one, keys) / one.shape[1] ** 0.5).softmax(-1)
        out.append(torch.einsum("ns,nsh->nh", weights, values))
    return torch.stack(out)


@needs_compiler
@pytest.mark.parametrize("q_dtype", NEAR)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.int8])
@pytest.mark.parametrize(
    ("heads", "groups", "dim", "size"),
    [(8, 2, 128, 16), (7, 1, 128, 40), (3, 3, 64, 16), (1, 2, 80, 4), (16, 1, 256, 1), (5, 2, 16, 16)],
)
def test_attention_in_float64(
    heads: int, groups: int, dim: int, size: int, kind: torch.dtype, q_dtype: torch.dtype
) -> None:
    """Lengths around the pieces of 256 and the tiles of 16."""
    step = random_step([1, 5, 16, 255, 256, 257, 700], heads, groups, dim, size, (q_dtype, kind))
    found = decode_attention(*step)
    assert found is not None
    assert found.dtype == q_dtype
    torch.testing.assert_close(found.double(), by_hand(step), atol=NEAR[q_dtype], rtol=NEAR[q_dtype])


@needs_compiler
@pytest.mark.parametrize("sign", [1, -1])
def test_scores_of_any_size(sign: int) -> None:
    """Some 700 above or below zero, over two pieces."""
    q, memory, _, rows = step = random_step([300], 2, 2, 64, 16, (torch.float32, torch.float32))
    q.abs_().add_(5)
    memory[0].abs_().add_(15).mul_(sign)
    found = decode_attention(*step)
    assert found is not None
    torch.testing.assert_close(found.double(), by_hand((q, memory, None, rows)), atol=1e-3, rtol=1e-3)


@needs_compiler
@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 1100), min_size=1, max_size=6),
    kind=st.sampled_from([torch.float32, torch.bfloat16, torch.int8]),
    data=st.data(),
)
def test_neither_other_sequences_nor_threads_change_a_bit(
    lengths: list[int], kind: torch.dtype, data: st.DataObject
) -> None:
    q, memory, scales, rows = random_step(lengths, 3, 2, 32, 16, (torch.float32, kind))
    together = decode_attention(q, memory, scales, rows)
    assert together is not None
    chosen = data.draw(st.permutations(range(len(lengths))))[: data.draw(st.integers(1, len(lengths)))]
    tables, tokens = rows.tensors
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(data.draw(st.integers(1, 3)))
        part = decode_attention(q[chosen], memory, scales, PagedRows(tables[chosen], tokens[chosen], memory))
    finally:
        torch.set_num_threads(threads)
    assert part is not None
    assert torch.equal(part, together[chosen])


@pytest.mark.parametrize("is_native", [True, False])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_a_step_of_prompts_decoding_tokens_and_a_few_after_a_past(
    kind: torch.dtype, is_native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sequences of 30, 300, 9 and 41 tokens whose last 1, 1, 9 and 3 come in one step."""
    if not is_native:
        monkeypatch.setattr(native, "library", lambda: None)
    config = OFFICIAL_SIZES["3B"].text.model_copy(update={"num_hidden_layers": 1})
    generator = torch.Generator().manual_seed(3)
    lengths, new = (30, 300, 9, 41), (1, 1, 9, 3)
    cache = KVCache(config, num_blocks=40, dtype=kind)
    cache.clear(range(40))
    places = torch.randperm(40, generator=generator).tolist()
    tables = [places[:2], places[2:21], places[21:22], places[22:25]]
    parts = [
        [torch.randn(n, heads, config.head_dim, generator=generator).to(kind) for heads in (16, 2, 2)] for n in lengths
    ]
    for is_last in (False, True):
        chunks, given = [], []
        for table, length, count, part in zip(tables, lengths, new, parts, strict=True):
            past, count = (length - count, count) if is_last else (0, length - count)
            if count:
                chunks.append(Chunk(table, past, count))
                given.append([x[past : past + count] for x in part])
        view = cache.view(chunks)[0]
        found = view.attend(*(torch.cat(x) for x in zip(*given, strict=True)))
    wanted = []
    for (q, k, v), count in zip(parts, new, strict=True):
        for last in range(len(q) - count, len(q)):
            keys, values = (x[: last + 1].double().transpose(0, 1).repeat_interleave(8, 0) for x in (k, v))
            weights = (torch.einsum("nh,nsh->ns", q[last].double(), keys) / config.head_dim**0.5).softmax(-1)
            wanted.append(torch.einsum("ns,nsh->nh", weights, values).flatten())
    torch.testing.assert_close(found.double(), torch.stack(wanted), atol=2 * NEAR[kind], rtol=2 * NEAR[kind])


@needs_compiler
def test_what_the_kernel_does_not_take() -> None:
    memory = torch.zeros(2, 2, 3, 16, 64)
    assert serves(memory, 4)
    assert not serves(memory, 34)
    assert not serves(memory[..., :24].contiguous(), 4)
    assert not serves(memory.half(), 4)
    assert not serves(memory.to("meta"), 4)
    rows = PagedRows(torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, dtype=torch.int64), memory)
    assert decode_attention(torch.zeros(1, 4, 64, requires_grad=True), memory, None, rows) is None
    assert decode_attention(torch.zeros(1, 4, 64, dtype=torch.float64), memory, None, rows) is None


@needs_compiler
@pytest.mark.skipif(platform.machine() != "x86_64", reason="flags of another compiler")
@pytest.mark.parametrize("flags", [["-march=x86-64-v3"], ["-march=x86-64"]], ids=["AVX2", "SSE2"])
@pytest.mark.parametrize("kinds", [(q, kind) for q in NEAR for kind in (torch.float32, torch.bfloat16, torch.int8)])
def test_other_processors_give_the_same(
    flags: list[str], kinds: tuple[torch.dtype, torch.dtype], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same source with vectors of 8 and of 4 numbers."""
    if "-march=x86-64-v3" in flags and not torch.cpu._is_avx2_supported():
        pytest.skip("this processor has no AVX2")
    library = tmp_path_factory.getbasetemp() / f"paged{flags[0]}.so"
    if not library.exists():
        source = Path(native.__file__).with_name("paged_attention.c")
        command = ["cc", "-O1", *flags, "-fopenmp", "-shared", "-fPIC", "-o", str(library), str(source), "-lm"]
        subprocess.run(command, check=True, capture_output=True)
    kernel: Any = ctypes.CDLL(str(library)).paged_attention
    kernel.argtypes, kernel.restype = [ctypes.c_void_p] * 5 + [ctypes.c_long] * 2, None
    step = q, memory, scales, rows = random_step([1, 270, 33], 5, 2, 80, 16, kinds)
    out = torch.empty_like(q)
    pointers = (None if t is None else t.data_ptr() for t in (memory, scales, q, out))
    kernel(ctypes.byref(rows), *pointers, 5, q.dtype == torch.float32)
    torch.testing.assert_close(out.double(), by_hand(step), atol=NEAR[kinds[0]], rtol=NEAR[kinds[0]])
