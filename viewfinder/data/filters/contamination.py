"""Samples that show or ask what an evaluation set shows or asks.

A picture or clip of the evaluation set, also resized, recompressed or slightly cropped, is reason enough, whatever is
asked about it. Words count where nothing is shown, or where they are long: runs of eight words in common, those that
are common to many items (the wording of a prompt) left out.
"""

import csv
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from viewfinder.data.filters.fingerprints import PictureIndex, PictureMark, are_near, media_marks, normal
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.data.shards import MANIFEST, ShardReader
from viewfinder.data.sources.conversations import PICTURES, list_files
from viewfinder.data.sources.videos import SUFFIXES
from viewfinder.errors import DataError, ViewfinderError
from viewfinder.messages import ImagePart, VideoPart
from viewfinder.outputs.json_lines import read_lines, read_text, read_values

GRAM = 8
_SHARED = 0.5
_TEMPLATE = 3

Item = tuple[str, str, list[ImagePart | VideoPart]]
"""Name, words, media."""


class Contamination:
    """Drops samples that overlap with evaluation sets.

    Args:
        against: sets, separated by "+": a finished set, a folder of pictures and clips, or a file of items (.json,
            .jsonl, .tsv with base64 pictures, .parquet, .txt).
    """

    name, version = "contamination", 1

    def __init__(self, against: str) -> None:
        self.paths = tuple(path for path in against.split("+") if path)
        if not self.paths:
            raise DataError("contamination needs evaluation sets; give against=PATH+PATH")

    def __call__(self, sample: Sample) -> Iterable[Sample | Bad]:
        index = _index(self.paths)
        for part in sample.media:
            name = index.find_media(part)
            if name is not None:
                return [Bad(f"contamination: shows what {name} shows", sample.id)]
        words = " ".join(m.text for m in sample.messages if m.role in ("user", "assistant"))
        name = index.find_words(words, bool(sample.media))
        return [sample] if name is None else [Bad(f"contamination: asks what {name} asks", sample.id)]


class Index:
    """Items of evaluation sets, to be looked up by likeness."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.media: list[tuple[str, list[PictureMark]]] = []
        self.pictures, self.owners = PictureIndex(), list[int]()
        self.whole: dict[str, str] = {}
        grams: dict[str, set[str]] = {}
        for name, words, media in items:
            for part in media:
                self._add_media(name, part)
            said = normal(words)
            if not media and said:
                self.whole[" ".join(said)] = name
            if len(said) >= GRAM:
                grams[name] = set(_grams(said))
        common = Counter(gram for one in grams.values() for gram in one)
        rare = {name: {g for g in one if common[g] < _TEMPLATE} for name, one in grams.items()}
        self.rare = {name: len(one) for name, one in rare.items() if one}
        self.grams: dict[str, list[str]] = defaultdict(list)
        for name, one in rare.items():
            for gram in one:
                self.grams[gram].append(name)

    def _add_media(self, name: str, part: ImagePart | VideoPart) -> None:
        try:
            marks = media_marks(part)
        except ViewfinderError:
            return  # an item that cannot be shown cannot leak
        for mark in marks:
            self.pictures.add(mark)
            self.owners.append(len(self.media))
        self.media.append((name, marks))

    def find_media(self, part: ImagePart | VideoPart) -> str | None:
        """The item that shows the same, if any."""
        marks = media_marks(part)
        found = {self.owners[n] for mark in marks for n in self.pictures.near(mark)}
        return next((self.media[i][0] for i in sorted(found) if are_near(marks, self.media[i][1])), None)

    def find_words(self, words: str, shown: bool) -> str | None:
        """The item most of whose own runs of words stand in `words`; short ones must be equal and show nothing."""
        said = normal(words)
        hits = Counter(name for gram in set(_grams(said)) for name in self.grams.get(gram, ()))
        for name, count in hits.most_common(3):
            if count >= max(1, _SHARED * self.rare[name]):
                return name
        return None if shown else self.whole.get(" ".join(said))


def _grams(words: list[str]) -> Iterator[str]:
    for i in range(len(words) - GRAM + 1):
        yield " ".join(words[i : i + GRAM])


@lru_cache(maxsize=2)
def _index(paths: tuple[str, ...]) -> Index:
    return Index(item for path in paths for item in read_items(Path(path)))


def read_items(path: Path) -> Iterator[Item]:
    """Items of an evaluation set.

    Raises:
        DataError: nothing that is known as one.
    """
    if (path / MANIFEST).is_file():
        with ShardReader(path) as reader:
            for sample in reader.samples():
                yield f"{path.name} {sample.id}", " ".join(m.text for m in sample.messages), list(sample.media)
    elif path.is_dir():
        for file in list_files(path, (*PICTURES, *SUFFIXES)):
            part = ImagePart(image=str(file)) if file.suffix.lower() in PICTURES else VideoPart(video=str(file))
            yield f"{path.name} {file.relative_to(path)}", "", [part]
    elif path.is_file():
        for i, row in enumerate(_rows(path)):
            yield f"{path.name} row {i + 1}", *_item(row, path.parent)
    else:
        raise DataError(f"there is no evaluation set {path}")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        yield from pq.read_table(path).to_pylist()
    elif path.suffix in (".tsv", ".csv"):
        csv.field_size_limit(min(sys.maxsize, 1 << 30))
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
    elif path.suffix == ".txt":
        yield from ({"text": line} for line in read_lines(path))
    elif path.suffix == ".jsonl":
        yield from read_values(path)
    elif path.suffix == ".json":
        raw = json.loads(read_text(path))
        yield from raw if isinstance(raw, list) else next((v for v in raw.values() if isinstance(v, list)), [])
    else:
        raise DataError(f"{path} is no evaluation set (.json, .jsonl, .tsv, .csv, .parquet, .txt)")


def _item(row: dict[str, Any], folder: Path) -> tuple[str, list[ImagePart | VideoPart]]:
    words: list[str] = []
    media: list[ImagePart | VideoPart] = []

    def walk(value: Any, key: str) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("bytes"), bytes):
                media.append(ImagePart(image=value["bytes"]))
                return
            for name, inner in value.items():
                walk(inner, str(name).lower())
        elif isinstance(value, list | tuple):
            for inner in value:
                walk(inner, key)
        elif isinstance(value, bytes):
            media.append(ImagePart(image=value))
        elif isinstance(value, str) and value.strip():
            _add(value, key)

    def _add(value: str, key: str) -> None:
        suffix = Path(value).suffix.lower() if len(value) < 300 else ""
        if suffix in PICTURES or suffix in SUFFIXES:
            source = str(folder / value)
            if Path(source).is_file():
                media.append(ImagePart(image=source) if suffix in PICTURES else VideoPart(video=source))
        elif key.startswith("image") and len(value) > 200 and re.fullmatch(r"[A-Za-z0-9+/=\s]+", value):
            media.append(ImagePart(image=f"data:image/png;base64,{value}"))
        elif not value.startswith("data:"):
            words.append(value)

    walk(row, "")
    return " ".join(words), media
