"""Samples that several tests share."""

from PIL import Image

from viewfinder.data.sample import Sample, say
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import Box, format_boxes


def boxed_sample(i: int = 0, size: tuple[int, int] = (60, 40)) -> Sample:
    """A picture of one color and a box in it."""
    box = (1.0 + i % 20, 2.0, 30.0 + i % 20, 35.0)
    answer = format_boxes([Box(*box, label="thing")], Transform.identity(size))
    return Sample(
        messages=(
            say("user", Image.new("RGB", size, (i % 256, 40, 200)), f"Where is it? {i}"),
            say("assistant", answer),
        ),
        task="locate" if i % 2 else "point",
        truth={"boxes": [list(box)]},
        seed=(7, i),
        lineage=("test@1",),
        id=f"sample-{i}",
        forms=("", "boxes"),
    )
