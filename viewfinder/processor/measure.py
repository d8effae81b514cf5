"""The size of a picture from its header alone, for pricing a request before anything is decoded.

Only for formats whose header says it all (JPEG, PNG, WebP, BMP); for anything doubtful it answers None,
and the caller decodes. Agrees with what `media` makes of the same source; a test holds them together.
"""

import io
import warnings
from typing import Any

from PIL import Image

from viewfinder.media.image import Picture
from viewfinder.media.source import Limits, read_source
from viewfinder.media.transform import Transform

_ORIENTATION_TAG = 0x0112
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
_PNG_METADATA = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
"""Chunks of a PNG that may turn it, and that Pillow reads only while decoding."""


def measure_image(source: Any, limits: Limits) -> Transform | None:
    """The transform that `load_image(source)` would have, without decoding; None when only decoding can tell.

    Raises:
        MediaError: the bytes behind `source` cannot be had at all.
    """
    if isinstance(source, Picture):
        return source.transform
    if isinstance(source, Image.Image) or hasattr(source, "read") or hasattr(source, "__array__"):
        return None  # decoded already, or to be read once only
    data = read_source(source, limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            orientation = 1 if _is_upright_png(image, data) else image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # whatever is wrong with it, decoding says it better
        return None
    width, height = image.size
    if width * height > limits.max_pixels or orientation not in range(1, 9):
        return None
    size = (height, width) if orientation >= 5 else (width, height)
    return Transform.identity(size, orientation)


def _is_upright_png(image: Image.Image, data: bytes) -> bool:
    return image.format == "PNG" and not any(mark in data for mark in _PNG_METADATA)
