"""Turn a run into the built-in model: `python -m viewfinder.tiny.ship RUN DIRECTORY [--beside RUN --share 0.4]`.

Averaged weights in bfloat16, of two runs that began from the same weights if there is one beside it (model soups,
Wortsman 2022: their mean loses less than either). The budgets of the processor are sizes the model was trained on:
larger pictures are scaled down to them, so their small details are not seen; the smallest are scaled up, since it reads
them better so.
"""

import argparse
from pathlib import Path

import torch

from viewfinder.model.weights import load_model, save_pretrained
from viewfinder.processor.processor import Processor
from viewfinder.recipes.sizes import export_processor
from viewfinder.train.config import ConfigError

SETTINGS = {
    "min_pixels": 140 * 140,
    "max_pixels": 336 * 336,
    "video_min_pixels": 56 * 56,
    "video_max_pixels": 112 * 112,
    "max_frames": 128,
    "total_pixels": 128 * 112 * 112,
}


@torch.no_grad()
def ship(run: Path, directory: Path, beside: Path | None = None, share: float = 0.5) -> None:
    """Write the checkpoint directory.

    Args:
        beside: another run of the same sizes, whose weights count `share`, those of `run` the rest.

    Raises:
        ConfigError: it has other sizes.
    """
    model = load_model(run / "export", dtype=torch.float32)
    if beside is not None:
        other = load_model(beside / "export", dtype=torch.float32)
        if other.config != model.config:
            raise ConfigError(
                f"{beside} has other sizes than {run}, so there is no mean of their weights; give one alike"
            )
        for own, its in zip(model.parameters(), other.parameters(), strict=True):
            own.mul_(1 - share).add_(its * share)
    save_pretrained(model.to(torch.bfloat16), directory)
    export_processor(Processor.from_pretrained(run / "export", **SETTINGS), directory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--beside", type=Path, help="a second run")
    parser.add_argument("--share", type=float, default=0.5, help="of the second run's weights")
    options = parser.parse_args()
    ship(options.run, options.directory, options.beside, options.share)


if __name__ == "__main__":
    main()
