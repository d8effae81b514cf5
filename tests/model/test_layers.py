"""Narrow weights with wide activations: every way of computing it equals widening everything first."""

import shutil
from pathlib import Path

import pytest
import torch

from viewfinder.model import layers, native
from viewfinder.model.quantized_linear import PackedWeight, QuantizedLinear

HAS_COMPILER = any(map(shutil.which, ("cc", "gcc", "clang"))) and Path("/proc/cpuinfo").exists()
PROCESSOR = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""


@pytest.mark.parametrize("rows", [1, 2, 3, 9])
@pytest.mark.parametrize("shape", [(7, 6), (64, 34), (130, 128)])
@pytest.mark.parametrize("bias", [True, False])
def test_widened_linear(monkeypatch: pytest.MonkeyPatch, rows: int, shape: tuple[int, int], bias: bool) -> None:
    monkeypatch.setattr(layers, "_BLOCK", 512)  # several blocks even for small weights
    layer = layers.Linear(shape[1], shape[0], bias=bias).to(torch.bfloat16)
    x = torch.randn(rows, shape[1])
    wide = layers.Linear(shape[1], shape[0], bias=bias)
    wide.load_state_dict({name: p.float() for name, p in layer.state_dict().items()})
    tolerance = 0.05 if rows <= 2 else 1e-5  # torch's own product rounds x to 16 bits
    torch.testing.assert_close(layer(x), wide(x), atol=tolerance, rtol=tolerance)
    assert layer(x).dtype == torch.float32


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (4, 8), (5, 2), (67, 130), (256, 64)])
def test_the_kernel_equals_the_product_in_float32(rows: int, columns: int) -> None:
    weight = torch.randn(rows, columns).to(torch.bfloat16)
    x = torch.randn(columns)
    found = native.narrow_matvec(weight, x)
    if found is None:  # only where it cannot be built: the layer then takes the path that other tests force
        assert not HAS_COMPILER
    else:
        torch.testing.assert_close(found, weight.float() @ x, atol=1e-4, rtol=1e-4)


def test_the_kernel_declines_what_it_cannot_do() -> None:
    assert native.narrow_matvec(torch.zeros(4, 3, dtype=torch.bfloat16), torch.zeros(3)) is None
    assert native.narrow_matvec(torch.zeros(4, 4), torch.zeros(4)) is None
    assert native.narrow_matvec(torch.zeros(4, 8, dtype=torch.bfloat16)[:, ::2], torch.zeros(4)) is None


def test_without_the_kernel_the_result_is_close(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, x = torch.randn(32, 16).to(torch.bfloat16), torch.randn(1, 16)
    expected = x @ weight.float().T
    monkeypatch.setattr(layers, "narrow_matvec", lambda weight, x: None)
    torch.testing.assert_close(layers.widened_linear(x, weight, None), expected, atol=0.1, rtol=0.05)


def test_loading_the_kernel_leaves_tiny_numbers_alone() -> None:
    native.narrow_matvec(torch.zeros(4, 8, dtype=torch.bfloat16), torch.zeros(8))
    assert float("5e-324") * 1.0 > 0.0
    assert (torch.tensor([1e-310], dtype=torch.float64) * 1.0).item() > 0.0


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 8, 128), (2, 21, 256), (3, 21, 64), (4, 64, 704)])
@torch.inference_mode()
def test_the_product_of_few_rows_equals_that_in_float32(count: int, rows: int, columns: int) -> None:
    weight, x = torch.randn(rows, columns).to(torch.bfloat16), torch.randn(count, columns).to(torch.bfloat16)
    found = layers.few_rows(x, weight)
    if found is None:  # only where it cannot be built
        assert not (HAS_COMPILER and "avx512_bf16" in PROCESSOR)
    else:
        torch.testing.assert_close(found.float(), x.float() @ weight.float().T, atol=1e-2, rtol=1e-2)


@torch.inference_mode()
def test_the_product_of_few_rows_declines_what_it_cannot_do() -> None:
    weight, x = torch.zeros(8, 256, dtype=torch.bfloat16), torch.zeros(1, 256, dtype=torch.bfloat16)
    assert layers.few_rows(x.float(), weight) is None
    assert layers.few_rows(x[:, :160], weight[:, :160].contiguous()) is None
    assert layers.few_rows(x[:, :128], weight[:, ::2]) is None
    assert layers.few_rows(x.expand(9, -1), weight) is None


@pytest.mark.parametrize("rows", [1, 8, 9])
@pytest.mark.parametrize("bias", [True, False])
def test_a_few_tokens_give_what_many_give_and_gradients_stay(rows: int, bias: bool) -> None:
    layer = layers.Linear(128, 32, bias=bias).to(torch.bfloat16)
    x = torch.randn(rows, 128).to(torch.bfloat16)
    trained = layer(x)
    assert trained.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), trained.detach(), atol=0.02, rtol=0.02)


@pytest.mark.parametrize("options", [{}, {"is_causal": True}])
def test_attention_stays_in_float32_under_autocast_on_a_cpu(options: dict[str, bool]) -> None:
    generator = torch.Generator().manual_seed(5)
    heads = 2 if options else 4
    q, k, v = (torch.randn(1, n, 6, 8, generator=generator) for n in (4, heads, heads))
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True, **options)
    with torch.autocast("cpu", torch.bfloat16):
        found = layers.attention(q, k, v, **options)
        assert (
            torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True, **options).dtype
            == torch.bfloat16
        )
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(layers.attention(q, k, v, **options), wanted)


@pytest.mark.parametrize("dim", [64, 80, 128])
@pytest.mark.parametrize(
    ("sequences", "heads", "key_heads", "queries", "keys", "is_causal"),
    [
        (3, 4, 4, 64, 64, False),
        (1, 2, 2, 700, 700, False),  # several blocks of keys and of queries
        (2, 4, 2, 33, 33, True),
        (1, 2, 1, 520, 800, True),
        (1, 4, 1, 7, 600, True),  # the first blocks are seen by all, the last by some
        (1, 2, 2, 1, 5, False),
        (1, 1, 1, 2200, 2300, True),  # tasks of 1,024 queries
    ],
)
def test_our_attention_is_as_near_as_pytorchs(
    dim: int, sequences: int, heads: int, key_heads: int, queries: int, keys: int, is_causal: bool
) -> None:
    generator = torch.Generator().manual_seed(dim + queries)
    q, k, v = (
        torch.randn(sequences, length, count, dim, generator=generator).bfloat16().transpose(1, 2)
        for length, count in ((queries, heads), (keys, key_heads), (keys, key_heads))
    )
    with torch.inference_mode():
        found = native.flash_attention(q, k, v, is_causal=is_causal)
        wanted = layers.attention(q.float(), k.float(), v.float(), is_causal=is_causal)
    if found is None:
        assert not (HAS_COMPILER and "avx512_bf16" in PROCESSOR)
    else:
        assert (found.float() - wanted).norm() < 0.003 * wanted.norm()
        torch.testing.assert_close(found.float(), wanted, atol=0.02, rtol=0.02)


def test_causal_queries_are_the_last_tokens() -> None:
    q, k, v = torch.randn(1, 2, 5, 8), torch.randn(1, 2, 9, 8), torch.randn(1, 2, 9, 8)
    whole = layers.attention(torch.cat((torch.zeros(1, 2, 4, 8), q), dim=2), k, v, is_causal=True)
    torch.testing.assert_close(layers.attention(q, k, v, is_causal=True), whole[:, :, 4:])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("shape", [(1, 3, 8), (5, 2, 16, 80), (7, 1, 6)])
def test_fused_rotation_and_gate_equal_the_plain_ones(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    x = (torch.randn(shape) * 20).to(dtype)
    x = x if len(shape) == 3 else torch.cat((x, x), dim=1)[:, : shape[1]]  # tokens further apart than they are long
    angles = torch.randn(shape[0], *(1,) * (len(shape) - 2), shape[-1] // 2)
    gate = torch.cat((x.flatten(), torch.tensor([0.0, -100.0, 100.0, -3e38, 3e38]).to(dtype)))[None]
    up = torch.randn_like(gate)
    rounding = {torch.bfloat16: 2**-7, torch.float32: 1e-6}[dtype]
    with torch.inference_mode():
        turned = layers.rotate(x, angles.cos(), angles.sin())
        gated = native.swiglu(gate.clone(), up)
        assert (native.rotate_heads(x, angles.cos(), angles.sin()) is not None) == (gated is not None) == HAS_COMPILER
        monkeypatch.setattr(layers, "rotate_heads", lambda *_: None)
        wanted = layers.rotate(x, angles.cos(), angles.sin())
    torch.testing.assert_close(turned, wanted, rtol=rounding, atol=1e-5 if dtype == torch.float32 else 1e-6)
    if gated is not None:
        exact = torch.nn.functional.silu(gate.double()) * up.double()
        lost = 1e-30 if dtype == torch.bfloat16 else 1e-12  # of exp(-x), whose error grows with x, where silu is 1e-8
        torch.testing.assert_close(gated.double(), exact.to(dtype).double(), rtol=rounding, atol=lost)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("weight_dtype", [torch.bfloat16, torch.float32])
def test_the_norm_in_c_is_that_of_pytorch_rounded_once(dtype: torch.dtype, weight_dtype: torch.dtype) -> None:
    norm = layers.RMSNorm(70).to(weight_dtype)
    torch.nn.init.normal_(norm.weight)
    x = (torch.randn(9, 70) * torch.logspace(-3, 3, 9)[:, None]).to(dtype)
    with torch.inference_mode():
        exact = torch.nn.functional.rms_norm(x.double(), (70,), norm.weight.to(dtype).double(), norm.eps).to(dtype)
        served = HAS_COMPILER and not (dtype == torch.bfloat16 and weight_dtype == torch.float32)
        assert (native.rms_norm(x, norm.weight, norm.eps) is not None) == served
        torch.testing.assert_close(norm(x), exact, rtol=2**-7 if dtype == torch.bfloat16 else 1e-6, atol=0)
    assert norm(x).requires_grad  # training takes PyTorch's


@pytest.mark.skipif(not HAS_COMPILER, reason="no C compiler here: PyTorch's passes are used")
def test_passes_in_c_give_a_row_the_same_with_any_rows_beside_it_and_any_number_of_threads() -> None:
    x, up, weight, angles = torch.randn(997, 70), torch.randn(997, 70), torch.randn(70), torch.randn(997, 35)
    passes = (
        lambda rows: native.rms_norm(x[rows].contiguous(), weight, 1e-6),
        lambda rows: native.swiglu(x[rows].clone(), up[rows].contiguous()),
        lambda rows: native.rotate_heads(x[rows], angles[rows].cos(), angles[rows].sin()),
    )
    threads = torch.get_num_threads()
    try:
        with torch.inference_mode():
            for made in passes:
                found = []
                for count in (1, 2, 3):
                    torch.set_num_threads(count)
                    found.append(made(slice(None)))
                for part, i in ((made(slice(i, i + 13)), i) for i in range(0, 997, 13)):
                    assert part is not None
                    assert all(torch.equal(part, whole[i : i + 13]) for whole in found if whole is not None)
    finally:
        torch.set_num_threads(threads)


def test_products_of_no_rows_are_empty() -> None:
    """A part of a long prompt after which no logits are asked."""
    narrow = layers.Linear(6, 4).bfloat16()
    quantized = QuantizedLinear(PackedWeight.of(torch.randn(4, 64), 8), None)
    assert narrow(torch.empty(0, 6)).shape == narrow(torch.empty(0, 6).bfloat16()).shape == (0, 4)
    assert quantized(torch.empty(0, 64)).shape == (0, 4)
