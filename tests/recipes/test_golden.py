"""Ten losses of every recipe, as they were. A change that is meant to move them moves the file in the same commit:
`python -m tests.recipes.test_golden` writes it anew."""

import json
import tempfile
from pathlib import Path

import pytest

from tests.recipes.making import shards, trainer
from tests.train.making import losses
from viewfinder.recipes.stages import RECIPES

GOLDEN = Path(__file__).parents[1] / "golden/recipe_losses.json"
WITH_LOSSES = [recipe for recipe in RECIPES if recipe != "grpo"]
"""The loss of grpo has a mean of 0; `tests.train.test_policy_oracle` compares it with TRL's."""
DATA = {"vision-contrast": "captions", "dpo": "pairs"}
TUNED = ["optimizer.adamw_lr=1e-3", "optimizer.warmup=0"]
CHANGES = {"sft": TUNED, "lora": TUNED, "dpo": [*TUNED, "data.epochs=0"]}


def ten_losses(recipe: str, folder: Path) -> list[float]:
    source = shards(DATA.get(recipe, "answers"), folder / "data")
    settings = ["steps=10", "extra_losses={}", "optimizer.warmup=3", f"data.source={source}", *CHANGES.get(recipe, [])]
    trainer(recipe, folder / "run", settings).run()
    return losses(folder / "run")


@pytest.mark.parametrize("recipe", WITH_LOSSES)
def test_losses_are_as_they_were(recipe: str, tmp_path: Path) -> None:
    found, golden = ten_losses(recipe, tmp_path), json.loads(GOLDEN.read_text())[recipe]
    assert found == pytest.approx(golden, rel=2e-3), "see this file's first lines if this was meant"
    assert found[-1] < found[0]


def write() -> None:
    found = {}
    for recipe in WITH_LOSSES:
        with tempfile.TemporaryDirectory() as folder:
            found[recipe] = ten_losses(recipe, Path(folder))
    lines = ",\n".join(f" {json.dumps(recipe)}: {json.dumps(values)}" for recipe, values in found.items())
    GOLDEN.write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    write()
