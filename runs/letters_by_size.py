"""Letters that the tower's heads name, by size of the text and by font: `python runs/letters_by_size.py RUN`.

RUN is a run of the built-in model (its heads are in its states, not in an exported checkpoint). A letter is right
when the head names it in the very cell of 3.5 pixels where its middle lies, so large letters count as wrong a little
off. Pictures are of no training seed; the last four fonts of no training at all.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from viewfinder.data.synth.fonts import FontFamily, find_families
from viewfinder.data.synth.scene import make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.messages import ImagePart, user
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import load_model
from viewfinder.processor.processor import Processor
from viewfinder.recipes.sizes import read_heads
from viewfinder.tiny.label_heads import LabelHeads
from viewfinder.tiny.token_labels import TOWER_HEADS, token_labels

SIZE = (168, 168)
STYLE = SceneStyle(things=(0, 0), lines=(2, 4), max_chars=24)
PIXELS = ((10, 12), (13, 15), (16, 19), (20, 24), (25, 32), (33, 50))


@torch.no_grad()
def letters(model: Qwen2_5_VL, heads: LabelHeads, processor: Processor, style: SceneStyle, count: int) -> list[bool]:
    """Of each letter of `count` pictures, whether it was named where it stands."""
    right: list[bool] = []
    for number in range(count):
        scene = make_scene(np.random.default_rng((5, number)), SIZE, style)
        picture = ImagePart(image=scene.image, resized_width=SIZE[0], resized_height=SIZE[1])
        inputs = processor([user(picture, "")])
        assert inputs.pixel_values is not None
        assert inputs.grid_thw is not None
        named = heads(model.visual(inputs.pixel_values, inputs.grid_thw))["characters"].argmax(-1)
        truth = torch.from_numpy(token_labels(scene).characters)
        right += (named == truth)[truth > 0].tolist()
    return right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--count", type=int, default=24, help="pictures a line of the table")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_model(options.run / "export", dtype=torch.float32).eval()
    heads = LabelHeads(model.config.vision.out_hidden_size, TOWER_HEADS)
    read_heads({"tower": heads}, options.run / "states")
    processor = Processor.from_pretrained(options.run / "export")

    def tell(name: str, style: SceneStyle) -> None:
        right = letters(model, heads, processor, style, options.count)
        print(f"{name:24} {100 * np.mean(right):5.1f} % of {len(right)}", flush=True)

    for low, high in PIXELS:
        for words, plain in (("black on white", 1.0), ("colored", 0.0)):
            tell(f"{low}-{high} pixels, {words}", replace(STYLE, text_size=(low, high), plain=plain))
    held: tuple[FontFamily, ...] = find_families(held_out=True)
    for name, files in (*find_families()[::6], *held):
        tell(name, replace(STYLE, text_size=(16, 22), plain=1.0, families=((name, files),)))


if __name__ == "__main__":
    main()
