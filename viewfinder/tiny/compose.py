"""The tower of one run before the language model of another: `python -m viewfinder.tiny.compose TOWER MODEL DIRECTORY`.

A tower that was trained alone reads better than one that was trained along with answers, but its features mean nothing
to a language model that learnt from another tower. The last layer of its merger is therefore replaced by the linear map
(least squares) from the merger's hidden numbers to the features that the model's own tower gives for the same pictures.
What both towers see the language model understands at once; the rest it learns afterwards.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from viewfinder.inputs import ModelInputs
from viewfinder.model.layers import Linear
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.vision import VisionTower
from viewfinder.model.weights import load_model, save_pretrained
from viewfinder.processor.processor import Processor
from viewfinder.recipes.sizes import export_processor
from viewfinder.tiny import recipes
from viewfinder.tiny.stream import make_batch

_STYLES = {"few": 1.0, "several": 0.6, "crowd": 0.4, "word": 0.7, "line": 0.9, "long": 0.6, "sheet": 1.0, "page": 0.1}
_DATA = {
    "max_side": 448,
    "max_pixels": 252 * 252,
    "text_share": 2.5,
    "quick_share": 0.85,
    "kind_share": 0.3,
    "clip_share": 0.04,
    "styles": _STYLES,
}
"""Of all that the language model will be asked about; most pictures are composed quickly."""


def compose(tower: Path, model: Path, directory: Path, pictures: Iterable[ModelInputs]) -> float:
    """Write `directory/export`, a checkpoint to be given as `--init`; returns the share of the variance of the model's
    own features that the aligned ones explain on `pictures`.

    Args:
        tower: a checkpoint; its tower is taken, and its merger but for the last layer.
        model: a checkpoint; all else is taken from it, vocabulary and positions too.

    Raises:
        ValueError: the two merge different numbers of patches into a token.
    """
    seeing, answering = (load_model(path, dtype=torch.float32).eval() for path in (tower, model))
    merges = [one.config.vision.spatial_merge_size for one in (seeing, answering)]
    if merges[0] != merges[1]:
        raise ValueError(f"{tower} merges {merges[0]} patches a side and {model} {merges[1]}; give towers of one grid")
    width = answering.config.vision.out_hidden_size
    explained = align_merger(seeing.visual, answering.visual, pictures)
    vision = seeing.config.vision.model_copy(update={"out_hidden_size": width})
    made = Qwen2_5_VL(answering.config.model_copy(update={"vision": vision}))
    parts = {f"visual.{name}": value for name, value in seeing.visual.state_dict().items()}
    kept = {name: value for name, value in answering.state_dict().items() if not name.startswith("visual.")}
    made.load_state_dict(kept | parts)
    save_pretrained(made, directory / "export")
    export_processor(Processor.from_pretrained(model), directory / "export")
    return explained


@torch.no_grad()
def align_merger(tower: VisionTower, known: VisionTower, pictures: Iterable[ModelInputs], ridge: float = 1e-3) -> float:
    """Make the last layer of the merger of `tower` the linear map to the features of `known` that is nearest on
    `pictures`; returns the share of their variance that it explains there.

    With hidden numbers h (with a 1 appended) and known features f, summed over all tokens of all pictures, the map is
    (sum h h' + ridge * mean of its diagonal)^-1 sum h f', in double precision.
    """
    hidden = tower.merger.merged_size
    tower.merger.mlp[-1] = nn.Identity()
    squares, products = torch.zeros(hidden + 1, hidden + 1).double(), torch.zeros(hidden + 1, 0).double()
    energy, mean, count = 0.0, torch.zeros(0).double(), 0
    for inputs in pictures:
        if inputs.pixel_values is None or inputs.grid_thw is None:
            continue
        seen, wanted = (one(inputs.pixel_values, inputs.grid_thw).double() for one in (tower, known))
        seen = torch.cat([seen, seen.new_ones(len(seen), 1)], 1)
        if not count:
            products, mean = seen.new_zeros(hidden + 1, wanted.shape[1]), wanted.new_zeros(wanted.shape[1])
        squares, products = squares + seen.T @ seen, products + seen.T @ wanted
        energy, mean, count = energy + float(wanted.square().sum()), mean + wanted.sum(0), count + len(wanted)
    found = torch.linalg.solve(squares + ridge * squares.diagonal().mean() * torch.eye(hidden + 1).double(), products)
    left = energy - 2 * float((found * products).sum()) + float((found * (squares @ found)).sum())
    tower.merger.mlp[-1] = _linear(found)
    return 1 - left / (energy - float(mean.square().sum()) / count)


def _linear(weights: Tensor) -> Linear:
    layer = Linear(len(weights) - 1, weights.shape[1])
    layer.weight.copy_(weights[:-1].T)
    layer.bias.copy_(weights[-1])
    return layer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("tower", "model", "directory"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--batches", type=int, default=300)
    options = parser.parse_args()
    processor, stream = Processor.from_pretrained(options.model), recipes.stream_config(_DATA)
    pictures = (make_batch(processor, stream, 777, number).inputs for number in range(options.batches))
    explained = compose(options.tower, options.model, options.directory, pictures)
    print(f"{options.directory}: {explained:.1%} of the variance of the known features is explained")


if __name__ == "__main__":
    main()
