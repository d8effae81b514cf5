"""Marks of texts, pictures and clips that stay nearly equal where the thing stays nearly equal.

Texts: MinHash of word triples (datasketch). Pictures: perceptual hash of 256 bits (ImageHash) with mean colour and
aspect, since a hash of the outlines alone takes a red square on grey for a blue one on white. Clips: pictures at four
moments. All marks go through JSON.
"""

import base64
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.media.image import load_image
from viewfinder.media.video import load_video
from viewfinder.messages import ImagePart, VideoPart

PERMUTATIONS = 128
BITS, BANDS = 256, 16
MOMENTS = 4


def normal(text: str) -> list[str]:
    """Words as they are compared: one case, one width, no punctuation; characters where there are no spaces."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+", text)


def text_mark(text: str) -> str:
    """MinHash of a text, as base64."""
    from datasketch import MinHash

    words = normal(text)
    grams = [" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))]
    mark = MinHash(num_perm=PERMUTATIONS, seed=1)
    mark.update_batch([gram.encode() for gram in set(grams)])
    return base64.b64encode(mark.hashvalues.astype("<u4").tobytes()).decode()


def read_text_mark(mark: str) -> Any:
    """The `datasketch.MinHash` behind a mark."""
    from datasketch import MinHash

    values = np.frombuffer(base64.b64decode(mark), "<u4").astype(np.uint64)
    return MinHash(num_perm=PERMUTATIONS, seed=1, hashvalues=values)


@dataclass(frozen=True)
class PictureMark:
    """What a picture looks like.

    Attributes:
        bits: its perceptual hash.
        colour: mean red, green and blue, 0..255.
        aspect: width over height.
    """

    bits: int
    colour: tuple[float, float, float]
    aspect: float

    def is_near(self, other: "PictureMark", distance: int = 28, colour: float = 14.0, aspect: float = 1.12) -> bool:
        """Whether two pictures show the same: at most `distance` bits of 256 differ, colours and shapes are close."""
        if (self.bits ^ other.bits).bit_count() > distance:
            return False
        if max(abs(a - b) for a, b in zip(self.colour, other.colour, strict=True)) > colour:
            return False
        return max(self.aspect / other.aspect, other.aspect / self.aspect) <= aspect

    def bands(self) -> list[tuple[int, int]]:
        """Pieces of the hash; near pictures share at least one but in rare cases."""
        size = BITS // BANDS
        return [(i, (self.bits >> (i * size)) & ((1 << size) - 1)) for i in range(BANDS)]

    def to_list(self) -> list[Any]:
        return [f"{self.bits:064x}", *self.colour, self.aspect]

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> "PictureMark":
        red, green, blue, aspect = (float(value) for value in values[1:])
        return cls(int(values[0], 16), (red, green, blue), aspect)


def mark_of(image: Image.Image) -> PictureMark:
    """The mark of a picture."""
    import imagehash

    image = image.convert("RGB")
    bits = int(str(imagehash.phash(image, hash_size=16)), 16)
    red, green, blue = (round(float(value), 2) for value in np.asarray(image.resize((16, 16))).mean((0, 1)))
    return PictureMark(bits, (red, green, blue), round(image.width / image.height, 4))


def media_marks(part: ImagePart | VideoPart) -> list[PictureMark]:
    """One mark of a picture; of a clip one at each of four moments, evenly spread."""
    if isinstance(part, ImagePart):
        return [mark_of(load_image(part.image).image)]
    given = part.model_dump(include={"sample_fps", "raw_fps", "frame_times"}, exclude_none=True)
    clip = load_video(part.video, nframes=None if given else 8, max_pixels=160 * 28 * 28, **given)
    chosen = np.linspace(0, len(clip.frames) - 1, 2 * MOMENTS + 1)[1::2].round().astype(int)
    return [mark_of(Image.fromarray(clip.frames[i])) for i in chosen]


def are_near(one: Sequence[PictureMark], other: Sequence[PictureMark]) -> bool:
    """Whether two media show the same; of a clip's moments one may differ."""
    if len(one) != len(other):
        return False
    near = sum(a.is_near(b) for a, b in zip(one, other, strict=True))
    return near >= (len(one) if len(one) < MOMENTS else len(one) - 1)
