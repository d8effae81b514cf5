"""From rows of data to steps of packed batches. The same row is in the same step, however often a run was stopped.

Rows are read ahead, prepared (tokens and sizes, no pixels) and packed for all ranks at once, so all ranks come to the
same plan. Each rank then loads only the rows it trains on. Rows that did not fit wait for the next step. Several
processes of a rank come to the same plan in the same way, and each loads only its own steps.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from viewfinder.data.packs import plan_packs, share_packs
from viewfinder.data.parent import end_with_parent
from viewfinder.data.sample import Sample
from viewfinder.errors import DataError, ViewfinderError
from viewfinder.train.batches import Dataloader, Position, Step
from viewfinder.train.collators import Collator, PreparedRow


@dataclass(frozen=True)
class Row:
    """One row of a source: its name for reports, and a function that makes the sample (and may fail)."""

    name: str
    make: Callable[[], Sample]


RowSource = Callable[[int], Iterator[Row]]
"""Rows from a number on; the same number is always the same row. May be endless."""

SURPLUS = 1.15
"""Tokens read for a step, as a multiple of what fits: more tokens fill the packs better."""
MAX_REFUSED = 0.5
"""Share of refused rows that stops a run."""


@dataclass
class _Waiting:
    """A row that was prepared and not yet trained on."""

    number: int
    name: str
    row: PreparedRow


@dataclass(frozen=True)
class PackedLoader:
    """Steps of packed samples.

    Args:
        source: rows by number.
        collator: of the objective.
        seq_len: tokens of a packed sequence.
        global_batch_size: packed sequences of one step, over all ranks.
        rank, ranks: the share of the batches that this process takes.
        first, every: only the steps `first`, `first + every`, ... after the position are loaded and given.
    """

    source: RowSource
    collator: Collator
    seq_len: int
    global_batch_size: int
    rank: int = 0
    ranks: int = 1
    first: int = 0
    every: int = 1

    def share(self, number: int, of: int) -> "PackedLoader":
        """Every `of`-th step from the number-th on, each as it is in the whole; for one of several processes."""
        return replace(self, first=number, every=of)

    def __call__(self, position: Position | None) -> Iterator[Step]:
        """Steps from `position` on, to the end of the source.

        Refused rows are reported in the step that read them (those whose pixels cannot be, in the step that has them);
        before an error, and at the end of the source, in a step without batches.

        Raises:
            DataError: more than half of at least 100 rows were refused, or all of them.
        """
        reader = _Reader(self, position)
        for number in count():
            is_own = number % self.every == self.first
            refused: list[dict[str, str]] = []
            waiting = reader.fill(refused)
            problem = reader.prepared.problem(refused, True)
            if not waiting and self.every == 1:
                problem = problem or reader.loaded.problem(reader.unreadable, True)
            if self.rank:  # every rank reads all rows; only the first one reports them
                refused = []
            packs = [] if problem else reader.plan(waiting)
            batches = [self._batch(members, refused, reader) for members in packs] if is_own else []
            problem = problem or reader.loaded.problem(reader.unreadable, False)
            if is_own and (refused or packs):
                is_void = problem or (self.ranks == 1 and all(batch is None for batch in batches))
                given = () if is_void else [self.collator.empty() if batch is None else batch for batch in batches]
                yield Step(given, reader.position(), tuple(refused))
            if problem and is_own:
                raise DataError(problem)
            if problem or not waiting:
                return

    def _batch(self, members: list[_Waiting], refused: list[dict[str, str]], reader: "_Reader") -> Any:
        """A packed batch; None where no row of it could be loaded."""
        items, numbers = [], []
        for one in members:
            reader.loaded.seen += 1
            try:
                items.append(self.collator.load(one.row))
                numbers.append(one.number)
            except (ViewfinderError, OSError) as error:
                reader.loaded.refused += 1
                refused.append({"row": one.name, "reason": _reason(error)})
                reader.unreadable = [*reader.unreadable[-99:], refused[-1]]
        return self.collator.collate(items, numbers) if items else None


@dataclass
class _RowCount:
    """How many rows were looked at, and how many of them were refused."""

    seen: int = 0
    refused: int = 0

    @property
    def is_bad(self) -> bool:
        return self.seen >= 100 and self.refused > MAX_REFUSED * self.seen

    def problem(self, rows: list[dict[str, str]], has_all: bool) -> str:
        """Why training cannot go on with what was read until now, of which `rows` were refused last; "" where it can.
        Where these are `has_all` that was asked for, fewer than 100 decide too."""
        if not rows or not (self.is_bad or (has_all and self.refused == self.seen)):
            return ""
        return (
            f"{self.refused} of the first {self.seen} rows were refused; {_commonest(rows)}: something is wrong "
            "with all of the data: correct it and run again (each row stands in quarantine.jsonl)"
        )


class _Reader:
    """Rows in their order, and those that wait; `prepared` and `loaded` count those that were."""

    def __init__(self, loader: PackedLoader, position: Position | None) -> None:
        self.loader = loader
        self.next: int = position["next"] if position else 0
        left: list[int] = position["left"] if position else []
        self.prepared = _RowCount(position["seen"], position["refused"]) if position else _RowCount()
        self.loaded = _RowCount()
        self.unreadable: list[dict[str, str]] = []
        start = min([*left, self.next])
        self.rows = loader.source(start)
        self.waiting: list[_Waiting] = []
        for number in range(start, self.next):
            row = next(self.rows)
            if number in left and (one := self._read(number, row, [])) is not None:
                self.waiting.append(one)
        self.carried = len(self.waiting)

    def position(self) -> Position:
        left = [one.number for one in self.waiting]
        return {"next": self.next, "left": left, "seen": self.prepared.seen, "refused": self.prepared.refused}

    def fill(self, refused: list[dict[str, str]]) -> list[_Waiting]:
        """Rows for one step, those left over first."""
        waiting = list(self.waiting)
        tokens = sum(one.row.size.tokens for one in waiting)
        while tokens < SURPLUS * self.loader.global_batch_size * self.loader.seq_len:
            row = next(self.rows, None)
            if row is None:
                break
            one = self._read(self.next, row, refused)
            self.next += 1
            self.prepared.seen += 1
            if one is None:
                self.prepared.refused += 1
                if self.prepared.is_bad:
                    break
                continue
            waiting.append(one)
            tokens += one.row.size.tokens
        return waiting

    def plan(self, waiting: list[_Waiting]) -> list[list[_Waiting]]:
        """The rows of each batch of this rank; those that do not fit wait for the next step."""
        if not waiting:
            return []
        loader, sizes = self.loader, [one.row.size for one in waiting]
        plan = plan_packs(sizes, loader.global_batch_size, loader.seq_len, required=self.carried)
        self.waiting = [waiting[i] for i in plan.left]
        self.carried = len(self.waiting)
        costs = [sum(sizes[i].cost for i in members) for members in plan.packs]
        mine = share_packs(costs, loader.ranks)[loader.rank]
        return [[waiting[i] for i in plan.packs[p]] for p in mine]

    def _read(self, number: int, row: Row, refused: list[dict[str, str]]) -> _Waiting | None:
        try:
            return _Waiting(number, row.name, self.loader.collator.prepare(row.make()))
        except (ViewfinderError, OSError) as error:
            refused.append({"row": row.name, "reason": _reason(error)})
            return None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())


def _commonest(refused: list[dict[str, str]]) -> str:
    """The three commonest reasons, each with the first row it was given for."""
    rows: dict[str, list[str]] = {}
    for one in refused:
        rows.setdefault(one["reason"], []).append(one["row"])
    shown = sorted(rows, key=lambda reason: -len(rows[reason]))[:3]
    return "; ".join(f"{rows[reason][0]}{_more(len(rows[reason]) - 1)}: {reason[:300]}" for reason in shown)


def _more(number: int) -> str:
    return f" and {number} more" if number else ""


@dataclass(frozen=True)
class _Failure:
    """An error on its way out of a worker."""

    kind: type[ViewfinderError]
    reason: str


class _Dataset(IterableDataset[Any]):
    """Steps; an error meant for users is the last item, since a loader would wrap it in the worker's traceback."""

    def __init__(self, make: Callable[[int, int], Iterator[Step]]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Step | _Failure]:
        end_with_parent()
        torch.set_num_threads(1)  # more threads would take cores from training
        worker = get_worker_info()
        assert worker is not None
        try:
            yield from self.make(worker.id, worker.num_workers)
        except ViewfinderError as error:
            yield _Failure(type(error), str(error))


def in_worker(dataloader: Dataloader, workers: int, *, pin_memory: bool = False) -> Dataloader:
    """The same steps, made ahead in processes of their own or in this one (`workers` 0).

    A dataloader with a method `share(number, of)`, which gives every `of`-th step from the number-th on, has as many
    processes as are asked for, any other one has one. Steps come in their order: of two processes the first makes
    steps 0, 2, 4.

    A process is a fork, whatever Python's default is, for sources of rows are not pickled; where a fork is not safe
    (macOS) or not there, steps are made in this process. `pin_memory` copies those of the workers to page-locked
    memory, for a GPU; it needs one.
    """
    if not workers or not sys.platform.startswith("linux"):
        return dataloader
    share: Callable[[int, int], Dataloader] | None = getattr(dataloader, "share", None)
    options: dict[str, Any] = {
        "num_workers": workers if share else 1,
        "prefetch_factor": 4,
        "multiprocessing_context": "fork",
    }

    def steps(position: Position | None) -> Iterator[Step]:
        def make(number: int, of: int) -> Iterator[Step]:
            return (share(number, of) if share else dataloader)(position)

        dataset = _Dataset(make)
        for item in DataLoader(dataset, batch_size=None, pin_memory=pin_memory, **options):
            if isinstance(item, _Failure):
                raise item.kind(item.reason)
            yield item

    return steps
