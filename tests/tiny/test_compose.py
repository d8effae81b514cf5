"""A run that begins with the tower of one and the language model of another."""

from pathlib import Path

import pytest
import torch

from tests.train.making import MADE
from viewfinder.config import ModelConfig
from viewfinder.model.weights import load_model, save_pretrained
from viewfinder.recipes.sizes import export_processor, fresh
from viewfinder.tiny import recipes
from viewfinder.tiny.compose import compose


def run(directory: Path, config: ModelConfig, seed: int) -> Path:
    save_pretrained(fresh(config, seed), directory / "export")
    export_processor(MADE, directory / "export")
    (directory / "states/step-00000001").mkdir(parents=True)
    (directory / "states/step-00000001/facts.json").write_text("{}")
    return directory


def test_the_tower_is_of_one_and_all_else_of_the_other(tmp_path: Path) -> None:
    tower = run(tmp_path / "tower", recipes.reader_config(MADE), 1)
    language = run(tmp_path / "language", recipes.model_config(MADE), 2) / "export"
    compose(tower, language, tmp_path / "both")
    made = load_model(tmp_path / "both/export", dtype=torch.float32)
    towers, others = (load_model(d, dtype=torch.float32).state_dict() for d in (tower / "export", language))
    for name, value in made.state_dict().items():
        assert torch.equal(value, (towers if name.startswith("visual.") else others)[name]), name
    assert (made.config.vision.hidden_size, made.config.text.mrope_section) == (256, (8, 12, 12))
    assert (tmp_path / "both/states/step-00000001/facts.json").exists()
    assert (tmp_path / "both/export/tokenizer.json").exists()


def test_features_of_another_size_are_refused(tmp_path: Path) -> None:
    config = recipes.model_config(MADE)
    narrow = config.model_copy(
        update={"vision": config.vision.model_copy(update={"out_hidden_size": config.vision.out_hidden_size // 2})}
    )
    tower = run(tmp_path / "tower", narrow, 1)
    language = run(tmp_path / "language", config, 2) / "export"
    with pytest.raises(ValueError, match="give runs of one size"):
        compose(tower, language, tmp_path / "both")
