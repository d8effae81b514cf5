"""The index of a set: one row per sample, where it lies, what it is, and a checksum of its bytes."""

import hashlib
import json
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from viewfinder.data.records import record_to_sample
from viewfinder.errors import DataError
from viewfinder.storage.atomic import replacing
from viewfinder.storage.checksums import file_sum
from viewfinder.storage.system_errors import StorageError, read_json

INDEX = "index.parquet"
COUNTED = ("task", "language", "domain", "license")
"""Columns whose values the manifest counts."""
Row = dict[str, Any]


class SummingFile:
    """A file open for writing that knows the SHA-256 of all its bytes and the CRC-32 of those since `crc` was reset."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sha256, self.crc, self.tell = file, hashlib.sha256(), 0, file.tell

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.crc = zlib.crc32(data, self.crc)
        return self._file.write(data)


def index_row(
    key: str, record: Mapping[str, Any], characters: int, media: int, span: tuple[int, int], crc: int, content: str
) -> Row:
    """A row of the index; `span` is offset and size of the sample's bytes in its shard."""
    return {
        "key": key,
        "id": record["id"],
        "shard": int(key[:6]),
        "offset": span[0],
        "nbytes": span[1],
        "crc": crc,
        "content": content,
        **{name: record[name] for name in COUNTED},
        "media": media,
        "characters": characters,
        "tokens": -1 if record.get("tokens") is None else record["tokens"],
        "stamp": record["stamp"],
    }


def side_of(shard: Path, rows: Sequence[Row], sha256: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """What stands beside a shard until its set is finished: its entry of the manifest, its rows, its report."""
    about = {"name": shard.name, "samples": len(rows), "bytes": shard.stat().st_size, "sha256": sha256}
    return {**about, "rows": list(rows), "report": dict(report)}


def read_side(path: Path, shard: Path) -> dict[str, Any] | None:
    """The side file of a shard that has the size it says; None where either is missing or damaged."""
    try:
        side = read_json(path)
        return side if side["bytes"] == shard.stat().st_size else None
    except (OSError, StorageError, KeyError, TypeError):
        return None


def rebuild_side(shard: Path) -> dict[str, Any]:
    """The side file of a shard from its samples alone; pictures are known by their bytes then.

    Raises:
        DataError: the shard itself is damaged.
    """
    groups: dict[str, list[tarfile.TarInfo]] = {}
    rows: list[Row] = []
    try:
        with tarfile.open(shard, "r:") as tar, shard.open("rb") as raw:
            for member in tar:
                groups.setdefault(member.name.split(".", 1)[0], []).append(member)
            for key, members in groups.items():
                start, end = members[0].offset, members[-1].offset_data + -(-members[-1].size // 512) * 512
                contents = {m.name.split(".", 1)[1]: tar.extractfile(m).read() for m in members}  # type: ignore[union-attr]
                content = hashlib.sha256("".join(hashlib.sha256(d).hexdigest() for d in contents.values()).encode())
                record = json.loads(contents.pop("json"))
                characters = sum(len(message.text) for message in record_to_sample(record, contents).messages)
                raw.seek(start)
                crc = zlib.crc32(raw.read(end - start))
                span = (start, end - start)
                rows.append(index_row(key, record, characters, len(contents), span, crc, content.hexdigest()))
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise DataError(f"{shard} is damaged ({error}); bring it back from a copy, or remove it") from error
    return side_of(shard, rows, file_sum(shard), {})


def content_of(rows: Sequence[str]) -> str:
    """The hash of a set from those of its rows."""
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def count_values(values: Iterable[str]) -> dict[str, int]:
    """How often each; "a+b" counts for both (tasks of several turns)."""
    return dict(sorted(Counter(part for value in values for part in value.split("+")).items()))


def write_index(rows: Sequence[Row], directory: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"shard": pa.int32(), "offset": pa.int64(), "nbytes": pa.int64(), "media": pa.int32()}
    kinds |= {"crc": pa.int64(), "characters": pa.int64(), "tokens": pa.int64()}
    names = ("key", "id", "shard", "offset", "nbytes", "crc", "content", *COUNTED)
    names += ("media", "characters", "tokens", "stamp")
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    with replacing(directory / INDEX) as partial:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), partial, write_page_checksum=True)


def read_index(directory: Path, manifest: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The rows that the manifest speaks of; a set that grows may have more for a moment, since the index comes first.

    Raises:
        DataError: a shard, or the index, is missing or is not what the manifest says.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for shard in manifest["shards"]:
        path = directory / shard["name"]
        found = path.stat().st_size if path.is_file() else None
        if found != shard["bytes"]:
            state = "missing" if found is None else f"{found:,} bytes long and not {shard['bytes']:,}"
            raise DataError(f"{path} is {state}, so the set is not whole; copy it again, or run its build again")
    try:
        whole = manifest.get("index") in (None, file_sum(directory / INDEX))
        table = pq.read_table(directory / INDEX, page_checksum_verification=True)
        grown = len(table) > manifest["samples"]
        index = table.slice(0, manifest["samples"]).to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{directory / INDEX} is missing or damaged ({error}); copy it again, or run its build again"
        ) from error
    other = "content" in index and content_of(index["content"]) != manifest["hash"]
    if other or not (whole or grown) or len(table) < manifest["samples"]:
        raise DataError(
            f"{directory / INDEX} is not that of the manifest ({len(table):,} rows, {manifest['samples']:,} samples); "
            "copy both again, or run the build again"
        )
    return index
