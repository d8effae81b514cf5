"""Does a model find what is meant? `python runs/choosing.py DIR [--count N]`: pictures of two to four things that
differ in shape and color, asked for one by both, by color, or by shape alone; chance is one of two, three or four.

A choice is right when the middle of the first box is nearer to the middle of what was asked for than to any other.
"""

import argparse
import json
from math import dist

import numpy as np
import torch

import viewfinder as vf
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle

SEED = 20261126
SIDE = 140


def draw(rng: np.random.Generator, number: int) -> Scene:
    """A scene of so many things, all of different shapes and colors."""
    style = SceneStyle((number, number), (0, 0), thing_size=(0.18, 0.4), plain=0, repeat=0)
    while True:
        scene = make_scene(rng, (SIDE, SIDE), style)
        shapes, colors = {thing.shape for thing in scene.things}, {thing.color for thing in scene.things}
        if len(scene.things) == len(shapes) == len(colors) == number:
            return scene


def measure(model: vf.Viewfinder, number: int, count: int) -> dict[str, float]:
    rng = np.random.default_rng((SEED, number))
    right = dict.fromkeys(("both", "color", "shape"), 0)
    for _ in range(count):
        scene = draw(rng, number)
        meant = scene.things[int(rng.integers(number))]
        phrases = (f"the {meant.color} {meant.shape}", f"the {meant.color} object", f"the {meant.shape}")
        for name, phrase in zip(right, phrases, strict=True):
            boxes = model.locate(scene.image, phrase)
            if boxes:
                right[name] += min(scene.things, key=lambda thing: dist(thing.center, boxes[0].center)) is meant
    return {name: round(value / count, 3) for name, value in right.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--count", type=int, default=40, help="pictures of each number of things")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = vf.load(options.directory)
    for number in (2, 3, 4):
        print(f"{number} things  {json.dumps(measure(model, number, options.count))}", flush=True)


if __name__ == "__main__":
    main()
