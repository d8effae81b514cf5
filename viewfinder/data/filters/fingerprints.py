"""Marks of texts, pictures and clips that stay nearly equal where the thing stays nearly equal.

Texts: MinHash of word triples (datasketch). Pictures: perceptual hash of 64 bits (ImageHash) with sixteen mean colors
and the aspect, since a hash of the outlines alone takes a red square on grey for a blue one on white. Clips: pictures
at four moments. All marks go through JSON.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.data.records import sample_to_record
from viewfinder.data.sample import Sample
from viewfinder.errors import DataError
from viewfinder.media.encode import content_hash
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


class ExactDuplicates:
    """Drops samples whose words and media are an earlier one's: files byte for byte, drawings pixel for pixel."""

    name, version = "exact_duplicates", 1

    def summary(self, sample: Sample) -> Any:
        record, files = sample_to_record(sample)
        digest = hashlib.sha256(repr(record["messages"]).encode())
        for data in files.values():
            digest.update(content_hash(data).encode())
        return [sample.id, digest.hexdigest()]

    def decide(self, summaries: Sequence[Any]) -> Mapping[int, str]:
        first: dict[str, str] = {}
        dropped: dict[int, str] = {}
        for i, (name, digest) in enumerate(summaries):
            if digest in first:
                dropped[i] = f"the same as {first[digest]}"
            else:
                first[digest] = name
        return dropped


class NearDuplicates:
    """Drops samples that are nearly an earlier one.

    Args:
        by: "both" (words and media; words alone where nothing is shown), "text", or "media".
        text: least share of word triples in common (Jaccard, estimated).
    """

    name, version = "near_duplicates", 1

    def __init__(self, by: str = "both", text: float = 0.8) -> None:
        if by not in ("both", "text", "media"):
            raise DataError(f"near_duplicates compares by both, text or media, not {by!r}")
        self.by, self.text = by, text

    def summary(self, sample: Sample) -> Any:
        words = "\n".join(message.text for message in sample.messages if message.role != "system")
        media = [] if self.by == "text" else [[m.to_list() for m in media_marks(part)] for part in sample.media]
        return [sample.id, "" if self.by == "media" or not normal(words) else text_mark(words), media]

    def decide(self, summaries: Sequence[Any]) -> Mapping[int, str]:
        ids = [one[0] for one in summaries]
        media = [[[PictureMark.from_list(m) for m in part] for part in one[2]] for one in summaries]
        shown = [i for i in range(len(ids)) if media[i]] if self.by != "text" else []
        near_media = _near_media(media, shown)
        if self.by == "media":
            return {i: f"shows the same as {ids[j]}" for i, j in _first(near_media).items()}
        if self.by == "text":
            near_text = self._near_text(summaries, range(len(ids)))
            return {i: f"says the same as {ids[j]}" for i, j in _first(near_text).items()}
        silent = [i for i in range(len(ids)) if not media[i]]
        dropped = {i: f"says the same as {ids[j]}" for i, j in _first(self._near_text(summaries, silent)).items()}
        both = {i: {j for j in others if self._alike(summaries[i], summaries[j])} for i, others in near_media.items()}
        return dropped | {i: f"shows and says the same as {ids[j]}" for i, j in _first(both).items()}

    def _alike(self, one: Any, other: Any) -> bool:
        if not one[1] or not other[1]:
            return one[1] == other[1]
        return bool(read_text_mark(one[1]).jaccard(read_text_mark(other[1])) >= self.text)

    def _near_text(self, summaries: Sequence[Any], chosen: Sequence[int]) -> dict[int, set[int]]:
        from datasketch import MinHashLSH

        lookup = MinHashLSH(threshold=max(0.1, self.text - 0.1), num_perm=PERMUTATIONS)
        near: dict[int, set[int]] = {}
        for i in chosen:
            if not summaries[i][1]:
                continue
            mark = read_text_mark(summaries[i][1])
            found = (j for j in lookup.query(mark) if isinstance(j, int))  # the keys that `insert` is given
            near[i] = {j for j in found if self._alike(summaries[i], summaries[j])}
            lookup.insert(i, mark)
        return near


def _near_media(media: Sequence[Sequence[Sequence[PictureMark]]], chosen: Sequence[int]) -> dict[int, set[int]]:
    """For each sample the earlier ones that show the same, all media in order; looked up by a mark of the first."""
    index, owners = PictureIndex(), list[int]()
    near: dict[int, set[int]] = {}
    for i in chosen:
        found = {owners[n] for mark in media[i][0] for n in index.near(mark)}
        near[i] = {j for j in found if len(media[i]) == len(media[j]) and all(map(are_near, media[i], media[j]))}
        for mark in media[i][0]:
            index.add(mark)
            owners.append(i)
    return near


def _first(near: Mapping[int, set[int]]) -> dict[int, int]:
    """Each sample that goes, with the earliest kept one that it is near to."""
    dropped: dict[int, int] = {}
    for i in sorted(near):
        kept = sorted(j for j in near[i] if j not in dropped)
        if kept:
            dropped[i] = kept[0]
    return dropped
