"""Adapters: new ones change nothing, merged ones change what they changed, files that fit nowhere are errors."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import random_model, small_config
from tests.packed import random_inputs
from viewfinder.errors import CheckpointError
from viewfinder.model.lora import (
    adapted_layers,
    adapters_disabled,
    add_adapters,
    load_adapter,
    merge_adapters,
    save_adapter,
)
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL


def adapted(moved: bool = True) -> Qwen2_5_VL:
    model = random_model(small_config())
    assert add_adapters(model, 2, 6.0, ("q_proj", "down_proj")) == 4  # two layers of the language model
    if moved:
        for layer in adapted_layers(model).values():
            torch.nn.init.normal_(layer.lora_B, std=0.2, generator=torch.Generator().manual_seed(1))
    return model


@torch.no_grad()
def test_new_adapters_change_nothing_and_alone_learn() -> None:
    model = adapted(moved=False)
    inputs = random_inputs(model.config, [(1, 4, 6)])
    assert torch.equal(model(inputs), random_model(small_config())(inputs))
    assert sorted({n.rsplit(".", 1)[-1] for n, p in model.named_parameters() if p.requires_grad}) == [
        "lora_A",
        "lora_B",
    ]


@torch.no_grad()
def test_merged_and_turned_off() -> None:
    model = adapted()
    inputs = random_inputs(model.config, [(1, 4, 6)])
    plain, wanted = random_model(small_config())(inputs), model(inputs)
    assert not torch.allclose(plain, wanted, atol=1e-2)
    with adapters_disabled(model):
        assert torch.equal(model(inputs), plain)
    merge_adapters(model)
    assert not adapted_layers(model)
    torch.testing.assert_close(model(inputs), wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_files_come_back_under_their_own_alpha(tmp_path: Path) -> None:
    model = adapted()
    save_adapter(model, tmp_path, base="some/model")
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (2, 6.0, "some/model")
    assert all(key.startswith("base_model.model.model.language_model.layers.") for key in load_file(tmp_path / FILE))
    again = random_model(small_config())
    load_adapter(again, tmp_path)
    inputs = random_inputs(model.config, [])
    assert torch.equal(again(inputs), model(inputs))


FILE = "adapter_model.safetensors"


def test_what_fits_nowhere_is_an_error(tmp_path: Path) -> None:
    save_adapter(adapted(), tmp_path)
    tensors = load_file(tmp_path / FILE)
    save_file({key.replace("layers.1", "layers.9"): value for key, value in tensors.items()}, tmp_path / FILE)
    with pytest.raises(CheckpointError, match="fit no layer"):
        load_adapter(random_model(small_config()), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "use_dora": True}))
    with pytest.raises(CheckpointError, match="use_dora"):
        load_adapter(random_model(small_config()), tmp_path)
    others = {
        "alora_invocation_tokens": [1],
        "rank_pattern": {"a": 4},
        "lora_bias": True,
        "layer_replication": [[0, 2]],
    }
    for key, value in {**others, "target_parameters": ["x"], "use_qalora": True, "new_idea": 1}.items():
        (tmp_path / "adapter_config.json").write_text(json.dumps({**config, key: value}))
        with pytest.raises(CheckpointError, match=key):
            load_adapter(random_model(small_config()), tmp_path)
    with pytest.raises(CheckpointError, match="no readable adapter"):
        load_adapter(random_model(small_config()), tmp_path / "none")


def test_targets_that_do_not_exist_are_an_error() -> None:
    with pytest.raises(CheckpointError, match="names there are"):
        add_adapters(random_model(small_config()), 2, 4.0, ("w_pack",))


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_16", "olora", "corda", "loftq", "lora_ga", "something new"])
def test_adapters_of_another_base_are_refused(tmp_path: Path, start: str) -> None:
    """What they begin with was taken out of the base's weights, so on the published ones they are wrong."""
    save_adapter(adapted(), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "init_lora_weights": start}))
    with pytest.raises(CheckpointError, match=f"'{start}'.*path_initial_model_for_weight_conversion"):
        load_adapter(random_model(small_config()), tmp_path)


@torch.no_grad()
@pytest.mark.parametrize("start", [True, False, "gaussian", "eva", "orthogonal"])
def test_adapters_of_the_published_base_load_however_they_began(tmp_path: Path, start: object) -> None:
    model = adapted()
    save_adapter(model, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    plain = {"rank_pattern": {}, "alpha_pattern": {}, "modules_to_save": None, "eva_config": {"rho": 1.0}}
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, **plain, "init_lora_weights": start}))
    again = random_model(small_config())
    load_adapter(again, tmp_path)
    inputs = random_inputs(model.config, [(1, 4, 6)])
    assert torch.equal(again(inputs), model(inputs))
