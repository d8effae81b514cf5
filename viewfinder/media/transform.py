"""How pixels of the original map to pixels that the model sees, and back.

    stored raster --EXIF--> upright original --crop--> --resize per axis--> model

Coordinates are continuous: (0, 0) is the outer corner of the first pixel, (width, height) that of the
last, so a pixel's centre is at +0.5. Knows numbers only, no pixels.

A 100x50 picture cropped to x 20..60, y 10..30 and resized to 80x20 doubles x and keeps y:
`to_model((30, 15)) == (20, 5)` and `to_original((20, 5)) == (30, 15)`.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Transform:
    """One picture's way from original to model pixels. Sizes are (width, height).

    Attributes:
        original_size: the upright original, as a viewer shows it.
        resized_size: what the model sees.
        crop: the part that was kept, x0, y0, x1, y1 in original pixels; None is all of it.
        exif_orientation: as stored in the file (1-8), already applied to the upright original.
    """

    original_size: tuple[int, int]
    resized_size: tuple[int, int]
    crop: Box | None = None
    exif_orientation: int = 1

    def __post_init__(self) -> None:
        assert min(*self.original_size, *self.resized_size) > 0, f"empty size in {self}"
        assert self.exif_orientation in range(1, 9), f"orientation {self.exif_orientation}"
        x0, y0, x1, y1 = self.window
        assert min(x1 - x0, y1 - y0) > 0, f"empty crop {self.crop}"

    @classmethod
    def identity(cls, size: tuple[int, int], exif_orientation: int = 1) -> Self:
        """The transform of a picture that was neither cropped nor resized; `size` is (width, height)."""
        return cls(original_size=size, resized_size=size, exif_orientation=exif_orientation)

    @property
    def window(self) -> Box:
        """The crop, or the whole original."""
        return self.crop or (0.0, 0.0, float(self.original_size[0]), float(self.original_size[1]))

    @property
    def scale(self) -> tuple[float, float]:
        """Model pixels per original pixel, for x and for y."""
        x0, y0, x1, y1 = self.window
        return self.resized_size[0] / (x1 - x0), self.resized_size[1] / (y1 - y0)

    def to_model(self, xy: Point) -> Point:
        """Original pixels to model pixels. A point outside the crop lands outside the model's picture."""
        x0, y0, x1, y1 = self.window
        width, height = self.resized_size
        return (xy[0] - x0) * width / (x1 - x0), (xy[1] - y0) * height / (y1 - y0)

    def to_original(self, xy: Point) -> Point:
        """Model pixels to original pixels; the inverse of `to_model`."""
        x0, y0, x1, y1 = self.window
        width, height = self.resized_size
        return x0 + xy[0] * (x1 - x0) / width, y0 + xy[1] * (y1 - y0) / height

    def box_to_model(self, box: Box) -> Box:
        """A box x0, y0, x1, y1, original to model pixels."""
        return (*self.to_model(box[:2]), *self.to_model(box[2:]))

    def box_to_original(self, box: Box) -> Box:
        """A box x0, y0, x1, y1, model to original pixels."""
        return (*self.to_original(box[:2]), *self.to_original(box[2:]))

    def clamp_original(self, xy: Point) -> Point:
        """The nearest point inside the original."""
        return _clamp(xy, self.original_size)

    def clamp_model(self, xy: Point) -> Point:
        """The nearest point inside the model's picture."""
        return _clamp(xy, self.resized_size)

    def clamp_box_original(self, box: Box) -> Box:
        """The part of a box that lies inside the original (possibly of no area)."""
        return (*self.clamp_original(box[:2]), *self.clamp_original(box[2:]))

    def clamp_box_model(self, box: Box) -> Box:
        """The part of a box that lies inside the model's picture (possibly of no area)."""
        return (*self.clamp_model(box[:2]), *self.clamp_model(box[2:]))

    def then_crop(self, box: Box) -> Self:
        """Follow with a crop: `box` holds whole pixels of what the model would have seen until now."""
        x0, y0, x1, y1 = box
        assert all(value == int(value) for value in box), f"a crop of pixels has whole numbers, not {box}"
        return replace(self, crop=self.box_to_original(box), resized_size=(int(x1 - x0), int(y1 - y0)))

    def then_resize(self, size: tuple[int, int]) -> Self:
        """Follow with a resize to `size`, (width, height)."""
        return replace(self, resized_size=size)

    def to_stored(self, xy: Point) -> Point:
        """Upright original pixels to those of the raster in the file, before its EXIF orientation."""
        x, y = xy
        width, height = self.original_size
        mirrored = (width - x, height - y)
        return {
            1: (x, y),
            2: (mirrored[0], y),
            3: mirrored,
            4: (x, mirrored[1]),
            5: (y, x),
            6: (y, mirrored[0]),
            7: (mirrored[1], mirrored[0]),
            8: (mirrored[1], x),
        }[self.exif_orientation]

    def from_stored(self, xy: Point) -> Point:
        """The inverse of `to_stored`."""
        x, y = xy
        width, height = self.original_size
        return {
            1: (x, y),
            2: (width - x, y),
            3: (width - x, height - y),
            4: (x, height - y),
            5: (y, x),
            6: (width - y, x),
            7: (width - y, height - x),
            8: (y, height - x),
        }[self.exif_orientation]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields, as written into shards, responses and manifests."""
        return {
            "original_size": list(self.original_size),
            "resized_size": list(self.resized_size),
            "crop": None if self.crop is None else list(self.crop),
            "exif_orientation": self.exif_orientation,
        }

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        width, height = raw["original_size"]
        resized_width, resized_height = raw["resized_size"]
        crop = raw.get("crop")
        return cls(
            original_size=(int(width), int(height)),
            resized_size=(int(resized_width), int(resized_height)),
            crop=None if crop is None else (float(crop[0]), float(crop[1]), float(crop[2]), float(crop[3])),
            exif_orientation=int(raw.get("exif_orientation", 1)),
        )


def _clamp(xy: Point, size: tuple[int, int]) -> Point:
    return min(max(xy[0], 0.0), float(size[0])), min(max(xy[1], 0.0), float(size[1]))
