"""What the training of the built-in model costs: quick pictures beside drawn ones, bfloat16 beside float32.

    python bench/tiny_data.py [--repeats 5] [--clock cpu]

Pictures are 224 x 224 with their truth; a step is the joint stage's forward and backward pass of the same batch, one
thread. Ratios above 1 mean that the new way is quicker.
"""

import numpy as np
import torch
from beside import arguments, beside, report

from viewfinder.data.synth.scene import make_scene
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.recipes.sizes import build, open_processor, start_of_size
from viewfinder.tiny import extra_losses, recipes
from viewfinder.tiny.quick_scenes import make_quick_scene
from viewfinder.tiny.run import LabelInputLearner
from viewfinder.tiny.scene_kit import make_kit
from viewfinder.tiny.stream import make_batch

PICTURES, STYLES = 200, ("few", "several", "text", "line", "sheet")


def pictures(repeats: int, clock: str) -> None:
    """Pictures a second, one kind of scene after another."""
    kit, size = make_kit(1, 0), (224, 224)
    for name in STYLES:
        style, rng = recipes.STYLES[name], np.random.default_rng(0)
        figures = beside(
            lambda style=style, rng=rng: [make_quick_scene(rng, size, style, kit) for _ in range(PICTURES)],
            lambda style=style, rng=rng: [make_scene(rng, size, style) for _ in range(PICTURES)],
            repeats,
            clock,
        )
        rates = {side: PICTURES / figures[side] for side in ("ours", "peer")}
        report(f"tiny/pictures/{name}", {**figures, **rates}, "pictures/s")


def steps(repeats: int, clock: str) -> None:
    """Seconds of a step."""
    torch.set_num_threads(1)
    processor, start = open_processor(find_checkpoint("tiny")), start_of_size("tiny")
    config = recipes.joint(processor).model_copy(update={"extra_losses": {"token_labels": 0.1, "attention": 0.1}})
    learner = LabelInputLearner(config, build(start, 0), extra=extra_losses.build(config, processor))
    batch = make_batch(processor, recipes.stream_config(config.data), 1, 1)

    def step(narrow: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            loss = learner(batch)
        loss.total.backward()
        learner.zero_grad(set_to_none=True)

    step(True)
    step(False)
    report("tiny/step", beside(lambda: step(True), lambda: step(False), repeats, clock), "s")


def main() -> None:
    options = arguments(__doc__)
    pictures(options.repeats, options.clock)
    steps(options.repeats, options.clock)


if __name__ == "__main__":
    main()
