"""Where a run's samples come from: shards, mixtures of them, conversation files, or the synthetic generator.

`DataConfig` is what the section `data` of a config may hold. Any row has a number, and the same number is the
same row, so a run goes on anywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from viewfinder.data.mixture import Mixture, open_mixture
from viewfinder.data.sample import Sample
from viewfinder.data.shards import MANIFEST, ShardReader
from viewfinder.data.sources.conversations import read_rows
from viewfinder.data.sources.fields import RowReader
from viewfinder.data.sources.keys import read_object
from viewfinder.errors import DataError, ViewfinderError
from viewfinder.recipes.synthetic import KINDS, synthetic_source
from viewfinder.train.config import ConfigError
from viewfinder.train.dataloader import Row, RowSource


@dataclass(frozen=True)
class ConversationFile:
    """Rows of one file, each read only when it is asked for.

    Attributes:
        path: of the file, named in reports of bad rows.
        rows: as they stand there.
        reader: of a row.
    """

    path: Path
    rows: Sequence[Any]
    reader: RowReader

    @classmethod
    def open(cls, path: str | Path, media: str | Path | None = None, **options: str) -> "ConversationFile":
        """Read a `.json` list or a `.jsonl`.

        Raises:
            DataError: no such file, or not of that form.
        """
        path = Path(path)
        return cls(path, read_rows(path), RowReader(Path(media) if media else path.parent, **options))

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> Row:
        return Row(f"row {index + 1} of {self.path.name}", lambda: self.reader(read_object(self.rows[index])))


class DataConfig(BaseModel):
    """The section `data`.

    Attributes:
        source: "synthetic", a folder of shards, a mixture file (`viewfinder data mix`), or a conversation file.
        stage: of a mixture file.
        kinds: weights of the generated kinds.
        media: folder that a conversation file's relative paths start from; its own folder by default.
        coordinates: pixels of the original picture, or of the resized one, in a conversation file's turns.
        ignore: keys of a conversation file's rows that are left out on purpose, as "score,license".
        epochs: how often all rows are seen; 0 is without end.
        holdout: rows kept for validation, the last of a file or set (or extra synthetic ones).
        max_pixels, video_max_pixels: largest picture and frame the model sees; 0 is the processor's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str = "synthetic"
    stage: str | None = None
    kinds: dict[str, float] = Field(default_factory=lambda: {"answers": 1.0})
    media: str | None = None
    coordinates: Literal["original", "model"] = "original"
    ignore: str = ""
    epochs: int = Field(default=0, ge=0)
    holdout: int = Field(default=0, ge=0)
    max_pixels: int = Field(default=0, ge=0)
    video_max_pixels: int = Field(default=0, ge=0)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "DataConfig":
        """Check the section.

        Raises:
            ConfigError: an unknown key or value.
        """
        try:
            config = cls.model_validate(dict(data))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            known = ", ".join(cls.model_fields)
            raise ConfigError(f"data.{name}: {first['msg']}; settings of data are {known}") from error
        unknown = sorted(set(config.kinds) - set(KINDS))
        if unknown or not config.kinds:
            raise ConfigError(f"data.kinds names {', '.join(unknown) or 'nothing'}; there are {', '.join(KINDS)}")
        return config


class RowSet(Protocol):
    """A finite set of rows."""

    def __len__(self) -> int: ...
    def row(self, index: int) -> Row: ...


@dataclass(frozen=True)
class ShardSet:
    """A finished set of shards as rows."""

    reader: ShardReader

    def __len__(self) -> int:
        return len(self.reader)

    def row(self, index: int) -> Row:
        return Row(f"{self.reader.directory.name} {self.reader.index['key'][index]}", lambda: self.reader[index])


@dataclass(frozen=True)
class Part:
    """Rows `start` to `stop` of a set."""

    whole: RowSet
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def row(self, index: int) -> Row:
        return self.whole.row(self.start + index)


def shuffled(rows: RowSet, seed: int, epochs: int = 0) -> RowSource:
    """Every row once an epoch, each epoch in an order of its own."""

    def source(start: int) -> Iterator[Row]:
        first, at = divmod(start, len(rows))
        for epoch in range(first, epochs) if epochs else count(first):
            order = np.random.default_rng((seed, epoch)).permutation(len(rows))
            yield from (rows.row(int(i)) for i in order[at:])
            at = 0

    return source


def mixed(mixture: Mixture, sources: Sequence[RowSource]) -> RowSource:
    """Rows of several sources in the shares and the order of a mixture."""

    def source(start: int) -> Iterator[Row]:
        streams = [s(at) for s, at in zip(sources, mixture.positions(start), strict=True)]
        for number in count(start):
            block, at = divmod(number, 4096)
            yield next(streams[int(mixture.choices(block)[at])])

    return source


@dataclass(frozen=True)
class Sources:
    """What a run trains on, what it is validated on, and which rows were to be and could not."""

    training: RowSource
    held_out: tuple[Sample, ...]
    refused: tuple[dict[str, str], ...] = ()


def open_sources(config: DataConfig, seed: int) -> Sources:
    """Open what `config` names.

    Raises:
        DataError: it cannot be read, or holds fewer rows than are to be held out.
    """
    if config.source == "synthetic":
        held = synthetic_source(config.kinds, seed + 1_000_003)
        rows = list(islice(held(0), config.holdout))
        training = synthetic_source(config.kinds, seed)
        if config.epochs:
            training = _first(training, config.epochs * SYNTHETIC_EPOCH)
        return Sources(training, *_samples(rows))
    path = Path(config.source)
    if path.suffix in (".json", ".jsonl") and not _is_mixture(path):
        return _split(
            ConversationFile.open(path, config.media, coordinates=config.coordinates, ignore=config.ignore),
            config,
            seed,
        )
    if (path / MANIFEST).is_file():
        return _split(ShardSet(ShardReader(path)), config, seed)
    if _is_mixture(path):
        return _open_mixture(path, config)
    raise DataError(f"data.source {config.source!r} is no conversation file, mixture or finished shards; name one")


SYNTHETIC_EPOCH = 1024


def _first(source: RowSource, number: int) -> RowSource:
    def limited(start: int) -> Iterator[Row]:
        return islice(source(start), max(0, number - start))

    return limited


def _split(rows: RowSet, config: DataConfig, seed: int) -> Sources:
    cut = len(rows) - config.holdout
    if cut < 1:
        raise DataError(f"{config.source} has {len(rows)} rows, so {config.holdout} cannot be held out; lower holdout")
    held = [rows.row(i) for i in range(cut, len(rows))]
    return Sources(shuffled(Part(rows, 0, cut), seed, config.epochs), *_samples(held))


def _open_mixture(path: Path, config: DataConfig) -> Sources:
    mixture = open_mixture(path, config.stage)
    sets = [ShardSet(reader) for reader in mixture.readers]
    cuts = [max(1, len(rows) - config.holdout // len(sets)) for rows in sets]
    held = [rows.row(i) for rows, cut in zip(sets, cuts, strict=True) for i in range(cut, len(rows))]
    parts = [Part(rows, 0, cut) for rows, cut in zip(sets, cuts, strict=True)]
    return Sources(mixed(mixture, [shuffled(p, mixture.seed) for p in parts]), *_samples(held))


def _is_mixture(path: Path) -> bool:
    if path.suffix != ".json" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return '"viewfinder-mixture"' in file.read(4096)


def _samples(rows: Sequence[Row]) -> tuple[tuple[Sample, ...], tuple[dict[str, str], ...]]:
    """Held-out rows that can be read, and the others with their reasons."""
    found: list[Sample] = []
    refused: list[dict[str, str]] = []
    for row in rows:
        try:
            found.append(row.make())
        except (ViewfinderError, OSError) as error:
            refused.append({"row": row.name, "reason": " ".join(str(error).split())})
    return tuple(found), tuple(refused)
