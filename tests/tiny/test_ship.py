"""What is shipped: averaged weights in bfloat16 and a processor with budgets that the model knows."""

from pathlib import Path

import pytest
import torch

from tests.train.making import MADE
from viewfinder.model.weights import load_model, save_pretrained
from viewfinder.processor.processor import Processor
from viewfinder.recipes.sizes import export_processor, fresh
from viewfinder.tiny import recipes
from viewfinder.tiny.ship import SETTINGS, ship
from viewfinder.train.config import ConfigError


def a_run(folder: Path, seed: int) -> Path:
    save_pretrained(fresh(recipes.model_config(MADE), seed), folder / "export")
    export_processor(MADE, folder / "export")
    return folder


def test_the_mean_of_two_runs_is_shipped_in_bfloat16(tmp_path: Path) -> None:
    first, second = a_run(tmp_path / "first", 1), a_run(tmp_path / "second", 2)
    ship(first, tmp_path / "shipped", second, 0.25)
    shipped = load_model(tmp_path / "shipped", dtype=torch.bfloat16)
    runs = [load_model(run / "export", dtype=torch.float32).state_dict() for run in (first, second)]
    for name, tensor in shipped.state_dict().items():
        assert torch.equal(tensor, (0.75 * runs[0][name] + 0.25 * runs[1][name]).to(torch.bfloat16)), name
    assert Processor.from_pretrained(tmp_path / "shipped").settings.max_pixels == SETTINGS["max_pixels"]


def test_runs_of_other_sizes_have_no_mean(tmp_path: Path) -> None:
    first, other = a_run(tmp_path / "first", 1), tmp_path / "other"
    save_pretrained(fresh(recipes.reader_config(MADE), 1), other / "export")
    with pytest.raises(ConfigError, match=r"has other sizes than .*, so there is no mean of their weights"):
        ship(first, tmp_path / "shipped", other)
