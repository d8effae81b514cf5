"""Photographs found in installed packages, by what they show. Nothing is downloaded and no package is imported.

They are few (scikit-image and scikit-learn ship 17, matplotlib one): enough that an encoder does not see drawn things
alone, too few to teach what is on photographs. A folder of one's own (`--objects DIR`, file names are the names)
takes their place.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from viewfinder.data.synth.kinds import Options, Split
from viewfinder.data.synth.objects import held_out_name, open_library
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
