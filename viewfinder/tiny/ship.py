"""Turn a run into the built-in model: `python -m viewfinder.tiny.ship RUN DIRECTORY`.

Averaged weights in bfloat16, and a processor whose budgets are sizes the model was trained on: larger pictures are
scaled down to them, so their small details are not seen; the smallest are scaled up, since it reads them better so.
"""

import argparse
from pathlib import Path

import torch

from viewfinder.model.weights import load_model, save_pretrained
from viewfinder.processor.processor import Processor
from viewfinder.recipes.sizes import export_processor

SETTINGS = {
    "min_pixels": 140 * 140,
    "max_pixels": 336 * 336,
    "video_min_pixels": 56 * 56,
    "video_max_pixels": 112 * 112,
    "max_frames": 128,
    "total_pixels": 128 * 112 * 112,
}


def ship(run: Path, directory: Path) -> None:
    """Write the checkpoint directory."""
    save_pretrained(load_model(run / "export", dtype=torch.bfloat16), directory)
    export_processor(Processor.from_pretrained(run / "export", **SETTINGS), directory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("directory", type=Path)
    options = parser.parse_args()
    ship(options.run, options.directory)


if __name__ == "__main__":
    main()
