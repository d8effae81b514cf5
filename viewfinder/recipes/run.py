"""Run a recipe: `python -m viewfinder.recipes.run RECIPE --out DIR [--init DIR] [key=value ...]`.

The same command resumes a run that was stopped.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

from viewfinder.errors import ViewfinderError
from viewfinder.model.weights import load_model
from viewfinder.processor.processor import Processor
from viewfinder.recipes import tiny
from viewfinder.train.checkpoint import load_state
from viewfinder.train.trainer import Trainer


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=sorted(tiny.RECIPES))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="the run directory whose weights and heads are the start")
    parser.add_argument("settings", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args(arguments)
    try:
        train(options.recipe, options.out, options.init, options.settings)
    except ViewfinderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def train(recipe: str, out: Path, init: Path | None, settings: list[str]) -> None:
    """Build everything the recipe needs and train to its end."""
    processor = Processor.from_pretrained(init / "export") if init else tiny.build_processor()
    config = tiny.RECIPES[recipe](processor).with_overrides(settings)
    model, heads = tiny.build_model(config), tiny.build_heads(config)
    if init is not None:
        model.load_state_dict(load_model(init / "export", dtype=torch.float32).state_dict())
        state = load_state(init)
        for name, head in heads.items() if state is not None else ():
            prefix = f"heads.{name}."
            saved = {n.removeprefix(prefix): t for n, t in state["modules"].items() if n.startswith(prefix)}
            if saved and all(saved[n].shape == t.shape for n, t in head.state_dict().items()):
                head.load_state_dict(saved)
    Trainer(
        config, model, heads, partial(tiny.stream, processor, config), out, partial(tiny.export_processor, processor)
    ).run()


if __name__ == "__main__":
    raise SystemExit(main())
