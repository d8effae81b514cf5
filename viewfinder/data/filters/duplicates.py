"""Samples that are there already: the same, or nearly, in words and in what is shown. The first one stays.

Both look at all samples at once (`plan.GlobalOperator`): each shard leaves small marks, one place compares them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from viewfinder.data.filters.fingerprints import (
    PERMUTATIONS,
    PictureIndex,
    PictureMark,
    are_near,
    media_marks,
    normal,
    read_text_mark,
    text_mark,
)
from viewfinder.data.records import sample_to_record
from viewfinder.data.sample import Sample
from viewfinder.errors import DataError
from viewfinder.media.encode import content_hash


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
