"""Shards: WebDataset tars of samples, a parquet index and a manifest, readable from any place in any order.

    OUT/shard-000000.tar ...    {key}.json and {key}.0.png, {key}.1.jpg ... per sample
    OUT/index.parquet           one row per sample: where it lies, and what it is
    OUT/manifest.json           counts, licenses, hashes, the plan; written last: it means that the set is whole

`ShardWriter` writes one shard and is then done. Its checksum, `sha256`, is of the file; the `hash` of a set is of
what its samples hold, drawn pictures by their pixels, so that it outlives a new version of a PNG encoder. `finish`
joins shards into a set. `ShardReader` gives samples back, also from the middle: position k is reached without
reading what is before it.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from viewfinder.data.records import dump, record_to_sample, sample_to_record
from viewfinder.data.sample import SCHEMA_VERSION, Sample
from viewfinder.data.shard_index import COUNTED, count_of, write_index
from viewfinder.errors import DataError
from viewfinder.media.encode import content_hash

MANIFEST, INDEX = "manifest.json", "index.parquet"


def shard_name(number: int) -> str:
    return f"shard-{number:06d}.tar"


class ShardWriter:
    """One shard, complete only once it is closed: it is written beside and then renamed.

    Each `add` is one row of the index; `close` writes them as a JSON side file that `finish` joins.
    """

    def __init__(self, directory: Path, number: int, image_format: str = "png") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / shard_name(number)
        self._number, self._format = number, image_format
        # two workers may make one shard, when the first was believed dead
        self._mark = f"{os.uname().nodename}-{os.getpid()}.partial"
        self._partial = self.path.with_name(f"{self.path.stem}.{self._mark}")
        self._file = self._partial.open("wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        self.rows: list[dict[str, Any]] = []

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close({})
        else:
            self.abandon()

    def add(self, sample: Sample) -> None:
        """Write one sample."""
        key = f"{self._number:06d}{len(self.rows):06d}"
        record, files = sample_to_record(sample, self._format)
        record["id"] = record["id"] or key
        start = self._tar.offset
        content = hashlib.sha256()
        for name, data in (("json", dump(record)), *files.items()):
            info = tarfile.TarInfo(f"{key}.{name}")
            info.size = len(data)
            self._tar.addfile(info, io.BytesIO(data))
            content.update(content_hash(data).encode())
        self.rows.append(
            {
                "key": key,
                "id": record["id"],
                "shard": self._number,
                "offset": start,
                "nbytes": self._tar.offset - start,
                "content": content.hexdigest(),
                **{name: record[name] for name in COUNTED},
                "media": len(files),
                "characters": sum(len(message.text) for message in sample.messages),
                "tokens": -1 if sample.tokens is None else sample.tokens,
                "stamp": sample.stamp,
            }
        )

    def close(self, report: dict[str, Any]) -> None:
        """Make the shard and its side file appear; `report` says what the operators did."""
        self._tar.close()
        self._file.close()
        with self._partial.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        side = {
            "name": self.path.name,
            "samples": len(self.rows),
            "bytes": self._partial.stat().st_size,
            "sha256": digest,
            "rows": self.rows,
            "report": report,
        }
        self._partial.rename(self.path)
        partial = side_file(self.path).with_name(f"{self.path.stem}.json.{self._mark}")
        partial.write_text(json.dumps(side, ensure_ascii=False))
        partial.rename(side_file(self.path))

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


def side_file(shard: Path) -> Path:
    """Where a shard's own part of the index is kept until `finish`, and its report after that."""
    return (
        shard.parent / "work" / f"{shard.stem}.json" if (shard.parent / "work").is_dir() else shard.with_suffix(".json")
    )


def finish(directory: Path, description: dict[str, Any] | None = None) -> dict[str, Any]:
    """Join the finished shards into a set: write the index and then the manifest, and return that."""
    sides = [json.loads(side_file(path).read_text()) for path in sorted(directory.glob("shard-*.tar"))]
    # rows of a set that was begun by an earlier version have the hash of their files instead
    rows = [{"content": row.get("sha256", ""), **row} for side in sides for row in side["rows"]]
    write_index(rows, directory / INDEX)
    shards = [{key: side[key] for key in ("name", "samples", "bytes", "sha256")} for side in sides]
    stamps = sorted({row["stamp"] for row in rows} - {""})
    manifest = {
        "format": "viewfinder-shards",
        "version": SCHEMA_VERSION,
        "samples": len(rows),
        "stamp": stamps[0] if len(stamps) == 1 else "",
        "tokens": sum(max(row["tokens"], 0) for row in rows),
        "counts": {name: count_of(row[name] for row in rows) for name in COUNTED},
        "shards": shards,
        "hash": hashlib.sha256("".join(row["content"] for row in rows).encode()).hexdigest(),
        **(description or {}),
    }
    partial = directory / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    partial.rename(directory / MANIFEST)
    return manifest


def write_shards(
    samples: Iterable[Sample],
    directory: str | Path,
    per_shard: int = 1000,
    image_format: str = "png",
    **description: Any,
) -> dict[str, Any]:
    """Write samples as a set in one process and return its manifest (see `runner` for plans and many processes).

    Raises:
        DataError: the directory already holds shards.
    """
    directory = Path(directory)
    if any(directory.glob("shard-*")) or (directory / MANIFEST).exists():
        raise DataError(
            f"{directory} already holds shards, so a second set would mix with them; choose an empty folder"
        )
    number, writer = 0, ShardWriter(directory, 0, image_format)
    for sample in samples:
        if len(writer.rows) == per_shard:
            writer.close({})
            number += 1
            writer = ShardWriter(directory, number, image_format)
        writer.add(sample)
    writer.close({})
    manifest = finish(directory, description)
    for path in directory.glob("shard-*.json"):
        path.unlink()
    return manifest


class ShardReader:
    """A finished set. `len` is its number of samples, `reader[i]` one of them, `samples` an endless-or-once stream.

    The order of an epoch depends on the seed and the epoch alone, so a position is one integer.
    """

    def __init__(self, directory: str | Path) -> None:
        """Open a set.

        Raises:
            DataError: no manifest (the set is not finished), or not one of this format.
        """
        self.directory = Path(directory)
        path = self.directory / MANIFEST
        if not path.is_file():
            raise DataError(
                f"{self.directory} has no {MANIFEST}, so it is no finished set; run the build again to finish it"
            )
        self.manifest: dict[str, Any] = json.loads(path.read_text())
        if self.manifest.get("format") != "viewfinder-shards" or self.manifest.get("version") != SCHEMA_VERSION:
            raise DataError(f"{path} is not a set of this version ({SCHEMA_VERSION}); build the set again")
        import pyarrow.parquet as pq

        self.index: dict[str, list[Any]] = pq.read_table(self.directory / INDEX).to_pydict()
        self._files: dict[int, int] = {}  # descriptors, so that threads may read at once

    def __len__(self) -> int:
        return len(self.index["key"])

    def __getitem__(self, i: int) -> Sample:
        """Sample `i` in the order it was written."""
        data = self._read(i)
        record: dict[str, Any] = {}
        files: dict[str, bytes] = {}
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                opened = tar.extractfile(member)
                assert opened is not None
                name = member.name.split(".", 1)[1]
                if name == "json":
                    record = json.loads(opened.read())
                else:
                    files[name] = opened.read()
        return record_to_sample(record, files)

    def _read(self, i: int) -> bytes:
        shard, offset, nbytes = (self.index[name][i] for name in ("shard", "offset", "nbytes"))
        if shard not in self._files:
            self._files[shard] = os.open(self.directory / shard_name(shard), os.O_RDONLY)
        return os.pread(self._files[shard], nbytes, offset)

    def order(self, epoch: int = 0, seed: int | None = None) -> Sequence[int]:
        """Positions of one epoch: as written, or shuffled by `seed` and epoch."""
        if seed is None:
            return range(len(self))
        return np.random.default_rng((seed, epoch)).permutation(len(self)).tolist()

    def samples(self, start: int = 0, *, seed: int | None = None, epochs: int | None = 1) -> Iterator[Sample]:
        """Samples from position `start` on; `samples(k)` gives what `samples()` gives after k.

        Args:
            start: counts through all epochs.
            seed: shuffle each epoch; None keeps the order of writing.
            epochs: how often all are given; None is without end.
        """
        assert start >= 0
        if not len(self):
            return
        epoch, at = divmod(start, len(self))
        while epochs is None or epoch < epochs:
            order = self.order(epoch, seed)
            while at < len(order):
                yield self[order[at]]
                at += 1
            epoch, at = epoch + 1, 0

    def verify(self) -> None:
        """Compare every shard with the manifest.

        Raises:
            DataError: a shard is missing or has other bytes.
        """
        for shard in self.manifest["shards"]:
            path = self.directory / shard["name"]
            found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "nothing"
            if found != shard["sha256"]:
                raise DataError(
                    f"{path} holds {found[:12]}, the manifest says {shard['sha256'][:12]}; copy or build it again"
                )

    def close(self) -> None:
        """Close the files."""
        while self._files:
            os.close(self._files.popitem()[1])

    def __del__(self) -> None:
        if hasattr(self, "_files"):
            self.close()

    def __enter__(self) -> "ShardReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
