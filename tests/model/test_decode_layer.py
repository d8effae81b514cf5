"""A decoding step's layer in C gives what the layer gives, with any weights, and never with old ones."""

import copy
import ctypes
import pickle
import platform
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.model.test_layers import HAS_COMPILER
from viewfinder.config import OFFICIAL_SIZES, TextConfig
from viewfinder.model import Chunk, KVCache, native, qwen2_5_vl
from viewfinder.model.layers import Linear
from viewfinder.model.lora import add_adapters
from viewfinder.model.native_quantized import PackedMatrix
from viewfinder.model.quantized_linear import PackedWeight, put_packed
from viewfinder.model.qwen2_5_vl import TextModel

CONFIG = OFFICIAL_SIZES["3B"].text.model_copy(
    update={
        "hidden_size": 256,
        "intermediate_size": 384,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 8,
        "mrope_section": (8, 12, 12),
    }
)
PAST = 21


def text_model(bits: int, config: TextConfig = CONFIG) -> TextModel:
    torch.manual_seed(bits)
    model = TextModel(config).requires_grad_(False).to(torch.bfloat16)
    for name, layer in [*model.named_modules()]:
        if isinstance(layer, Linear):
            nn.init.normal_(layer.weight, std=0.06)
        if isinstance(layer, Linear) and bits < 16:
            put_packed(model, f"{name}.weight", packed(layer.weight, bits))
    return model


def packed(weight: torch.Tensor, bits: int) -> PackedWeight:
    """Four bits have zero points here, in groups of 64."""
    if bits == 8:
        return PackedWeight.of(weight, 8)
    groups = weight.float().unflatten(1, (-1, 64))
    low, high = groups.aminmax(dim=-1)
    scales = ((high - low) / 15).half()
    zeros = (-low / scales.float()).round().clamp(0, 15)
    numbers = (groups / scales.float()[..., None] + zeros[..., None]).round().clamp(0, 15).flatten(1)
    return PackedWeight.pack(numbers.to(torch.uint8), scales, zeros.to(torch.uint8), bits=4)


def wide_copy(model: TextModel) -> TextModel:
    """The same weights in float32."""
    made = copy.deepcopy(model)
    for name, layer in [*made.named_modules()]:
        if (found := getattr(layer, "packed", None)) is not None:
            linear = Linear(found.shape[1], found.shape[0], bias=layer.bias is not None)
            linear.weight.data, linear.bias = found.widen(slice(0, found.shape[0]), torch.float32), layer.bias
            made.set_submodule(name, linear)
    return made.float()


@torch.inference_mode()
def step(model: TextModel, count: int, dtype: torch.dtype, kv_dtype: torch.dtype | None = None) -> torch.Tensor:
    """`count` tokens after a past of 21."""
    generator = torch.Generator().manual_seed(count)
    tokens = torch.randn(PAST + count, model.config.hidden_size, generator=generator).to(dtype)
    positions = torch.arange(PAST + count).expand(3, -1)
    cache = KVCache(model.config, num_blocks=4, dtype=kv_dtype or dtype)
    model(tokens[:PAST], positions[:, :PAST], [PAST], cache.view([Chunk(range(4), 0, PAST)]))
    return model(tokens[PAST:], positions[:, PAST:], [count], cache.view([Chunk(range(4), PAST, count)]))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("bits", "dtype"),
    [(16, torch.bfloat16), (8, torch.bfloat16), (4, torch.bfloat16)] + [(b, torch.float32) for b in (8, 4)],
)
def test_the_layer_in_c_is_as_near_to_float32_as_pytorchs(
    bits: int, dtype: torch.dtype, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = text_model(bits)
    model = model.float() if dtype == torch.float32 else model
    wanted = step(wide_copy(model), count, torch.float32)
    given = step(model, count, dtype)
    assert bool(model._decoding) == HAS_COMPILER
    monkeypatch.setattr(qwen2_5_vl, "MAX_ROWS", 0)
    plain = step(model, count, dtype)
    ours, theirs = (float((x.float() - wanted).norm() / wanted.norm()) for x in (given, plain))
    assert ours < (1e-3 if dtype == torch.float32 else max(0.01, 1.2 * theirs))


@pytest.mark.skipif(not HAS_COMPILER, reason="no compiler")
@pytest.mark.parametrize("bits", [16, 8, 4])
@torch.inference_mode()
def test_other_sequences_of_a_step_change_no_bit(bits: int) -> None:
    model, tokens = text_model(bits), torch.randn(9, CONFIG.hidden_size).bfloat16()
    cache = KVCache(CONFIG, num_blocks=9, dtype=torch.bfloat16)
    for memory in cache.layers:
        memory.normal_()
    chunks, positions = [Chunk([8 - i], i, 1) for i in range(9)], torch.arange(9).expand(3, -1)
    together = model(tokens, positions, [1] * 9, cache.view(chunks))
    assert model._decoding
    for i in range(9):
        alone = model(tokens[i : i + 1], positions[:, i : i + 1], [1], cache.view(chunks[i : i + 1]))
        assert torch.equal(alone[0], together[i])


@pytest.mark.parametrize("widths", [(512, 128), (192, 320), (576, 704)])
def test_widths(widths: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed-forward layer narrower than half the model has room for its output; multiples of 64."""
    hidden, middle = widths
    sizes = {"hidden_size": hidden, "num_attention_heads": hidden // 64, "intermediate_size": middle}
    model = text_model(16, CONFIG.model_copy(update=sizes | {"num_key_value_heads": 1}))
    wanted, given = step(wide_copy(model), 4, torch.float32), step(model, 4, torch.bfloat16)
    assert bool(model._decoding) == HAS_COMPILER
    monkeypatch.setattr(qwen2_5_vl, "MAX_ROWS", 0)
    plain = step(model, 4, torch.bfloat16)
    ours, theirs = (float((x.float() - wanted).norm() / wanted.norm()) for x in (given, plain))
    assert ours < max(0.01, 1.2 * theirs)


def test_keys_in_eight_bits_and_a_token_that_is_kept() -> None:
    model = text_model(16)
    exact = step(model, 1, torch.bfloat16)
    near = step(model, 1, torch.bfloat16, torch.int8)
    assert 0 < float((near.float() - exact.float()).norm() / exact.float().norm()) < 0.03
    assert torch.equal(step(model, 1, torch.bfloat16), exact)


def test_new_weights_are_read() -> None:
    model = text_model(16)
    first = step(model, 1, torch.bfloat16)
    layer = model.layers[1]
    layer.mlp.up_proj.weight.mul_(3)  # in place, as a training step does
    in_place = step(model, 1, torch.bfloat16)
    layer.self_attn.q_proj.bias = nn.Parameter(layer.self_attn.q_proj.bias + 2, requires_grad=False)
    biased = step(model, 1, torch.bfloat16)
    layer.mlp.down_proj.weight = nn.Parameter(-layer.mlp.down_proj.weight, requires_grad=False)
    replaced = step(model, 1, torch.bfloat16)
    put_packed(model, "layers.0.mlp.up_proj.weight", PackedWeight.of(model.layers[0].mlp.up_proj.weight * 2, 8))
    assert model._decoding
    mixed = step(model, 1, torch.bfloat16)  # gate and up of different kinds are for PyTorch
    assert not model._decoding
    found = [first, in_place, biased, replaced, mixed]
    for state, (before, after) in enumerate(pairwise(found)):
        assert not torch.allclose(before, after, atol=1e-3), state
    torch.testing.assert_close(mixed.float(), step(wide_copy(model), 1, torch.float32), atol=0.2, rtol=0.1)


@pytest.mark.parametrize("bits", [16, 8])
def test_a_model_that_was_moved_is_served(bits: int) -> None:
    model = text_model(bits)
    before = step(model, 1, torch.bfloat16)
    model.to(torch.float32).to(torch.bfloat16)
    assert torch.equal(step(model, 1, torch.bfloat16), before)
    assert bool(model._decoding) == HAS_COMPILER


def test_adapters_and_copies_are_served() -> None:
    model = text_model(16)
    before = step(model, 1, torch.bfloat16)
    twin = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    assert torch.equal(step(twin, 1, torch.bfloat16), before)
    add_adapters(model, 2, 4.0, ["o_proj"], within="layers.")  # type: ignore[arg-type]
    for layer in model.layers:
        layer.self_attn.o_proj.lora_A.data.fill_(0.3), layer.self_attn.o_proj.lora_B.data.fill_(0.2)
    assert not torch.allclose(step(model, 1, torch.bfloat16), before, atol=1e-2)
    assert torch.equal(step(twin, 1, torch.bfloat16), before)


@pytest.mark.skipif(not HAS_COMPILER, reason="no compiler")
@pytest.mark.parametrize("flags", [["-DPLAIN"], ["-march=native", "-mno-avx512bf16"]], ids=["plain", "no bfloat16"])
@pytest.mark.parametrize("narrow", [True, False])
def test_other_processors_give_the_same(flags: list[str], narrow: bool, tmp_path: Path) -> None:
    """The same source for processors without products of bytes, or of bfloat16."""
    if "-DPLAIN" not in flags and platform.machine() != "x86_64":
        pytest.skip("a flag of another compiler")
    library = tmp_path / "few_rows.so"
    source = Path(native.__file__).with_name("few_rows.c")
    command = ["cc", "-O1", *flags, "-fopenmp", "-shared", "-fPIC", "-o", str(library), str(source), "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    multiply = ctypes.CDLL(str(library)).quantized_rows
    multiply.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_long] * 3
    generator = torch.Generator().manual_seed(1)
    weights = {columns: torch.randn(21, columns, generator=generator).bfloat16() for columns in (640, 704)}
    for bits, columns in ((16, 640), (16, 704), (8, 640), (4, 640)):
        weight, x = weights[columns], torch.randn(3, columns).bfloat16()
        x = x if narrow else x.float()
        one = packed(weight, bits) if bits < 16 else None
        matrix = PackedMatrix(weight, None, None, 16) if one is None else one.matrix
        value = weight.float() if one is None else one.widen(slice(0, 21), torch.float32)
        out = torch.full((3, 21), torch.nan)
        multiply(ctypes.byref(matrix), x.data_ptr(), out.data_ptr(), 3, columns, not narrow)
        torch.testing.assert_close(out, x.float() @ value.T, rtol=2e-3, atol=2e-2)
