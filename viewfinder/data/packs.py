"""The packs of a whole set, fixed on disk: which samples share a sequence of 8,192 or 32,768 tokens, in which order.

Training packs by itself while it reads (`train.dataloader`). A file of packs tells beforehand how many steps a set is
and how full they are, and gives the same packs to any other reader. Position k is a pack, so reading goes on anywhere.

    packs-8192.parquet    pack, rows (positions in the set), tokens; its metadata name the set, stamp and seed
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.shards import ShardReader
from viewfinder.errors import DataError
from viewfinder.storage.atomic import replacing


@dataclass(frozen=True)
class Size:
    """What one sequence takes: tokens of the language model, and FLOPs (or any cost) of all of the model."""

    tokens: int
    cost: float


@dataclass(frozen=True)
class Packing:
    """Numbers of sequences by pack, and those left for the next packs; both in order of their numbers.

    Sequences of 6, 5, 4 and 3 tokens in two packs of 9: packs (0, 3) and (1, 2), nothing left.
    """

    packs: tuple[tuple[int, ...], ...]
    left: tuple[int, ...]


def plan_packs(sizes: Sequence[Size], num_packs: int, length: int, required: int = 0) -> Packing:
    """Fill `num_packs` packs of `length` tokens with the costliest first, each into the cheapest pack with room.

    The first `required` sequences (those left by an earlier call) are placed before all others, so that none
    waits for ever; each sequence must be at most `length` tokens. A pack may stay empty when there are too
    few sequences.
    """
    assert all(size.tokens <= length for size in sizes), "a sequence longer than a pack"
    order = sorted(range(len(sizes)), key=lambda i: (i >= required, -sizes[i].cost, -sizes[i].tokens, i))
    members: list[list[int]] = [[] for _ in range(num_packs)]
    tokens, costs = [0] * num_packs, [0.0] * num_packs
    left: list[int] = []
    for i in order:
        size = sizes[i]
        fitting = [p for p in range(num_packs) if tokens[p] + size.tokens <= length]
        if not fitting:
            left.append(i)
            continue
        place = min(fitting, key=lambda p: (costs[p], p))
        members[place].append(i)
        tokens[place] += size.tokens
        costs[place] += size.cost
    return Packing(tuple(tuple(sorted(m)) for m in members), tuple(sorted(left)))


def share_packs(costs: Sequence[float], ranks: int) -> tuple[tuple[int, ...], ...]:
    """Packs of each rank, as many for each, so that packs that run at the same time cost about the same.

    Ranks wait for each other in every layer, so what counts is the largest cost at each turn: sorted by cost,
    the k-th `ranks` packs run together. Costs 5, 1, 4, 2 on two ranks: (0, 3) and (2, 1).
    """
    assert len(costs) % ranks == 0, f"{len(costs)} packs do not divide among {ranks} ranks"
    order = sorted(range(len(costs)), key=lambda i: (-costs[i], i))
    return tuple(tuple(order[rank::ranks]) for rank in range(ranks))


WINDOW = 2048
"""Samples that are packed at a time: more would fill little better and be less mixed."""


@dataclass(frozen=True)
class PackSummary:
    """What a file of packs holds.

    Attributes:
        set_hash, stamp: of the set, and of the settings its tokens were measured with.
        length: tokens of a full pack.
        packs, samples, tokens: how many.
        too_long: samples longer than a pack, which are in none.
        fill: share of the packs' tokens that are used, 0..1.
    """

    set_hash: str
    stamp: str
    length: int
    seed: int
    packs: int
    samples: int
    tokens: int
    too_long: int
    fill: float


def plan_set(reader: ShardReader, length: int, seed: int = 0) -> tuple[list[tuple[int, ...]], int]:
    """Packs of positions in the set, all samples once, and how many samples are too long for any.

    Raises:
        DataError: tokens were not measured, or not all with one stamp.
    """
    tokens = reader.index["tokens"]
    if not reader.manifest.get("stamp") or min(tokens, default=-1) < 0:
        raise DataError(
            f"{reader.directory} has no token counts of one stamp, so it cannot be packed; run "
            "`viewfinder data filter SET measure:model=MODEL --out OTHER` first"
        )
    order = [int(i) for i in np.random.default_rng(seed).permutation(len(reader)) if tokens[i] <= length]
    packs: list[tuple[int, ...]] = []
    carried: list[int] = []
    for start in range(0, len(order), WINDOW):
        rows = [*carried, *order[start : start + WINDOW]]
        last = start + WINDOW >= len(order)
        made, carried = _fill(rows, tokens, length, len(carried), last)
        packs += made
    return packs, len(reader) - len(order)


def _fill(
    rows: list[int], tokens: list[int], length: int, required: int, last: bool
) -> tuple[list[tuple[int, ...]], list[int]]:
    """Full packs of a window, and what waits for the next; the last window leaves nothing."""
    packs: list[tuple[int, ...]] = []
    while rows:
        sizes = [Size(tokens[i], tokens[i]) for i in rows]
        count = sum(size.tokens for size in sizes) // length + last
        if not count:
            break
        plan = plan_packs(sizes, count, length, required)
        packs += [tuple(rows[i] for i in members) for members in plan.packs if members]
        rows, required = [rows[i] for i in plan.left], 0
        if not last:
            break
    return packs, rows


def write_packs(reader: ShardReader, path: Path, length: int, seed: int = 0) -> PackSummary:
    """Plan the packs of a set and write them; raises as `plan_set`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    packs, too_long = plan_set(reader, length, seed)
    counts = [sum(reader.index["tokens"][row] for row in rows) for rows in packs]
    total = sum(counts)
    summary = PackSummary(
        set_hash=reader.manifest["hash"],
        stamp=reader.manifest["stamp"],
        length=length,
        seed=seed,
        packs=len(packs),
        samples=sum(map(len, packs)),
        tokens=total,
        too_long=too_long,
        fill=round(total / (length * len(packs)), 4) if packs else 0.0,
    )
    table = pa.table({"pack": range(len(packs)), "rows": pa.array(packs, pa.list_(pa.int64())), "tokens": counts})
    path.parent.mkdir(parents=True, exist_ok=True)
    table = table.replace_schema_metadata({"viewfinder-packs": json.dumps(asdict(summary))})
    with replacing(path) as partial:
        pq.write_table(table, partial, write_page_checksum=True)
    return summary


class PackReader:
    """Packs of samples from any position."""

    def __init__(self, path: str | Path, reader: ShardReader) -> None:
        """Open the packs of a set.

        Raises:
            DataError: no such file, or packs of another set.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path, page_checksum_verification=True)
            about: dict[str, Any] = json.loads(table.schema.metadata[b"viewfinder-packs"])
        except (OSError, KeyError, TypeError, pa.ArrowException) as error:
            raise DataError(f"{path} is no file of packs ({error}); write one with `viewfinder data pack`") from error
        self.summary = PackSummary(**about)
        if self.summary.set_hash != reader.manifest["hash"]:
            raise DataError(f"{path} packs another set than {reader.directory}; pack this one")
        self.rows: list[list[int]] = table["rows"].to_pylist()
        self._reader = reader

    def __len__(self) -> int:
        return len(self.rows)

    def packs(self, start: int = 0) -> Iterator[list[Sample]]:
        """Packs `start`, `start + 1`, ... to the end."""
        for rows in self.rows[start:]:
            yield [self._reader[row] for row in rows]
