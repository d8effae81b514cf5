"""Pictures a second of `locate` over a folder: one at a time, and as the folder jobs do it. Run it as a module.

The two take turns on the same pictures, so that whatever else the machine does weighs on both; answers are compared.

    python -m bench.folder_jobs --pictures 64
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageDraw

from viewfinder import load
from viewfinder.chat.batching import batched


def draw_picture(seed: int) -> Image.Image:
    """One to four colored shapes on white, 300x220."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (300, 220), "white")
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(1, 5))):
        x, y, side = int(rng.integers(0, 240)), int(rng.integers(0, 160)), int(rng.integers(20, 60))
        shape = pen.rectangle if rng.random() < 0.5 else pen.ellipse
        shape((x, y, x + side, y + side), fill=("red", "blue", "green")[int(rng.integers(3))])
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    pictures = [draw_picture(i) for i in range(given.pictures)]
    alone = load(dtype="float32")
    alone.locate(pictures[0], "every shape")
    ratios, same, seconds = [], 0, [0.0, 0.0]
    with batched(alone, given.batch) as shared, ThreadPoolExecutor(given.batch) as pool:
        for start in range(0, len(pictures), 2 * given.batch):
            part = pictures[start : start + 2 * given.batch]
            begun = time.perf_counter()
            one = [alone.locate(picture, "every shape").reply.text for picture in part]
            between = time.perf_counter()
            many = list(pool.map(lambda picture: shared.locate(picture, "every shape").reply.text, part))
            ended = time.perf_counter()
            ratios.append((between - begun) / (ended - between))
            seconds = [seconds[0] + between - begun, seconds[1] + ended - between]
            same += sum(a == b for a, b in zip(one, many, strict=True))
    rates = [len(pictures) / s for s in seconds]
    print(f"one at a time {rates[0]:.2f} pictures/s, batch of {given.batch} {rates[1]:.2f} pictures/s")
    print(f"ratio in {len(ratios)} turns: median {np.median(ratios):.2f}, least {min(ratios):.2f}")
    print(f"identical answers: {same} of {len(pictures)}")


if __name__ == "__main__":
    main()
