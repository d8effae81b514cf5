"""One still picture: any file that Pillow can be trusted with becomes upright RGB with its `Transform`.

EXIF orientation is applied, transparency lies on white, 16-bit and palette pictures become 8-bit RGB,
of an animation the first frame is taken. Whatever was done to the pixels is said in `notes`. Caps are
checked on the header, before pixels are decoded. Does not resize (see `resize`).
"""

import io
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.source import DEFAULT_LIMITS, Limits, describe_source, read_source
from viewfinder.media.transform import Box, Transform

# Readers written for hostile input. EPS (which runs another program) and the rare ones stay out. MPO is read by
# JPEG's and has no reader of its own name. TGA has no signature, so it is asked last.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "ICO", "AVIF", "JPEG2000", "QOI", "TGA")
_SUFFIXES = "jpg jpeg mpo png webp gif bmp dib tif tiff ppm pgm pbm ico avif jp2 j2k qoi tga"
IMAGE_SUFFIXES = frozenset(f".{name}" for name in _SUFFIXES.split())
_ORIENTATION_TAG = 0x0112
_BITS_TAG, _PHOTOMETRIC_TAG = 258, 262  # of TIFF
_KEY_SCALE = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 256}
"""What Pillow multiplies samples of a PNG by, and forgets to multiply its transparent color by."""
_TO_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """An upright RGB picture, how it came from its original, and what was done to it on the way."""

    image: Image.Image
    transform: Transform
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the pixels at hand."""
        return self.image.size

    @property
    def pixels(self) -> np.ndarray:
        """The pixels as uint8, (height, width, 3)."""
        return np.asarray(self.image)

    def crop(self, box: Box) -> "Picture":
        """The part inside `box` (x0, y0, x1, y1 in pixels of this picture), widened to whole pixels.

        Raises:
            MediaError: nothing of the box lies inside the picture.
        """
        width, height = self.size
        x0, y0 = max(math.floor(box[0]), 0), max(math.floor(box[1]), 0)
        x1, y1 = min(math.ceil(box[2]), width), min(math.ceil(box[3]), height)
        if x0 >= x1 or y0 >= y1:
            raise MediaError(f"the box {box} has no part inside a picture of {width}x{height}; correct the box")
        whole = (x0, y0, x1, y1)
        return Picture(self.image.crop(whole), self.transform.then_crop(whole), self.notes)


def load_image(source: Any, limits: Limits = DEFAULT_LIMITS, page: int | None = None) -> Picture:
    """Read a picture from a path, bytes, URL, `data:` URI, PIL image, uint8 array (H, W[, 1|3|4]) or `Picture`.

    Args:
        page: of a file that holds several (see `count_pages`), from 0; None is the first, and says so.

    Raises:
        LimitError: more bytes or pixels than `limits` allow; nothing was decoded.
        MediaError: not a picture, or a damaged one.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        return _upright_rgb(_from_array(source), "an array", limits)
    if isinstance(source, Image.Image):
        return _upright_rgb(source, describe_source(source), limits)
    name = describe_source(source)
    data = read_source(source, limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # limits.max_pixels decides
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            if page is not None:
                image.seek(page)
    except Image.DecompressionBombError as error:
        raise LimitError(f"{name} declares more pixels than can be decoded safely; make it smaller") from error
    except Exception as error:  # hostile bytes surface as any exception of a decoder
        raise MediaError(
            f"{name} {_what_else(data)}, expected a picture (JPEG, PNG, WebP, ...); check the file"
        ) from error
    return _upright_rgb(image, name, limits, several=page is None)


def count_pages(data: bytes) -> int:
    """How many pages a TIFF file holds; 1 for everything else, animations among it."""
    try:
        return getattr(Image.open(io.BytesIO(data), formats=("TIFF",)), "n_frames", 1)
    except Exception:  # no TIFF, or a damaged one: its reader says so
        return 1


def _what_else(data: bytes) -> str:
    """What bytes are that Pillow does not know as a picture."""
    if not data:
        return "is empty"
    if data[:5] == b"%PDF-":
        return "is a PDF, which is given as a document"
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
        return "is a HEIC picture, which is not supported (convert it to JPEG)"
    if data[4:8] == b"ftyp" or data[:4] in (b"\x1aE\xdf\xa3", b"OggS"):
        return "is a video, which is given as a video"
    return f"is no picture (it begins with {data[:12]!r})"


def _upright_rgb(image: Image.Image, name: str, limits: Limits, several: bool = True) -> Picture:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise LimitError(
            f"{name} has {width}x{height} pixels, over the {limits.max_pixels:,} allowed; make it smaller or raise "
            "Limits.max_pixels"
        )
    if not width or not height:
        raise MediaError(f"{name} has {width}x{height} pixels, expected at least one; check the file")
    notes: list[str] = []
    try:
        if several and getattr(image, "is_animated", False) and image.format != "MPO":  # MPO holds previews, not motion
            notes.append("several frames or pages: only the first is used")
        _scale_color_key(image)
        stored = _orientation(image)
        image.load()
        to_do = _orientation(image) if stored != 1 else 1  # TIFF is turned while it loads
        image = to_rgb(image, notes)
    except Exception as error:  # hostile bytes surface as any exception of a decoder
        raise MediaError(f"{name} is damaged ({_reason(error)}); get the file again") from error
    if to_do != 1:
        image = image.transpose(_TO_UPRIGHT[to_do])
    return Picture(image, Transform.identity(image.size, stored), tuple(notes))


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(_ORIENTATION_TAG, 1)
    return value if value in _TO_UPRIGHT else 1


def to_rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16"):
        return _sixteen_bit_grey(image, notes)
    if image.mode in ("I", "F"):
        image = _stretched(image, notes)
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        return _on_white(image, notes)
    if image.mode == "CMYK":
        notes.append("CMYK converted to RGB without a color profile")
    return image.convert("RGB")


def _scale_color_key(image: Image.Image) -> None:
    """Bring a PNG's transparent color to the range that its samples will have; to be called before `load`."""
    key, tile = image.info.get("transparency"), getattr(image, "tile", None)
    scale = _KEY_SCALE.get(str(tile[0][3])) if tile and image.format == "PNG" else None
    if scale is not None and isinstance(key, (int, tuple)):
        scaled = tuple(int(value * scale) for value in (key if isinstance(key, tuple) else (key,)))
        image.info["transparency"] = scaled if isinstance(key, tuple) else scaled[0]


def _sixteen_bit_grey(image: Image.Image, notes: list[str]) -> Image.Image:
    """Samples of 16 bits as RGB. Where the file names no depth, 8 or 12 bits are meant if they hold the largest.

    Cameras and scanners store 12 bits in 16 without shifting them: 4095 is their white.
    """
    values = np.asarray(image).astype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    named = tags.get(_BITS_TAG, (16,))[0]
    depth = named if named < 16 else next(bits for bits in (8, 12, 16) if values.max(initial=0) < 1 << bits)
    notes.append(f"{depth}-bit grey reduced to 8 bits" if depth == 16 else f"16-bit grey read as {depth}-bit")
    grey = (values >> (depth - 8)).astype(np.uint8)
    if tags.get(_PHOTOMETRIC_TAG) == 0:  # white is zero
        grey = 255 - grey
    key = image.info.get("transparency")
    if key is not None and (clear := values == key).any():
        notes.append("transparency shown on white")
        grey = np.where(clear, np.uint8(255), grey)
    return Image.fromarray(grey).convert("RGB")


def _stretched(image: Image.Image, notes: list[str]) -> Image.Image:
    """32-bit samples have no agreed range: up to 255 kept, up to 65535 taken as 16-bit, else the range is stretched."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode == "I" and low >= 0 and high <= 65535:
        values = values if high <= 255 else values / 256
        notes.append("32-bit grey reduced to 8 bits")
    else:
        values = (values - low) * (255.0 / (high - low or 1.0))
        notes.append(f"samples from {low:g} to {high:g} stretched to 8 bits")
    return Image.fromarray(values.astype(np.uint8))


def _on_white(image: Image.Image, notes: list[str]) -> Image.Image:
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    alpha = rgba.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return rgba.convert("RGB")
    notes.append("transparency shown on white")
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(rgba, mask=alpha)
    return white


def _from_array(array: np.ndarray) -> Image.Image:
    grey = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1)
    if array.dtype != np.uint8 or not (grey or (array.ndim == 3 and array.shape[2] in (3, 4))) or not array.size:
        raise MediaError(
            f"an array of {array.dtype} with shape {array.shape} is no picture, expected uint8 of (height, width, 3); "
            "convert it first"
        )
    return Image.fromarray(array[:, :, 0] if grey and array.ndim == 3 else array)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:80] if text else type(error).__name__
