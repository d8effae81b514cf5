"""Named objects pasted on a ground (copy-paste, Ghiasi 2021): pictures with exact boxes and masks.

Boxes are those of the pixels that were really painted (coverage above a quarter), so they are tight by
measurement. Nothing overlaps, but for `hidden` pairs at high difficulty, whose lower one keeps the box of what is
left to see.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.grounds import camera, ground
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.objects import Cutout, Library, cutout, find_libraries, split_names
from viewfinder.data.synth.shapes import PixelRectangle

_SEEN = 64


@dataclass(frozen=True)
class Placed:
    """An object in the picture. `box` is x1, y1, x2, y2 of what is visible, `mask` which pixels those are."""

    name: str
    box: PixelRectangle
    mask: NDArray[np.bool_] = field(repr=False, compare=False)

    @property
    def center(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def area(self) -> int:
        return int(self.mask.sum())

    @property
    def inside(self) -> tuple[float, float]:
        """A point on the object: the middle of its box, or the visible pixel nearest to it."""
        x, y = self.center
        rows, columns = np.nonzero(self.mask)
        nearest = int(((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2).argmin())
        return float(columns[nearest]) + 0.5, float(rows[nearest]) + 0.5


@dataclass(frozen=True)
class Collage:
    """A picture, what is on it from top to bottom, and names that are not."""

    image: Image.Image
    objects: tuple[Placed, ...]
    absent: tuple[str, ...]
    styles: tuple[str, ...]
    licenses: tuple[str, ...]

    def named(self, name: str) -> tuple[Placed, ...]:
        return tuple(one for one in self.objects if one.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.name for one in self.objects))


def make_collage(
    rng: np.random.Generator,
    options: Options,
    size: tuple[int, int] | None = None,
    back: Image.Image | None = None,
) -> Collage:
    """Draw a picture with one to many objects of one to several names; on `back` (drawn over) where it is given."""
    libraries = find_libraries(options.objects, options.split)
    library = pick(rng, libraries)
    size = back.size if back is not None else size or options.size(rng)
    image = back if back is not None else ground(rng, size, options.difficulty)
    cuts = [_draw_cutout(rng, library, options) for _ in range(options.between(rng, 1, 8))]
    wanted = [cut for cut in cuts for _ in range(_copies(rng, options))][: 2 + round(30 * options.difficulty)]
    owner = np.full((size[1], size[0]), -1, np.int32)
    names: list[str] = []
    whole: list[int] = []
    for cut in wanted:
        if _paste(rng, image, owner, cut, whole, options):
            names.append(cut.name)
    placed = [_visible(owner, i, name) for i, name in enumerate(names)]
    objects = sorted((one for one in placed if one is not None), key=lambda one: (one.box[1], one.box[0]))
    here = {one.name for one in objects}
    absent = [name for name in (_draw_name(rng, library, options) for _ in range(4)) if name not in here]
    return Collage(
        camera(rng, image, options.difficulty), tuple(objects), tuple(absent), (library.style,), (library.license,)
    )


def _draw_name(rng: np.random.Generator, library: Library, options: Options) -> str:
    return pick(rng, split_names(library, options.split))


def _draw_cutout(rng: np.random.Generator, library: Library, options: Options) -> Cutout:
    return cutout(library, _draw_name(rng, library, options))


def _copies(rng: np.random.Generator, options: Options) -> int:
    """Mostly one, sometimes many instances of an object."""
    return number(rng, 2, 3 + round(12 * options.difficulty)) if chance(rng, 0.35) else 1


def _paste(
    rng: np.random.Generator,
    image: Image.Image,
    owner: NDArray[np.int32],
    cut: Cutout,
    whole: list[int],
    options: Options,
) -> bool:
    """Paste one object at a free place, write its number into `owner` and its pixels into `whole`; False when there
    is no room."""
    side = min(image.size)
    low, high = max(12.0, side * (0.3 - 0.24 * options.difficulty)), max(14.0, side * (0.6 - 0.25 * options.difficulty))
    scale = float(np.exp(rng.uniform(np.log(low), np.log(max(low + 1, high))))) / max(cut.image.size)
    picture = _turned(rng, cut.image, scale)
    seen = np.asarray(picture.getchannel("A")) > _SEEN
    room = (image.width - picture.width, image.height - picture.height)
    if min(room) < 0 or seen.sum() < 60:
        return False
    for _ in range(10):
        x, y = number(rng, 0, room[0]), number(rng, 0, room[1])
        area = owner[y : y + picture.height, x : x + picture.width]
        covered = np.bincount(area[seen] + 1)[1:]
        if covered.any() and not (options.difficulty > 0.7 and _leaves_enough(owner, covered, whole)):
            continue
        image.paste(picture, (x, y), picture)
        area[seen] = len(whole)
        whole.append(int(seen.sum()))
        return True
    return False


def _leaves_enough(owner: NDArray[np.int32], covered: NDArray[np.int64], whole: list[int]) -> bool:
    """Whether two thirds of everything below stay visible, whatever covered it before."""
    left = np.bincount(owner.ravel() + 1)[1:][: len(covered)] - covered
    return all(not hidden or rest >= 2 / 3 * size for hidden, rest, size in zip(covered, left, whole, strict=False))


def _turned(rng: np.random.Generator, cut: Image.Image, scale: float) -> Image.Image:
    size = (max(8, round(cut.width * scale)), max(8, round(cut.height * scale)))
    picture = cut.resize(size, Image.Resampling.BICUBIC)
    if chance(rng, 0.4):
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if chance(rng, 0.3):
        picture = picture.rotate(float(rng.uniform(-20, 20)), Image.Resampling.BICUBIC, expand=True)
    return picture


def _visible(owner: NDArray[np.int32], index: int, name: str) -> Placed | None:
    mask = owner == index
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if not len(rows):
        return None
    return Placed(name, (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1), mask)
