"""Quantised checkpoints give the weights that their own tools read from them, layer by layer and as a whole model."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.conftest import random_model, small_config
from viewfinder.errors import CheckpointError
from viewfinder.model import load_model, save_pretrained
from viewfinder.model.quantization import Quantization
from viewfinder.model.quantized import dequantize, unpack
from viewfinder.model.quantized_linear import PackedWeight, QuantizedLinear

PackedLayer = dict[str, Tensor]


def read(parts: PackedLayer, method: str, **settings: object) -> Tensor:
    named = {f"layer.{part}": tensor for part, tensor in parts.items()}
    return dequantize(named, Quantization(method, settings, torch.float32))["layer.weight"]


def words(numbers: list[int], bits: int) -> list[int]:
    """One long number with the first lowest, cut into signed words of 32 bits."""
    whole = sum(number << (bits * i) for i, number in enumerate(numbers))
    cut = [(whole >> (32 * i)) & 0xFFFFFFFF for i in range(-(-len(numbers) * bits // 32))]
    return [word - (1 << 32) if word >= 1 << 31 else word for word in cut]


def pack(rows: Tensor, bits: int) -> Tensor:
    return torch.tensor([words(row.tolist(), bits) for row in rows], dtype=torch.int32)


@given(st.sampled_from([2, 3, 4, 8]), st.lists(st.integers(0, 255), min_size=32, max_size=32))
def test_numbers_come_out_as_they_were_packed(bits: int, numbers: list[int]) -> None:
    kept = [number % (1 << bits) for number in numbers]
    assert unpack(torch.tensor(words(kept, bits), dtype=torch.int32), bits, 32).tolist() == kept


def test_awq_by_hand() -> None:
    """One input, eight outputs. Four bits hold outputs 0, 2, 4, 6, 1, 3, 5, 7 from the lowest on."""
    parts = {
        "qweight": torch.tensor([[0x75316420]], dtype=torch.int32),
        "qzeros": torch.tensor([[0x11111111]], dtype=torch.int32),
        "scales": torch.tensor([[1.0, 2, 1, 1, 1, 1, 1, 0.5]], dtype=torch.float16),
    }
    assert read(parts, "awq", group_size=1).flatten().tolist() == [-1, 0, 1, 2, 3, 4, 5, 3]


@pytest.mark.parametrize(("stored", "format", "zero"), [(7, "gptq", 8), (15, "gptq", 0), (7, "gptq_v2", 7)])
def test_gptq_by_hand(stored: int, format: str, zero: int) -> None:
    """Eight inputs, eight outputs, one group; the first format stores the zero point less one."""
    q = torch.arange(8).repeat(8, 1)
    parts = {
        "qweight": pack(q, 4).T.contiguous(),
        "qzeros": pack(torch.full((1, 8), stored), 4),
        "scales": torch.full((1, 8), 0.5, dtype=torch.float16),
    }
    expected = (torch.arange(8) - zero) * 0.5
    assert torch.equal(read(parts, "gptq", bits=4, group_size=8, checkpoint_format=format), expected.repeat(8, 1))


def awq_layer(q: Tensor, zero: Tensor, scale: Tensor) -> PackedLayer:
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    packed = [pack(x.T.reshape(-1, 8)[:, order], 4).view(x.shape[1], -1) for x in (q, zero)]
    return {"qweight": packed[0], "qzeros": packed[1], "scales": scale.T.contiguous()}


def gptq_layer(q: Tensor, zero: Tensor, scale: Tensor, bits: int = 4) -> PackedLayer:
    return {
        "qweight": pack(q, bits).T.contiguous(),
        "qzeros": pack((zero.T - 1) % (1 << bits), bits),
        "scales": scale.T.contiguous(),
        "g_idx": torch.arange(q.shape[1], dtype=torch.int32) // (q.shape[1] // zero.shape[1]),
    }


def packed_layer(q: Tensor, zero: Tensor, scale: Tensor) -> PackedLayer:
    return {
        "weight_packed": pack(q, 4),
        "weight_zero_point": pack(zero.T, 4).T.contiguous(),
        "weight_scale": scale,
        "weight_shape": torch.tensor(q.shape),
    }


Layout = Callable[[Tensor, Tensor, Tensor], PackedLayer]
LAYOUTS: list[tuple[str, Layout, dict[str, object]]] = [
    ("awq", awq_layer, {"bits": 4, "group_size": 32, "version": "gemm", "zero_point": True}),
    ("gptq", gptq_layer, {"bits": 4, "group_size": 32, "desc_act": False}),
    ("compressed-tensors", packed_layer, {"format": "pack-quantized"}),
]


@pytest.mark.parametrize(("method", "layout", "settings"), LAYOUTS, ids=[name for name, *_ in LAYOUTS])
def test_a_whole_checkpoint(tmp_path: Path, method: str, layout: Layout, settings: dict[str, object]) -> None:
    """Linear layers of the language model are packed, the tower is left as it is; both load as they are meant."""
    model = random_model(small_config())
    save_pretrained(model, tmp_path)
    state, expected = load_file(tmp_path / "model.safetensors"), dict(model.named_parameters())
    torch.manual_seed(0)
    for name in [n for n in state if "proj.weight" in n and n.startswith("model.layers")]:
        rows, columns = state.pop(name).shape
        q, zero = torch.randint(16, (rows, columns)), torch.randint(16, (rows, columns // 32))
        scale = torch.rand(rows, columns // 32).half() * 0.01
        state |= {f"{name.removesuffix('weight')}{part}": t for part, t in layout(q, zero, scale).items()}
        each = torch.arange(columns) // 32
        expected[name] = torch.nn.Parameter((q - zero[:, each]) * scale.float()[:, each])
    save_file(state, tmp_path / "model.safetensors")
    raw = json.loads((tmp_path / "config.json").read_text())
    raw |= {"torch_dtype": "float32", "quantization_config": {"quant_method": method, **settings}}
    (tmp_path / "config.json").write_text(json.dumps(raw))
    loaded = dict(load_model(tmp_path).named_parameters())
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in expected.items())
    kept = load_model(tmp_path, dtype=torch.int8)  # what has four bits keeps them, the rest gets eight
    for name, module in kept.named_modules():
        if isinstance(module, QuantizedLinear) and "layers" in name:
            assert module.bits == 4
            found = module.packed.widen(slice(0, module.shape[0]), torch.float32)
            assert torch.equal(found, expected[f"{name}.weight"]), name
    assert isinstance(kept.visual.blocks[0].attn.qkv, QuantizedLinear)
    assert kept.visual.blocks[0].attn.qkv.bits == 8


@pytest.mark.parametrize("groups", [4, 1])
def test_numbers_stay_packed_in_any_order_of_groups(groups: int) -> None:
    generator = torch.Generator().manual_seed(groups)
    q, zero = torch.randint(16, (8, 128), generator=generator), torch.randint(1, 16, (8, groups), generator=generator)
    parts = gptq_layer(q, zero, torch.rand(8, groups, generator=generator).half() + 0.1)
    parts["g_idx"] = parts["g_idx"][torch.randperm(128, generator=generator)]
    quantization = Quantization("gptq", {"bits": 4, "group_size": 128 // groups}, torch.float32)
    kept: dict[str, PackedWeight] = {}
    assert dequantize({f"layer.{part}": t for part, t in parts.items()}, quantization, kept) == {}
    found = kept["layer.weight"].widen(slice(0, 8), torch.float32)
    assert torch.equal(found, read(parts, "gptq", bits=4, group_size=128 // groups))
    x = torch.randn(2, 128, generator=generator)
    torch.testing.assert_close(QuantizedLinear(kept["layer.weight"])(x), x @ found.T, atol=0.02, rtol=0.002)


def test_groups_of_other_sizes_and_other_bits_are_widened() -> None:
    for parts, method, settings in (
        (
            gptq_layer(torch.randint(8, (8, 64)), torch.ones(8, 2).long(), torch.ones(8, 2).half(), 3),
            "gptq",
            {"bits": 3},
        ),
        (awq_layer(torch.randint(16, (8, 48)), torch.ones(8, 3).long(), torch.ones(8, 3).half()), "awq", {}),
    ):
        group = parts["scales"].shape[0]
        settings = {**settings, "group_size": 64 // 2 if method == "gptq" else 48 // group}
        kept: dict[str, PackedWeight] = {}
        plain = dequantize(
            {f"layer.{n}": t for n, t in parts.items()}, Quantization(method, settings, torch.float32), kept
        )
        assert not kept
        assert torch.equal(plain["layer.weight"], read(parts, method, **settings))


def test_inputs_in_the_order_of_their_activations() -> None:
    """Act-order: `g_idx` says whose scale an input has, in any order."""
    q = torch.tensor([[3, 4, 5, 6, 7, 8, 9, 10]]).repeat(8, 1)
    parts = gptq_layer(q, torch.zeros(8, 2, dtype=torch.long), torch.tensor([[1.0, 10.0]]).repeat(8, 1).half())
    parts["g_idx"] = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1], dtype=torch.int32)
    assert read(parts, "gptq", bits=4, group_size=4)[0].tolist() == [3, 40, 5, 60, 7, 80, 9, 100]


@pytest.mark.parametrize("scale", [torch.tensor([2.0]), torch.full((6, 1), 2.0), torch.full((6, 4), 2.0)])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8])
def test_one_scale_one_an_output_or_one_a_group(scale: Tensor, dtype: torch.dtype) -> None:
    weight = torch.arange(-48, 48).view(6, 16)
    parts = {"weight": weight.to(dtype), "weight_scale": scale, "input_scale": torch.ones(1)}
    assert torch.equal(read(parts, "compressed-tensors"), weight.to(dtype).float() * 2)


def test_blocks_of_128_of_which_the_last_is_cut() -> None:
    weight = torch.ones(130, 200).to(torch.float8_e4m3fn)
    found = read({"weight": weight, "weight_scale_inv": torch.tensor([[1.0, 2], [3, 4]])}, "fp8")
    assert [found[0, 0], found[0, 199], found[129, 0], found[129, 199]] == [1, 2, 3, 4]


def test_bitsandbytes_by_hand() -> None:
    state = {"quant_type": "nf4", "blocksize": 2, "shape": [2, 2], "dtype": "float32"}
    parts = {
        "weight": torch.tensor([[0x12], [0x30]], dtype=torch.uint8),
        "weight.absmax": torch.tensor([10.0, 100.0]),
        "weight.quant_map": torch.arange(16.0) / 10,
        "weight.quant_state.bitsandbytes__nf4": torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8),
    }
    torch.testing.assert_close(read(parts, "bitsandbytes"), torch.tensor([[1.0, 2.0], [30.0, 0.0]]))
    rows = {"weight": torch.tensor([[127, -127]], dtype=torch.int8), "SCB": torch.tensor([0.5])}
    assert read(rows, "bitsandbytes").tolist() == [[0.5, -0.5]]


def test_a_layer_that_lacks_a_part_is_named() -> None:
    parts = {"qweight": torch.zeros(8, 1, dtype=torch.int32), "scales": torch.ones(1, 8)}
    with pytest.raises(CheckpointError, match=r"layer is no layer of awq \(qweight \[8, 1\], scales \[1, 8\].*qzeros"):
        read(parts, "awq", group_size=8)


@pytest.mark.parity
@pytest.mark.parametrize("nested", [False, True])
def test_as_bitsandbytes_reads_it(nested: bool) -> None:
    functional = pytest.importorskip("bitsandbytes.functional")
    torch.manual_seed(0)
    packed, state = functional.quantize_4bit(torch.randn(96, 64), quant_type="nf4", compress_statistics=nested)
    parts = {"weight": packed} | {f"weight.{name}": t for name, t in state.as_dict(packed=True).items()}
    torch.testing.assert_close(
        read(parts, "bitsandbytes"), functional.dequantize_4bit(packed, state), rtol=0, atol=1e-7
    )


@pytest.mark.parity
@pytest.mark.parametrize("symmetric", [True, False])
def test_as_compressed_tensors_reads_it(symmetric: bool) -> None:
    compressors = pytest.importorskip("compressed_tensors.compressors.pack_quantized.helpers")
    torch.manual_seed(0)
    q, zero = torch.randint(-8, 8, (64, 256)), torch.randint(-8, 8, (64, 2))
    scale = torch.rand(64, 2)
    parts = {
        "weight_packed": compressors.pack_to_int32(q.to(torch.int8), 4),
        "weight_scale": scale,
        "weight_shape": torch.tensor(q.shape),
    }
    if not symmetric:
        parts["weight_zero_point"] = compressors.pack_to_int32(zero.to(torch.int8), 4, packed_dim=0)
    each = torch.arange(256) // 128
    expected = (q - (0 if symmetric else zero[:, each])) * scale[:, each]
    assert torch.equal(read(parts, "compressed-tensors"), expected)
