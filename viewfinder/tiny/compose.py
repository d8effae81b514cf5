"""The tower of one run and the language model of another as a run to begin from:
`python -m viewfinder.tiny.compose TOWER LANGUAGE DIRECTORY`.

A tower that was trained alone reads better than one that was trained along with answers, and a language model that
answers already learns to read the features of another tower in a small part of the steps that it took from nothing.
"""

import argparse
import shutil
from pathlib import Path

import torch

from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import load_model, save_pretrained
from viewfinder.processor.processor import Processor
from viewfinder.recipes.sizes import export_processor


def compose(tower: Path, language: Path, directory: Path) -> None:
    """Write `directory/export`, to be given as `--init`, and the states of the tower's run for its heads.

    Args:
        tower: a run; its tower and merger are taken.
        language: a checkpoint; all else is taken from it, vocabulary and positions too.
        directory: where to write.

    Raises:
        ValueError: the merger writes features of another size than the language model reads.
    """
    seeing, answering = (load_model(path, dtype=torch.float32) for path in (tower / "export", language))
    given, taken = seeing.config.vision.out_hidden_size, answering.config.text.hidden_size
    if given != taken:
        raise ValueError(
            f"{tower} writes features of {given} numbers and {language} reads {taken}; give runs of one size"
        )
    model = Qwen2_5_VL(answering.config.model_copy(update={"vision": seeing.config.vision}))
    parts = {name: value for name, value in seeing.state_dict().items() if name.startswith("visual.")}
    kept = {name: value for name, value in answering.state_dict().items() if not name.startswith("visual.")}
    model.load_state_dict(kept | parts)
    save_pretrained(model, directory / "export")
    export_processor(Processor.from_pretrained(language), directory / "export")
    shutil.copytree(tower / "states", directory / "states")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("tower", "language", "directory"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    compose(options.tower, options.language, options.directory)


if __name__ == "__main__":
    main()
