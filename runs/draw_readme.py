"""The two pictures of the README: what the built-in model answers on the examples, and memory for long clips.

    python runs/draw_readme.py        writes docs/images/answers.png and docs/images/video_memory.png

The bars are the figures of `docs/results.md` (`make bench`, 2026-11-26).
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from PIL import Image

import viewfinder as vf
from viewfinder.media.video import probe_video
from viewfinder.outputs.draw import draw

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "images"
INK, OURS, PEER = "#1f2328", "#0f766e", "#9ca3af"
TRUTH = (3.0, 6.0)
"""When `examples/make.py` shows the red circle, seconds."""
LENGTHS = ("2 min", "10 min", "3 h")
GIGABYTES = {"Viewfinder": (0.52, 0.59, 0.61), "qwen-vl-utils + decord": (7.4, 17.3, 17.3)}


def draw_answers(path: Path) -> None:
    """Three panels: every picture with the answer drawn in pixels of the original."""
    model = vf.load()
    shapes, clip = ROOT / "examples" / "shapes.png", ROOT / "examples" / "clip.mp4"
    asked = [
        ("locate “every blue star”", draw(Image.open(shapes), model.locate(shapes, "every blue star"))),
        ("point “every orange ring”", draw(Image.open(shapes), model.point(shapes, "every orange ring"))),
    ]
    figure, axes = plt.subplots(1, 3, figsize=(11, 3), width_ratios=(1, 1, 1.3), layout="constrained")
    for axis, (title, picture) in zip(axes, asked, strict=False):
        axis.imshow(picture)
        axis.set_title(title, fontsize=11, color=INK)
        axis.axis("off")
    axis, moments = axes[2], model.moments(clip, "the red circle is shown")
    axis.barh([-0.4], TRUTH[1] - TRUTH[0], left=TRUTH[0], color=PEER, height=0.3)
    axis.text(0.2, 0, "answer", va="center")
    axis.text(0.2, -0.4, "truth", va="center")
    axis.barh(
        [0] * len(moments), [m.end - m.start for m in moments], left=[m.start for m in moments], color=OURS, height=0.3
    )
    axis.set(xlim=(0, probe_video(clip).duration), ylim=(-0.8, 0.4), yticks=[], xlabel="seconds of the clip")
    axis.set_title("moments “the red circle is shown”", fontsize=11, color=INK)
    figure.savefig(path, dpi=130)


def draw_memory(path: Path) -> None:
    figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
    for i, ((name, values), color) in enumerate(zip(GIGABYTES.items(), (OURS, PEER), strict=True)):
        bars = axis.barh([y + 0.38 * i for y in range(3)], values, height=0.36, color=color, label=name)
        axis.bar_label(bars, [f"{v:g} GB" for v in values], padding=4, fontsize=9, color=INK)
    axis.set(
        yticks=[y + 0.19 for y in range(3)],
        yticklabels=LENGTHS,
        xlabel="peak memory to prepare a 720p clip, GB",
        xlim=(0, 20),
    )
    axis.invert_yaxis()
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    draw_memory(OUT / "video_memory.png")
    draw_answers(OUT / "answers.png")
