"""`quantize`: what is written loads as it was rounded, and a result that strays is refused."""

import json
from pathlib import Path

import pytest
import torch

from tests.conftest import random_model, small_config
from tests.doubles import small_processor
from viewfinder.errors import CheckpointError
from viewfinder.model import load_model, save_pretrained
from viewfinder.model.quantization import read_quantization
from viewfinder.model.quantize import is_quantized, layout_of, pack
from viewfinder.model.quantized import dequantize
from viewfinder.processor.processor import Processor
from viewfinder.recipes import quantize as recipe
from viewfinder.recipes.activation_scales import scale_by_activations
from viewfinder.recipes.quantize import compare, quantize, reference


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("origin")
    processor = small_processor(max_pixels=56 * 56)
    ids = {
        f"{name}_token_id": processor.tokenizer.token_id(f"<|{token}|>")
        for name, token in (
            *(("image", "image_pad"), ("video", "video_pad"), ("vision_start", "vision_start")),
            *(("vision_end", "vision_end"), ("bos", "endoftext"), ("eos", "im_end")),
        )
    }
    save_pretrained(random_model(small_config().model_copy(update=ids)), directory)
    processor.save_pretrained(directory)
    return directory


BOUNDS = {"int8": 1 / 126, "int4": 1 / 5, "fp8": 1 / 16, "gguf": 1 / 200, "gguf-q4_0": 1 / 7, "gguf-bf16": 1 / 256}
"""Largest error of a weight, in parts of the largest of its row."""


@pytest.mark.parametrize("kind", recipe.KINDS)
def test_each_kind_loads_near_what_it_was(origin: Path, tmp_path: Path, kind: str) -> None:
    quantize(str(origin), tmp_path / "out", kind, samples=2)
    before, after = load_model(origin), load_model(tmp_path / "out", dtype=torch.float32)
    assert after.config == before.config
    for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
        if is_quantized(name) and kind != "awq":  # whose weights carry scales
            most = BOUNDS[kind] * old.abs().amax(1, keepdim=True) * 1.02
            assert bool(((old - new).abs() <= most).all()), name
        elif not kind.startswith("gguf") and kind != "awq":
            assert torch.equal(old.to(torch.bfloat16).float(), new), name
    assert Processor.from_pretrained(tmp_path / "out").stamp == Processor.from_pretrained(origin).stamp


def test_the_loss_is_none_of_the_model_itself(origin: Path) -> None:
    model = load_model(origin)
    loss = compare(model, reference(model, Processor.from_pretrained(origin)))
    assert (loss.divergence, loss.likelihood, loss.agreement) == (0, 0, 1)
    assert loss.tokens > 100


def test_a_result_that_strays_is_refused(origin: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"strays .* nothing was written"):
        quantize(str(origin), tmp_path / "out", "int4", max_loss=0.0)
    assert not list(tmp_path.iterdir())
    loss = quantize(str(origin), tmp_path / "out", "int4", max_loss=100.0)
    assert loss is not None
    assert 0 < loss.divergence < 100
    assert load_model(tmp_path / "out").dtype == torch.bfloat16


def test_scales_move_and_the_product_stays(origin: Path) -> None:
    model, scaled = (load_model(origin) for _ in range(2))
    inputs = recipe.examples(Processor.from_pretrained(origin), 1, seed=5)[0]
    scale_by_activations(scaled, [inputs], 32)
    moved = [n for n, p in scaled.named_parameters() if not torch.equal(p, model.get_parameter(n))]
    assert moved
    assert not [name for name in moved if name.startswith("visual.") or name == "model.norm.weight"]
    assert torch.allclose(model(inputs), scaled(inputs), rtol=1e-3, atol=1e-3)


def test_words_by_hand() -> None:
    assert pack(torch.arange(1, 9)[None], 4).tolist() == [[0x87654321 - (1 << 32)]]
    assert pack(torch.tensor([[1, 2, 3, 4]]), 8).tolist() == [[0x04030201]]


def test_awq_files_hold_what_was_rounded(origin: Path, tmp_path: Path) -> None:
    layout = layout_of("awq", {64, 96}, torch.bfloat16)
    weight = torch.linspace(-1, 1, 64 * 8).view(8, 64)
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": layout.config()}))
    quantization = read_quantization(tmp_path)
    assert quantization is not None
    parts = {f"layer.{part}": tensor for part, tensor in layout.layer(weight).items()}
    assert (dequantize(parts, quantization)["layer.weight"].float() - weight).abs().max() < 1 / 28


def test_widths_that_no_group_divides() -> None:
    with pytest.raises(CheckpointError, match="use int8 or fp8"):
        layout_of("int4", {64, 40}, torch.bfloat16)
