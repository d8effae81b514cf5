"""The kind "photos": several photographs on one picture, or named objects pasted on one; the tasks of grounding."""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.collage import Collage, Placed, make_collage
from viewfinder.data.synth.grounding import article, converse_about
from viewfinder.data.synth.grounds import camera, ground
from viewfinder.data.synth.kinds import Options, Split
from viewfinder.data.synth.objects import held_out_name, open_library
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.errors import DataError, MissingMaterial

_LARGEST = 640
"""Pixels of the longer side that are kept."""
_CC0, _PUBLIC, _CC_BY = "CC0-1.0", "public domain", "CC-BY-2.0"
HELD_OUT = frozenset({"rocket", "flower", "cup of coffee", "heap of coins"})

# what is shown, package, file in it, license (of the packages' own documentation)
_SHIPPED = (
    ("astronaut", "skimage", "data/astronaut.png", _PUBLIC),
    ("brick wall", "skimage", "data/brick.png", _CC0),
    ("photographer", "skimage", "data/camera.png", _CC0),
    ("cell", "skimage", "data/cell.png", _CC0),
    ("cat", "skimage", "data/chelsea.png", _CC0),
    ("clock", "skimage", "data/clock_motion.png", _PUBLIC),
    ("cup of coffee", "skimage", "data/coffee.png", _CC0),
    ("heap of coins", "skimage", "data/coins.png", _PUBLIC),
    ("lawn", "skimage", "data/grass.png", _CC0),
    ("gravel bed", "skimage", "data/gravel.png", _CC0),
    ("group of galaxies", "skimage", "data/hubble_deep_field.jpg", _PUBLIC),
    ("stained tissue", "skimage", "data/ihc.png", _PUBLIC),
    ("moon", "skimage", "data/moon.png", _PUBLIC),
    ("retina", "skimage", "data/retina.jpg", _CC0),
    ("rocket", "skimage", "data/rocket.jpg", _PUBLIC),
    ("temple", "sklearn", "datasets/images/china.jpg", _CC_BY),
    ("flower", "sklearn", "datasets/images/flower.jpg", _CC_BY),
    ("naval officer", "matplotlib", "mpl-data/sample_data/grace_hopper.jpg", _PUBLIC),
)


@dataclass(frozen=True)
class Photograph:
    """A photograph by what it shows."""

    name: str
    license: str
    image: Image.Image = field(repr=False, compare=False)


def find_photographs(options: Options) -> tuple[str, ...]:
    """Names of the photographs of a split, sorted: those of the folders in `options.objects`, or of the packages.

    Raises:
        DataError: the folders hold none of the split.
    """
    names = _names(options.objects, options.split)
    if not names:
        raise DataError(
            f"the folders named with --objects hold no photographs of the split {options.split!r}, so none can be "
            "drawn; name more, or leave --objects out for those of the packages"
        )
    return names


@lru_cache(maxsize=8)
def _names(folders: tuple[str, ...], split: Split) -> tuple[str, ...]:
    held = split == "held_out"
    if folders:
        names = {name for folder in folders for name in open_library(folder).names()}
        return tuple(sorted(name for name in names if held_out_name(name) == held))
    return tuple(sorted(name for name, *_ in _SHIPPED if (name in HELD_OUT) == held))


def _place(package: str, file: str) -> Path:
    spec = find_spec(package)
    path = Path(spec.origin).parent / file if spec is not None and spec.origin else None
    if path is None or not path.is_file():
        raise MissingMaterial(
            f"the photograph {file} of the package {package} is not on this machine, so a seed would draw others than "
            "elsewhere; pip install 'viewfinder[data,materials]', or name a folder with --objects"
        )
    return path


@lru_cache(maxsize=64)
def open_photograph(name: str, folders: tuple[str, ...] = ()) -> Photograph:
    """The photograph of that name, RGB, its longer side at most 640 pixels.

    Raises:
        DataError: there is none of that name.
        MissingMaterial: the package that brings it is not installed.
    """
    for library in map(open_library, folders):
        if name in library.names():
            return Photograph(name, library.license, _fit(library.draw(name)))
    for shown, package, file, license in _SHIPPED:
        if shown == name:
            with Image.open(_place(package, file)) as image:
                return Photograph(name, license, _fit(image))
    raise DataError(f"there is no photograph {name!r}; give the folder that holds it with --objects")


def _fit(image: Image.Image) -> Image.Image:
    image = image.convert("RGB")
    image.thumbnail((_LARGEST, _LARGEST))
    return image


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
