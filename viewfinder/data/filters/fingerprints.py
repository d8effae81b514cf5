"""Marks of texts, pictures and clips that stay nearly equal where the thing stays nearly equal.

Texts: MinHash of word triples (datasketch). Pictures: perceptual hash of 64 bits (ImageHash) with sixteen mean colors
and the aspect, since a hash of the outlines alone takes a red square on grey for a blue one on white. Clips: pictures
at four moments. All marks go through JSON.
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
_SCHEME = "affine32"
DISTANCE = 10
"""Bits of 64 in which two hashes of one picture may differ."""
MOMENTS = 4
_COLOR, _ASPECT, _PARTS = 8.0, 1.12, 4


def normal(text: str) -> list[str]:
    """Words as they are compared: one case, one width, no punctuation; characters where there are no spaces."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+", text)


def text_mark(text: str) -> str:
    """MinHash of a text, as base64."""
    from datasketch import MinHash

    words = normal(text)
    grams = [" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))]
    mark = MinHash(num_perm=PERMUTATIONS, seed=1, scheme=_SCHEME)
    mark.update_batch([gram.encode() for gram in set(grams)])
    return base64.b64encode(mark.hashvalues.astype("<u4").tobytes()).decode()


def read_text_mark(mark: str) -> Any:
    """The `datasketch.MinHash` behind a mark."""
    from datasketch import MinHash

    values = np.frombuffer(base64.b64decode(mark), "<u4").astype(np.uint32)
    return MinHash(num_perm=PERMUTATIONS, seed=1, hashvalues=values, scheme=_SCHEME)


@dataclass(frozen=True)
class PictureMark:
    """What a picture looks like.

    Attributes:
        bits: its perceptual hash, 64 bits.
        colors: mean red, green and blue of its 4 x 4 parts, 48 bytes row by row.
        aspect: width over height.
    """

    bits: int
    colors: bytes
    aspect: float

    def is_near(self, other: "PictureMark") -> bool:
        """Whether two pictures show the same, possibly resized, recompressed or cropped by a fiftieth."""
        if (self.bits ^ other.bits).bit_count() > DISTANCE:
            return False
        if max(self.aspect / other.aspect, other.aspect / self.aspect) > _ASPECT:
            return False
        away = sum(abs(a - b) for a, b in zip(self.colors, other.colors, strict=True))
        return away <= _COLOR * len(self.colors)

    def to_list(self) -> list[Any]:
        return [f"{self.bits:016x}", self.colors.hex(), self.aspect]

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> "PictureMark":
        return cls(int(values[0], 16), bytes.fromhex(values[1]), float(values[2]))


def mark_of(image: Image.Image) -> PictureMark:
    """The mark of a picture."""
    import imagehash

    image = image.convert("RGB")
    bits = int(str(imagehash.phash(image)), 16)
    parts = image.resize((_PARTS, _PARTS), Image.Resampling.BOX)
    return PictureMark(bits, parts.tobytes(), round(image.width / image.height, 4))


class PictureIndex:
    """Marks in the order they came, to be looked up by likeness: every hash is compared, 500 million a second."""

    def __init__(self) -> None:
        self.marks: list[PictureMark] = []
        self._bits = np.empty(1024, np.uint64)

    def add(self, mark: PictureMark) -> None:
        if len(self.marks) == len(self._bits):
            self._bits = np.concatenate([self._bits, np.empty_like(self._bits)])
        self._bits[len(self.marks)] = mark.bits
        self.marks.append(mark)

    def near(self, mark: PictureMark) -> list[int]:
        """Numbers of the marks that are near, first to last."""
        differ = np.bitwise_count(self._bits[: len(self.marks)] ^ np.uint64(mark.bits))
        return [int(i) for i in np.flatnonzero(differ <= DISTANCE) if self.marks[i].is_near(mark)]


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
