"""Checkpoint directories: there and back, both generations of names, and every way in which one can be wrong."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import random_model, small_config
from viewfinder.config import ModelConfig
from viewfinder.errors import CheckpointError
from viewfinder.inputs import ModelInputs
from viewfinder.model import Qwen2_5_VL, load_model, save_pretrained
from viewfinder.model.quantized_linear import QuantizedLinear


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("max_shard_bytes", [2**30, 20_000])
def test_save_then_load_is_identical(tmp_path: Path, tied: bool, max_shard_bytes: int) -> None:
    model = random_model(small_config(tied=tied))
    save_pretrained(model, tmp_path, max_shard_bytes=max_shard_bytes)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1 or max_shard_bytes == 20_000
    again = load_model(tmp_path)
    assert again.config == model.config
    for (name, old), (other, new) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(old, new)


def test_saving_over_a_sharded_checkpoint_leaves_no_stale_files(tmp_path: Path, model: Qwen2_5_VL) -> None:
    save_pretrained(model, tmp_path, max_shard_bytes=20_000)
    save_pretrained(model, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_weights_may_be_read_by_other_users_as_the_config_may(tmp_path: Path, model: Qwen2_5_VL) -> None:
    save_pretrained(model, tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o044 == 0o044


def test_later_prefixes_are_read(tmp_path: Path, model: Qwen2_5_VL) -> None:
    save_pretrained(model, tmp_path)
    renamed = {}
    for name, tensor in load_file(tmp_path / "model.safetensors").items():
        renamed[
            f"model.{name}" if name.startswith("visual.") else name.replace("model.", "model.language_model.", 1)
        ] = tensor
    save_file(renamed, tmp_path / "model.safetensors")
    assert torch.equal(load_model(tmp_path).visual.merger.ln_q.weight, model.visual.merger.ln_q.weight)


def test_nested_and_flat_configs_mean_the_same(config: ModelConfig) -> None:
    flat = config.to_dict()
    text_keys = [k for k in flat if k in type(config.text).model_fields and k != "tie_word_embeddings"]
    nested = {k: v for k, v in flat.items() if k not in text_keys and k != "rope_scaling"}
    nested["text_config"] = {k: flat[k] for k in text_keys}
    nested["text_config"]["rope_parameters"] = {"rope_theta": 1e6, "rope_type": "default", "mrope_section": [2, 3, 3]}
    assert ModelConfig.from_dict(nested) == ModelConfig.from_dict(flat) == config


def test_dtype_on_load(tmp_path: Path, model: Qwen2_5_VL) -> None:
    save_pretrained(model, tmp_path)
    assert load_model(tmp_path, dtype=torch.bfloat16).dtype == torch.bfloat16


def _spoil(directory: Path, change: str) -> None:
    path = directory / "model.safetensors"
    state = load_file(path)
    match change:
        case "missing":
            del state["visual.merger.ln_q.weight"]
        case "unexpected":
            state["visual.extra.weight"] = torch.zeros(2)
        case "shape":
            state["lm_head.weight"] = torch.zeros(3, 64)
        case "nan":
            state["model.norm.weight"][5] = float("nan")
    save_file(state, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "missing visual.merger.ln_q.weight"),
        ("unexpected", "unexpected visual.extra.weight"),
        ("shape", r"lm_head.weight has shape \[3, 64\], expected \[300, 64\]"),
        ("nan", "model.norm.weight holds NaN or infinity"),
    ],
)
def test_wrong_tensors_are_named(tmp_path: Path, model: Qwen2_5_VL, change: str, message: str) -> None:
    save_pretrained(model, tmp_path)
    _spoil(tmp_path, change)
    with pytest.raises(CheckpointError, match=message):
        load_model(tmp_path)


class _Bomb:
    def __reduce__(self) -> tuple[type, tuple[str]]:
        return (RuntimeError, ("a pickle was opened",))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_a_pickle_is_never_opened(tmp_path: Path, model: Qwen2_5_VL, name: str) -> None:
    save_pretrained(model, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / name).write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(CheckpointError, match="can run code"):
        load_model(tmp_path)


def test_an_index_may_not_point_outside(tmp_path: Path, model: Qwen2_5_VL) -> None:
    save_pretrained(model, tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "../../secret.safetensors"}})
    )
    with pytest.raises(CheckpointError, match="outside its directory"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no config.json"),
        ("{", "not valid JSON"),
        ('{"model_type": "llama"}', "expected 'qwen2_5_vl'"),
        ('{"model_type": "qwen2_5_vl"}', "does not describe a usable model"),
    ],
)
def test_unusable_configs(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=message):
        load_model(tmp_path)


def test_position_scaling_that_harms_localisation_is_refused(config: ModelConfig) -> None:
    raw = {**config.to_dict(), "rope_scaling": {"type": "yarn", "factor": 4, "mrope_section": [2, 3, 3]}}
    with pytest.raises(CheckpointError, match="'yarn'"):
        ModelConfig.from_dict(raw)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf")])
def test_every_broken_number_is_found_and_large_ones_are_none(
    tmp_path: Path, dtype: torch.dtype, value: float | None
) -> None:
    save_pretrained(random_model(small_config()).to(dtype), tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    state["lm_head.weight"][0, :2] = torch.finfo(dtype).max  # their sum is infinite, they are not
    if value is not None:
        state["lm_head.weight"][200, 3] = value
    save_file(state, tmp_path / "model.safetensors")
    if value is None:
        load_model(tmp_path)
    else:
        with pytest.raises(CheckpointError, match=r"lm_head.weight holds NaN or infinity"):
            load_model(tmp_path)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dtype", [torch.int8, torch.int4])
def test_rounding_weights_on_load(tmp_path: Path, tied: bool, dtype: torch.dtype) -> None:
    model = random_model(small_config(tied=tied))
    save_pretrained(model, tmp_path)
    packed = load_model(tmp_path, dtype=dtype)
    assert packed.num_parameters() == model.num_parameters()
    assert packed.dtype == model.dtype
    assert (packed.lm_head is packed.model.embed_tokens.table) is tied
    for name, module in packed.named_modules():
        if isinstance(module, QuantizedLinear):
            assert module.bits == (4 if dtype == torch.int4 and "layers" in name else 8), name
            weight = model.get_parameter("model.embed_tokens.weight" if "embed" in name else f"{name}.weight")
            step = weight.abs().amax() / (8 if module.bits == 4 else 127)
            found = module.packed.widen(slice(0, len(weight)), torch.float32)
            assert ((found - weight).abs() <= 1.01 * step).all(), name
    assert not [name for name, p in packed.named_parameters() if p.is_meta]
    ids = torch.arange(1, 20)
    bounds = torch.tensor([0, 19], dtype=torch.int32)
    inputs = ModelInputs(ids, torch.arange(19).expand(3, -1), bounds, (0,), media_per_sequence=(0,))
    error = (packed(inputs) - model(inputs)).norm() / model(inputs).norm()
    assert error < (0.06 if dtype == torch.int8 else 0.5)
    _spoil(tmp_path, "missing")
    with pytest.raises(CheckpointError, match=r"missing visual.merger.ln_q.weight"):
        load_model(tmp_path, dtype=dtype)
