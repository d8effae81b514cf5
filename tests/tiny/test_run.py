"""The recipes of the built-in model, from the command line on."""

import json
from pathlib import Path

import pytest

from tests.recipes.making import QUICK
from tests.train.making import MADE, losses
from viewfinder.config import ModelConfig
from viewfinder.errors import StampError
from viewfinder.model.weights import save_pretrained
from viewfinder.processor.processor import Processor
from viewfinder.processor.tokenizer import Tokenizer
from viewfinder.recipes.sizes import export_processor, fresh
from viewfinder.tiny import recipes
from viewfinder.tiny.run import train


def test_the_recipe_of_the_built_in_model_runs_and_goes_on(tmp_path: Path) -> None:
    export = tmp_path / "tower/export"
    save_pretrained(fresh(recipes.model_config(MADE), 0), export)
    export_processor(MADE, export)
    data = ['data.styles={"one": 1.0}', 'data.tasks={"locate": 1.0}', "data.patches=144", "data.max_pixels=18816"]
    settings = [*data, *QUICK[:4], "peak_flops=1e12"]
    for steps in (1, 2):
        train("tiny-joint", tmp_path / "joint", [*settings, f"steps={steps}"], init=str(tmp_path / "tower"))
    assert len(losses(tmp_path / "joint")) == 2


def test_a_run_does_not_go_on_with_another_vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `init` the vocabulary is learnt anew, and the weights may know another."""
    data = ['data.styles={"one": 1.0}', 'data.tasks={"locate": 1.0}', "data.patches=144", "data.max_pixels=18816"]
    settings = [*data, *QUICK[:4], "peak_flops=1e12"]

    def go_on(words: str, steps: int) -> None:
        processor = Processor(Tokenizer.train([words] * 9, 282), MADE.settings)
        monkeypatch.setattr(recipes, "build_processor", lambda: processor)
        train("tiny-joint", tmp_path / "joint", [*settings, f"steps={steps}"])

    go_on("red stars and blue squares", 1)
    with pytest.raises(StampError, match="was trained with stamp"):
        go_on("other words with other letters", 2)


def test_a_run_goes_on_with_the_sizes_that_it_began_with(tmp_path: Path) -> None:
    config = recipes.reader_config(MADE)
    assert config.text.mrope_section == (4, 14, 14)
    save_pretrained(fresh(config, 0), tmp_path / "tower/export")
    export_processor(MADE, tmp_path / "tower/export")
    data = ['data.styles={"line": 1.0}', 'data.tasks={"read": 1.0}', "data.patches=144", "data.max_pixels=18816"]
    settings = [*data, *QUICK[:4], "peak_flops=1e12", "steps=1", "bf16=true"]
    train("tiny-joint", tmp_path / "joint", settings, init=str(tmp_path / "tower"))
    assert ModelConfig.from_pretrained(tmp_path / "joint/export").text.rope_theta == 10.0
    noted = json.loads((tmp_path / "joint/config.json").read_text())["model"]
    assert (noted["text"]["rope_theta"], noted["vision"]["hidden_size"]) == (10.0, 256)
