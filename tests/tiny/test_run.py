"""The recipes of the built-in model, from the command line on."""

from pathlib import Path

from tests.recipes.making import QUICK
from tests.train.making import MADE, losses
from viewfinder.model.weights import save_pretrained
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
