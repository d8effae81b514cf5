"""The kind "photos": several photographs on one picture, or named objects pasted on one; the tasks of grounding."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.collage import Collage, Placed, make_collage
from viewfinder.data.synth.ground import PixelRectangle
from viewfinder.data.synth.grounding import article, converse_about
from viewfinder.data.synth.grounds import camera, ground
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.photos.photographs import Photograph, find_photographs, open_photograph


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A wall of photographs, or a photograph with things on it, and one to three exchanges."""
    collage = hang(rng, options) if chance(rng, 0.6) or options.objects else cover(rng, options)
    return converse_about(rng, collage)


def hang(rng: np.random.Generator, options: Options) -> Collage:
    """Photographs apart from each other on a ground, cut out at random (more tightly when harder)."""
    names = find_photographs(options)
    size = options.size(rng)
    image = ground(rng, size, options.difficulty)
    placed: list[Placed] = []
    licenses: set[str] = set()
    for area in _cells(rng, size, number(rng, 1, 2 + round(6 * options.difficulty))):
        photograph = open_photograph(pick(rng, names), options.objects)
        box = _shrink(rng, area)
        image.paste(_cut(rng, photograph, (box[2] - box[0], box[3] - box[1]), options.difficulty), box[:2])
        placed.append(Placed(_called(photograph.name), box, _inside(box, size)))
        licenses.add(photograph.license)
    placed.sort(key=lambda one: (one.box[1], one.box[0]))
    here = {one.name for one in placed}
    absent = tuple(called for name in names if (called := _called(name)) not in here)[:4]
    return Collage(
        camera(rng, image, options.difficulty), tuple(placed), absent, ("photographs",), tuple(sorted(licenses))
    )


def cover(rng: np.random.Generator, options: Options) -> Collage:
    """Named objects pasted on a photograph."""
    photograph = open_photograph(pick(rng, find_photographs(options)), options.objects)
    back = _cut(rng, photograph, options.size(rng), options.difficulty)
    collage = make_collage(rng, options, back=back)
    styles, licenses = ("photographs", *collage.styles), (photograph.license, *collage.licenses)
    return Collage(collage.image, collage.objects, collage.absent, styles, licenses)


def _called(name: str) -> str:
    return f"photo of {name if name.startswith(('stained', 'group')) else article(name)}"


def _cells(rng: np.random.Generator, size: tuple[int, int], count: int) -> list[PixelRectangle]:
    """`count` places of a grid that covers the picture, in random order: `size` (90, 60), 4 gives 3 x 2 of 30 x 30."""
    columns = max(1, min(count, round(math.sqrt(count * size[0] / size[1]))))
    rows = -(-count // columns)
    wide, high = size[0] // columns, size[1] // rows
    order = rng.permutation(columns * rows)[:count]
    return [
        (int(c) * wide, int(r) * high, (int(c) + 1) * wide, (int(r) + 1) * high)
        for r, c in (divmod(i, columns) for i in order)
    ]


def _shrink(rng: np.random.Generator, area: PixelRectangle) -> PixelRectangle:
    """A box somewhere in an area, half to nearly all of it each way."""
    wide, high = area[2] - area[0], area[3] - area[1]
    width, height = (max(12, round(side * float(rng.uniform(0.5, 0.96)))) for side in (wide, high))
    x, y = area[0] + number(rng, 0, max(0, wide - width)), area[1] + number(rng, 0, max(0, high - height))
    return x, y, x + width, y + height


def _cut(rng: np.random.Generator, photograph: Photograph, size: tuple[int, int], difficulty: float) -> Image.Image:
    """A part of a photograph with the aspect of `size`, in that size; mirrored half of the time."""
    full = photograph.image
    scale = min(full.width / size[0], full.height / size[1]) * float(rng.uniform(1 - 0.5 * difficulty, 1))
    width, height = min(full.width, scale * size[0]), min(full.height, scale * size[1])  # rounding may exceed
    x, y = float(rng.uniform(0, full.width - width)), float(rng.uniform(0, full.height - height))
    part = full.resize(size, Image.Resampling.BILINEAR, (x, y, x + width, y + height), reducing_gap=2.0)
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if chance(rng, 0.5) else part


def _inside(box: PixelRectangle, size: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros((size[1], size[0]), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask
