"""From rows of data to steps of packed batches. The same row is in the same step, however often a run was stopped.

Rows are read ahead, prepared (tokens and sizes, no pixels) and packed for all ranks at once, so all ranks come to the
same plan. Each rank then loads only the rows it trains on. Rows that did not fit wait for the next step.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from viewfinder.data.packing import plan_packs, share_packs
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
    """A row that was prepared and not yet trained on; `item` holds it with pixels where these are loaded already."""

    number: int
    name: str
    row: PreparedRow
    item: Any = None


@dataclass(frozen=True)
class PackedLoader:
    """Steps of packed samples.

    Args:
        source: rows by number.
        collator: of the objective.
        seq_len: tokens of a packed sequence.
        global_batch_size: packed sequences of one step, over all ranks.
        rank, ranks: the share of the batches that this process takes.
    """

    source: RowSource
    collator: Collator
    seq_len: int
    global_batch_size: int
    rank: int = 0
    ranks: int = 1

    def __call__(self, position: Position | None) -> Iterator[Step]:
        """Steps from `position` on, to the end of the source.

        Refused rows are reported in the step that read them; before an error, and at the end of the source, in a step
        without batches.

        Raises:
            DataError: more than half of at least 100 rows were refused, or all of them.
        """
        reader = _Reader(self, position)
        while True:
            refused: list[dict[str, str]] = []
            waiting = reader.fill(refused)
            problem = reader.problem(refused)
            if self.rank:  # every rank reads all rows; only the first one reports them
                refused = []
            if problem or not waiting:
                if refused:
                    yield Step((), reader.position(), tuple(refused))
                if problem:
                    raise DataError(problem)
                return
            sizes = [one.row.size for one in waiting]
            plan = plan_packs(sizes, self.global_batch_size, self.seq_len, required=reader.carried)
            reader.waiting = [waiting[i] for i in plan.left]
            reader.carried = len(reader.waiting)
            costs = [sum(sizes[i].cost for i in members) for members in plan.packs]
            mine = share_packs(costs, self.ranks)[self.rank]
            batches = [self._batch([waiting[i] for i in plan.packs[p]], refused) for p in mine]
            yield Step(batches, reader.position(), tuple(refused))

    def _batch(self, members: list[_Waiting], refused: list[dict[str, str]]) -> Any:
        items, numbers = [], []
        for one in members:
            try:
                items.append(one.item if one.item is not None else self.collator.load(one.row))
                numbers.append(one.number)
            except (ViewfinderError, OSError) as error:
                refused.append({"row": one.name, "reason": _reason(error)})
        return self.collator.collate(items, numbers) if items else self.collator.empty()


class _Reader:
    def __init__(self, loader: PackedLoader, position: Position | None) -> None:
        self.loader = loader
        self.next: int = position["next"] if position else 0
        left: list[int] = position["left"] if position else []
        self.seen, self.refused = (position["seen"], position["refused"]) if position else (0, 0)
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
        return {"next": self.next, "left": left, "seen": self.seen, "refused": self.refused}

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
            self.seen += 1
            if one is None:
                self.refused += 1
                if self._too_many():
                    break
                continue
            waiting.append(one)
            tokens += one.row.size.tokens
        return waiting

    def _read(self, number: int, row: Row, refused: list[dict[str, str]]) -> _Waiting | None:
        try:
            prepared = self.loader.collator.prepare(row.make())
            # a single process trains on every row, so pixels that cannot be read are found before the plan is made
            item = self.loader.collator.load(prepared) if self.loader.ranks == 1 else None
            return _Waiting(number, row.name, prepared, item)
        except (ViewfinderError, OSError) as error:
            refused.append({"row": row.name, "reason": _reason(error)})
            return None

    def _too_many(self) -> bool:
        return self.seen >= 100 and self.refused > MAX_REFUSED * self.seen

    def problem(self, refused: list[dict[str, str]]) -> str:
        """Why training cannot go on with what was read until now; "" where it can."""
        if not refused or not (self._too_many() or self.refused == self.seen):
            return ""
        return (
            f"{self.refused} of the first {self.seen} rows were refused; {_commonest(refused)}: something is wrong "
            "with all of the data: correct it and run again (each row stands in quarantine.jsonl)"
        )


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
