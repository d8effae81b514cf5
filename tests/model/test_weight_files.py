"""Which weights a directory stands for: neighbours, stale files, tied tables, derived and quantised tensors."""

import json
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.conftest import random_model, small_config
from viewfinder.errors import CheckpointError
from viewfinder.model import Qwen2_5_VL, load_model, save_pretrained

HEAD, TABLE = "lm_head.weight", "model.embed_tokens.weight"
NORM = "model.norm.weight"


@pytest.fixture
def directory(tmp_path: Path, model: Qwen2_5_VL) -> Path:
    save_pretrained(model, tmp_path)
    return tmp_path


def state_of(directory: Path) -> dict[str, Tensor]:
    return load_file(directory / "model.safetensors")


def store(directory: Path, state: dict[str, Tensor], name: str = "model.safetensors") -> None:
    save_file(state, directory / name)


def set_config(directory: Path, **changes: object) -> None:
    raw = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(raw | changes))


def assert_is(model: Qwen2_5_VL, directory: Path) -> None:
    found = dict(load_model(directory).named_parameters())
    expected = dict(model.named_parameters())
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(
    "name",
    ["model_ema.safetensors", "pytorch_model_fsdp.safetensors", "adapter_model.safetensors", "optimizer.safetensors"],
)
@pytest.mark.parametrize("max_shard_bytes", [2**30, 20_000])
def test_other_safetensors_are_never_merged(tmp_path: Path, model: Qwen2_5_VL, name: str, max_shard_bytes: int) -> None:
    save_pretrained(model, tmp_path, max_shard_bytes=max_shard_bytes)
    store(tmp_path, {NORM: torch.zeros(64), "step": torch.zeros(1)}, name)
    assert_is(model, tmp_path)


def test_a_single_file_counts_before_a_stale_index(
    tmp_path: Path, model: Qwen2_5_VL, caplog: pytest.LogCaptureFixture
) -> None:
    save_pretrained(random_model(model.config, seed=1), tmp_path, max_shard_bytes=20_000)
    shards = sorted(tmp_path.glob("*.safetensors"))
    store(tmp_path, {n: p.detach().clone() for n, p in model.named_parameters()})
    with caplog.at_level(logging.WARNING):
        assert_is(model, tmp_path)
    assert "has both model.safetensors and an index of other files" in caplog.text
    for shard in shards:  # transformers 5 deletes them and leaves the index
        shard.unlink()
    assert_is(model, tmp_path)


def test_shards_without_their_index_are_not_guessed(tmp_path: Path, model: Qwen2_5_VL) -> None:
    save_pretrained(model, tmp_path, max_shard_bytes=20_000)
    (tmp_path / "model.safetensors.index.json").unlink()
    with pytest.raises(CheckpointError, match=r"neither model\.safetensors nor model\.safetensors\.index\.json"):
        load_model(tmp_path)


def test_a_tensor_that_is_held_twice(tmp_path: Path, model: Qwen2_5_VL) -> None:
    save_pretrained(model, tmp_path, max_shard_bytes=20_000)
    first, *_, last = sorted(tmp_path.glob("*.safetensors"))
    name = next(iter(load_file(first)))
    save_file(load_file(last) | {name: load_file(first)[name] + 1}, last)
    with pytest.raises(CheckpointError, match=f"{name} stands twice, in {first.name} and in {last.name}"):
        load_model(tmp_path)


def test_a_tensor_that_is_held_under_two_generations_of_names(directory: Path) -> None:
    state = state_of(directory)
    store(directory, state | {"model.language_model.norm.weight": state[NORM] + 1})
    with pytest.raises(CheckpointError, match="stands twice"):
        load_model(directory)


def test_tensors_that_the_index_does_not_name_are_said(
    tmp_path: Path, model: Qwen2_5_VL, caplog: pytest.LogCaptureFixture
) -> None:
    save_pretrained(model, tmp_path, max_shard_bytes=20_000)
    last = sorted(tmp_path.glob("*.safetensors"))[-1]
    save_file(load_file(last) | {"model.layers.7.extra": torch.zeros(1)}, last)
    assert_is(model, tmp_path)
    assert "1 tensors are not named by model.safetensors.index.json" in caplog.text


def test_shards_that_an_index_names_and_that_are_missing(tmp_path: Path, model: Qwen2_5_VL) -> None:
    save_pretrained(model, tmp_path, max_shard_bytes=20_000)
    last = sorted(tmp_path.glob("*.safetensors"))[-1]
    last.unlink()
    with pytest.raises(CheckpointError, match=f"lacks {last.name}"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "content", ["{}", '{"weight_map": {}}', '{"weight_map": {"a": 3}}', '{"weight_map": [1]}', "["]
)
def test_a_damaged_index(directory: Path, content: str) -> None:
    (directory / "model.safetensors.index.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"index\.json"):
        load_model(directory)


@pytest.mark.parametrize("kept", [HEAD, TABLE, "both"])
def test_one_table_under_either_name_is_both(tmp_path: Path, kept: str) -> None:
    model = random_model(small_config(tied=True))
    save_pretrained(model, tmp_path)
    state = state_of(tmp_path)
    table = state.pop(TABLE)
    names = [HEAD, TABLE] if kept == "both" else [kept]
    store(tmp_path, state | {name: table.clone() for name in names})
    loaded = load_model(tmp_path)
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    assert_is(model, tmp_path)


def test_two_tables_that_differ_are_kept_whatever_the_flag_says(
    directory: Path, model: Qwen2_5_VL, caplog: pytest.LogCaptureFixture
) -> None:
    set_config(directory, tie_word_embeddings=True)
    assert_is(model, directory)
    assert "sets tie_word_embeddings" in caplog.text
    save_pretrained(load_model(directory), directory)  # and what is saved again says what it holds
    assert json.loads((directory / "config.json").read_text())["tie_word_embeddings"] is False


def test_a_head_that_is_missing_where_nothing_is_tied(directory: Path) -> None:
    state = state_of(directory)
    del state[HEAD]
    store(directory, state)
    with pytest.raises(CheckpointError, match=r"missing lm_head\.weight"):
        load_model(directory)


@pytest.mark.parametrize(
    "name",
    ["model.layers.0.self_attn.rotary_emb.inv_freq", "visual.rotary_pos_emb.inv_freq", "model.rotary_emb.inv_freq"],
)
def test_derived_tensors_are_ignored(directory: Path, model: Qwen2_5_VL, name: str) -> None:
    store(directory, state_of(directory) | {name: torch.ones(8)})
    assert_is(model, directory)


@pytest.mark.parametrize(
    ("settings", "method"),
    [
        ({"quant_method": "hqq"}, "hqq"),
        ({"quant_method": "awq", "version": "gemv"}, "awq with version 'gemv'"),
        ({"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"}, "gptq with checkpoint_format 'marlin'"),
        ({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}, "compressed-tensors with format"),
        (
            {"quant_method": "compressed-tensors", "transform_config": {"config_groups": {}}},
            "compressed-tensors with t",
        ),
    ],
)
def test_a_method_that_is_not_read_is_named(directory: Path, settings: dict, method: str) -> None:
    set_config(directory, quantization_config=settings)
    with pytest.raises(CheckpointError, match=f"quantised by {method}.*use the checkpoint that they were made from"):
        load_model(directory)


def test_the_mlx_spelling_of_quantisation(directory: Path) -> None:
    set_config(directory, quantization={"group_size": 64, "bits": 4, "mode": "affine"})
    with pytest.raises(CheckpointError, match="quantised by mlx"):
        load_model(directory)


def test_a_file_of_another_tool_says_so(directory: Path) -> None:
    (directory / "hf_quant_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"quantised by modelopt .hf_quant_config\.json"):
        load_model(directory)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn, torch.float8_e5m2, torch.int32])
def test_numbers_that_are_codes_are_never_weights(directory: Path, dtype: torch.dtype) -> None:
    state = state_of(directory)
    name = "model.layers.0.mlp.up_proj.weight"
    store(directory, state | {name: state[name].mul(10).to(dtype)})
    with pytest.raises(CheckpointError, match=f"quantised by .*{name}"):
        load_model(directory)


@pytest.mark.parametrize(
    "end", ["qweight", "scales", "weight_scale_inv", "weight_scale", "SCB", "weight.absmax", "g_idx"]
)
def test_tensors_that_belong_to_codes_are_named(directory: Path, end: str) -> None:
    name = f"model.layers.0.mlp.up_proj.{end}"
    store(directory, state_of(directory) | {name: torch.ones(3)})
    with pytest.raises(CheckpointError, match=f"quantised by .*{name}"):
        load_model(directory)


def test_a_directory_of_gguf_alone(tmp_path: Path) -> None:
    (tmp_path / "model-Q4_K_M.gguf").write_bytes(b"GGUF")
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        load_model(tmp_path)


def test_codes_in_a_single_file_beside_whole_shards(tmp_path: Path, model: Qwen2_5_VL) -> None:
    save_pretrained(model, tmp_path, max_shard_bytes=20_000)
    store(tmp_path, {"model.layers.0.mlp.up_proj.weight": torch.zeros(96, 8, dtype=torch.uint32)})
    with pytest.raises(CheckpointError, match="quantised by"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", [NORM, "visual.patch_embed.proj.weight"])
def test_tensors_that_were_saved_without_being_gathered(directory: Path, name: str) -> None:
    store(directory, state_of(directory) | {name: torch.zeros(0)})
    with pytest.raises(CheckpointError, match=rf"{name} has shape \[0\], expected"):
        load_model(directory)


def test_names_of_an_adapter_that_was_not_merged(directory: Path) -> None:
    store(directory, {f"base_model.model.{name}": tensor for name, tensor in state_of(directory).items()})
    with pytest.raises(CheckpointError, match=r"unexpected base_model\.model"):
        load_model(directory)


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", b""])
def test_a_file_whose_content_was_not_fetched(directory: Path, content: bytes) -> None:
    (directory / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"not a readable safetensors file.*fetch it again"):
        load_model(directory)


def test_a_file_that_was_cut_short(directory: Path) -> None:
    whole = (directory / "model.safetensors").read_bytes()
    (directory / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_model(directory)


def test_tensors_of_several_precisions_stay_as_they_are(directory: Path, model: Qwen2_5_VL) -> None:
    half = {name: tensor.bfloat16() for name, tensor in state_of(directory).items() if name != HEAD}
    store(directory, half | {HEAD: state_of(directory)[HEAD]})
    loaded = load_model(directory)
    assert torch.equal(loaded.lm_head.weight, model.lm_head.weight)
    assert loaded.model.norm.weight.dtype == torch.bfloat16
