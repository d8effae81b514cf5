"""Weights that stay in few bits: the product equals that with the widened weight, and that is what was packed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from viewfinder.model import native, quantized_linear
from viewfinder.model.quantized_linear import (
    PackedWeight,
    QuantizedEmbedding,
    QuantizedLinear,
    byte_product,
    multiplies_bytes,
    round_inputs,
)

FIXED_POINT = 2**-13
"""The kernel's rounding of an input, to the largest of 128 neighbours."""


def random_packed(
    generator: torch.Generator, rows: int, groups: int, group: int, bits: int, *, zeros: bool, order: bool
) -> tuple[PackedWeight, torch.Tensor]:
    """A weight as a file might hold it, and its value by the definition."""
    columns = groups * group
    low, high = (0, 16) if bits == 4 else (-128, 128)
    numbers = torch.randint(low, high, (rows, columns), generator=generator)
    scales = (torch.rand(rows, groups, generator=generator) + 0.01).half()
    zero = torch.randint(0, 16, (rows, groups), generator=generator) if zeros else None
    permutation = torch.randperm(columns, generator=generator) if order else None
    middle = torch.tensor(8 if bits == 4 else 0) if zero is None else zero.repeat_interleave(group, 1)
    value = (numbers - middle).float() * scales.float().repeat_interleave(group, 1)
    if permutation is not None:
        value = value[:, permutation.argsort()]
    stored = numbers.to(torch.int8).view(torch.uint8)
    return PackedWeight.pack(stored, scales, zero, bits=bits, order=permutation), value


@settings(max_examples=10, deadline=None)
@given(st.data())
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("bits", "group"), [(4, 32), (4, 64), (4, 128), (4, 256), (4, 0), (8, 128), (8, 256), (8, 0)])
def test_the_product_equals_that_of_the_value(bits: int, group: int, compiled: bool, data: st.DataObject) -> None:
    groups = data.draw(st.integers(2, 9)) if group else 1
    group = group or data.draw(st.integers(1, 300))  # one scale a row: any number of inputs
    rows, count = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 14))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**31)))
    packed, value = random_packed(
        generator,
        rows,
        groups,
        group,
        bits,
        zeros=bits == 4 and data.draw(st.booleans()),
        order=data.draw(st.booleans()),
    )
    dtype = data.draw(st.sampled_from([torch.float32, torch.bfloat16]))
    x = torch.randn(count, value.shape[1], generator=generator).to(dtype)
    bias = torch.nn.Parameter(torch.randn(rows, generator=generator).to(dtype), requires_grad=False)
    with pytest.MonkeyPatch.context() as patch:
        if not compiled:
            patch.setattr(native, "library", lambda: None)
        widened = packed.widen(slice(0, rows), torch.float32)
        torch.testing.assert_close(widened, value, rtol=1e-6, atol=0)
        torch.testing.assert_close(packed.widen(slice(0, rows), torch.bfloat16), value.bfloat16(), rtol=0, atol=0)
        found = QuantizedLinear(packed, bias)(x)
    assert found.dtype == dtype
    exact = F.linear(x.float(), value, bias.float())
    size = F.linear(x.float().abs(), value.abs())  # what rounding weight and product changes is a part of this
    allowed = size * (FIXED_POINT if dtype == torch.float32 else 2**-7) + exact.abs() * 2**-8 * (dtype != torch.float32)
    largest = x.float().abs().amax(1, keepdim=True) * value.abs().sum(1) * 2**-14
    assert ((found.float() - exact).abs() <= allowed + largest + 1e-4).all()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("columns", [1, 31, 32, 100, 3420])
def test_rounding_to_nearest(bits: int, columns: int) -> None:
    weight = torch.randn(5, columns, generator=torch.Generator().manual_seed(columns))
    weight[1] = 0
    packed = PackedWeight.of(weight, bits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: None)
        by_torch = PackedWeight.of(weight, bits)
    assert torch.equal(packed.numbers, by_torch.numbers)
    assert torch.equal(packed.scales, by_torch.scales)
    found = packed.widen(slice(0, 5), torch.float32)
    assert found.shape == weight.shape
    assert (found[1] == 0).all()
    for row in (0, 2, 3, 4):
        for at in range(0, columns, 32 if bits == 4 else columns):
            group = weight[row, at : at + 32 if bits == 4 else columns]
            step = group.abs().max() / (8 if bits == 4 else 127) * 1.001
            # half a step; the number +8 does not exist in four bits, so the far end may miss by a whole one
            assert ((found[row, at : at + len(group)] - group).abs() <= step * (1.0 if bits == 4 else 0.501)).all()


def test_an_embedding_looks_up_what_the_projection_multiplies() -> None:
    weight = torch.randn(40, 64)
    table = QuantizedLinear(PackedWeight.of(weight, 8))
    ids = torch.tensor([[3, 3], [39, 0]])
    found = QuantizedEmbedding(table)(ids)
    torch.testing.assert_close(found, table(torch.eye(64)).T[ids], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found, weight[ids], rtol=0, atol=0.02)


def test_changing_the_dtype_of_a_module_leaves_the_weights_alone() -> None:
    layer = QuantizedLinear(PackedWeight.of(torch.randn(8, 64), 4), torch.nn.Parameter(torch.randn(8)))
    x = torch.randn(2, 64)
    before = layer(x)
    narrow = layer.to(torch.bfloat16)
    assert narrow.numbers.dtype == torch.uint8
    assert narrow.scales.dtype == torch.int16
    torch.testing.assert_close(narrow(x), before, rtol=0.02, atol=0.02)


def test_gradients_of_the_input_are_those_of_the_widened_weight() -> None:
    packed = PackedWeight.of(torch.randn(8, 64), 4)
    x = torch.randn(2, 64, requires_grad=True)
    QuantizedLinear(packed)(x).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, packed.widen(slice(0, 8), torch.float32).sum(0).expand(2, -1))


@pytest.mark.parametrize(
    ("bits", "columns", "groups", "scale", "message"),
    [
        (4, 96, 2, 0.1, "groups of 48"),
        (8, 128, 2, 0.1, "groups of 64"),
        (4, 64, 2, 1e-9, "half precision"),
        (4, 64, 2, 1e6, "half precision"),
    ],
)
def test_what_no_kernel_serves_is_refused(bits: int, columns: int, groups: int, scale: float, message: str) -> None:
    numbers = torch.zeros(2, columns, dtype=torch.uint8)
    with pytest.raises(ValueError, match=message):
        PackedWeight.pack(numbers, torch.full((2, groups), scale), bits=bits)


def test_blocks_of_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantized_linear, "_BLOCK", 1024)  # eight rows, the last block five
    packed = PackedWeight.of(torch.randn(21, 128), 8)
    x = torch.randn(20, 128)
    torch.testing.assert_close(QuantizedLinear(packed)(x), x @ packed.widen(slice(0, 21), torch.float32).T)


def rounding(layer: QuantizedLinear, bits: int = 8) -> QuantizedLinear:
    round_inputs(layer)
    assert layer.rounds_inputs == (bits == 8)
    return layer


def inputs_with_outliers(count: int, columns: int) -> torch.Tensor:
    """As in language models: a few inputs are a hundred times as large as the rest, in all tokens."""
    x = torch.randn(count, columns, generator=torch.Generator().manual_seed(count))
    x[:, :: max(1, columns // 5)] *= 100
    return x


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("count", "rows", "columns"), [(13, 5, 300), (40, 70, 1100), (17, 3, 20)])
def test_inputs_in_eight_bits(
    compiled: bool, dtype: torch.dtype, count: int, rows: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Holds for processors without products of bytes too, where inputs are not rounded."""
    if not compiled:
        monkeypatch.setattr(native, "library", lambda: None)
    weight, bias = torch.randn(rows, columns), torch.nn.Parameter(torch.randn(rows).to(dtype), requires_grad=False)
    packed, x = PackedWeight.of(weight, 8), inputs_with_outliers(count, columns).to(dtype)
    found = rounding(QuantizedLinear(packed, bias))(x)
    assert found.dtype == dtype
    value = packed.widen(slice(0, rows), torch.float32)
    exact = F.linear(x.float(), value, bias.float())
    rest = x.float().abs().sort(dim=1).values[:, : max(1, columns - 32)]  # the outliers are not rounded
    step = rest.amax(1, keepdim=True) / 127
    allowed = step / 2 * value.abs().sum(1) + exact.abs() * 2**-8
    narrow = 2**-7 * F.linear(x.float().abs(), value.abs()) * (dtype != torch.float32)
    assert ((found.float() - exact).abs() <= allowed + narrow + 1e-3).all()


@pytest.mark.skipif(not multiplies_bytes(torch.device("cpu")), reason="no products of bytes: PyTorch's may saturate")
def test_the_kernels_around_a_product_of_bytes_do_what_pytorch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    packed, x = PackedWeight.of(torch.randn(70, 1100), 8), inputs_with_outliers(40, 1100)
    found = byte_product(x, packed, None)
    monkeypatch.setattr(native, "library", lambda: None)
    torch.testing.assert_close(byte_product(x, packed, None), found, rtol=1e-5, atol=1e-3)


def test_inputs_stay_in_full_for_few_tokens_four_bits_and_gradients() -> None:
    weight = torch.randn(6, 256)
    four = rounding(QuantizedLinear(PackedWeight.of(weight, 4)), bits=4)
    assert torch.equal(four(torch.ones(20, 256)), QuantizedLinear(PackedWeight.of(weight, 4))(torch.ones(20, 256)))
    layer = QuantizedLinear(PackedWeight.of(weight, 8))
    x = torch.randn(2, 256)
    many = torch.randn(20, 256, requires_grad=True)
    few, exact = layer(x), layer(many)
    rounding(layer)
    assert torch.equal(layer(x), few)
    assert torch.equal(layer(many), exact)
    with torch.no_grad():
        assert torch.equal(layer(many), exact) != multiplies_bytes(torch.device("cpu"))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("count", [1, 5])
def test_rows_that_are_longer_than_the_nearest_cache(bits: int, count: int) -> None:
    """Of 6,000 inputs: these go four rows at a time, and seven rows leave three over."""
    generator = torch.Generator().manual_seed(bits)
    packed = PackedWeight.of(torch.randn(7, 6000, generator=generator), bits)
    x = torch.randn(count, 6000, generator=generator)
    value = packed.widen(slice(0, 7), torch.float32)
    allowed = FIXED_POINT * F.linear(x.abs(), value.abs()) + x.abs().amax(1, keepdim=True) * value.abs().sum(1) * 2**-14
    assert ((QuantizedLinear(packed)(x) - F.linear(x, value)).abs() <= allowed + 1e-3).all()
