"""A model made of the tower of one run and the language model of another."""

from pathlib import Path

import pytest
import torch

from tests.train.making import MADE
from viewfinder.config import ModelConfig
from viewfinder.inputs import ModelInputs
from viewfinder.model.weights import load_model, save_pretrained
from viewfinder.recipes.sizes import export_processor, fresh
from viewfinder.tiny import recipes
from viewfinder.tiny.compose import compose


def checkpoint(directory: Path, config: ModelConfig, seed: int) -> Path:
    save_pretrained(fresh(config, seed), directory)
    export_processor(MADE, directory)
    return directory


def noise(items: int, side: int = 8) -> list[ModelInputs]:
    """Pictures of `side` x `side` patches."""
    torch.manual_seed(5)
    grid, tokens = torch.tensor([[1, side, side]]), side * side // 4
    ids, bounds = torch.zeros(tokens, dtype=torch.long), torch.tensor([0, tokens])
    pictures = [torch.randn(side * side, 1176) for _ in range(items)]
    return [ModelInputs(ids, ids.expand(3, -1), bounds, (0,), one, grid, ("image",), (1,), (0.0,)) for one in pictures]


def features(directory: Path, inputs: ModelInputs) -> torch.Tensor:
    assert inputs.pixel_values is not None
    assert inputs.grid_thw is not None
    with torch.no_grad():
        return load_model(directory, dtype=torch.float32).visual(inputs.pixel_values, inputs.grid_thw)


def test_the_tower_is_of_one_and_all_else_of_the_other(tmp_path: Path) -> None:
    tower = checkpoint(tmp_path / "tower", recipes.reader_config(MADE), 1)
    model = checkpoint(tmp_path / "model", recipes.model_config(MADE), 2)
    explained = compose(tower, model, tmp_path / "both", noise(3))
    made = load_model(tmp_path / "both/export", dtype=torch.float32)
    towers, others = (load_model(d, dtype=torch.float32).state_dict() for d in (tower, model))
    for name, value in made.state_dict().items():
        if not name.startswith("visual.merger.mlp.2"):
            assert torch.equal(value, (towers if name.startswith("visual.") else others)[name]), name
    assert (made.config.vision.hidden_size, made.config.text.mrope_section) == (256, (8, 12, 12))
    assert 0 <= explained <= 1
    assert (tmp_path / "both/export/tokenizer.json").exists()


def test_a_tower_that_sees_the_same_gives_the_features_that_the_model_knows(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "model", recipes.model_config(MADE), 2)
    strange = load_model(model, dtype=torch.float32)
    with torch.no_grad():
        strange.visual.merger.mlp[2].weight.copy_(torch.randn(strange.visual.merger.mlp[2].weight.shape) * 3)
    save_pretrained(strange, tmp_path / "tower")
    export_processor(MADE, tmp_path / "tower")
    explained = compose(tmp_path / "tower", model, tmp_path / "both", noise(3, 48))
    new = noise(4, 48)[-1]
    known, made = features(model, new), features(tmp_path / "both/export", new)
    assert explained > 0.99
    assert (
        (made - known).square().sum()
        < 0.05 * known.square().sum()
        < 0.5 * features(tmp_path / "tower", new).square().sum()
    )


def test_towers_of_another_grid_are_refused(tmp_path: Path) -> None:
    config = recipes.model_config(MADE)
    coarse = config.model_copy(update={"vision": config.vision.model_copy(update={"spatial_merge_size": 1})})
    tower = checkpoint(tmp_path / "tower", coarse, 1)
    model = checkpoint(tmp_path / "model", config, 2)
    with pytest.raises(ValueError, match="give towers of one grid"):
        compose(tower, model, tmp_path / "both", noise(1))
