"""The index of a set of shards: its columns, and how often each task, language, domain and license occurs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

COUNTED = ("task", "language", "domain", "license")
"""Columns whose values a manifest counts."""


def count_of(values: Iterable[str]) -> dict[str, int]:
    """How often each; "a+b" counts for both (tasks of several turns)."""
    return dict(sorted(Counter(part for value in values for part in value.split("+")).items()))


def write_index(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write one row a sample as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"shard": pa.int32(), "offset": pa.int64(), "nbytes": pa.int64(), "media": pa.int32()}
    kinds |= {"characters": pa.int64(), "tokens": pa.int64()}
    names = ("key", "id", "shard", "offset", "nbytes", "content", *COUNTED, "media", "characters", "tokens", "stamp")
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
