"""From rows of data to steps of packs, by number: the same row is in the same step however often a run was stopped.

Rows are read a little ahead, sized, and packed for all ranks at once, so all ranks come to the same plan;
each then decodes only what it trains on. What did not fit waits for the next step.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from viewfinder.data.packing import Size, plan_packs, share_packs
from viewfinder.data.sample import Sample
from viewfinder.errors import DataError, ViewfinderError
from viewfinder.train.makers import Maker
from viewfinder.train.trainer import Position, Step


@dataclass(frozen=True)
class Row:
    """One row of a source: its name for reports, and what makes the sample (and may fail)."""

    name: str
    make: Callable[[], Sample]


Source = Callable[[int], Iterator[Row]]
"""Rows from a number on; the same number is always the same row. Ends, or goes on for ever."""

SURPLUS = 1.15
"""Rows read for a step, as a multiple of what fits: more fills packs better and waits longer."""
MAX_REFUSED = 0.5


@dataclass
class _Waiting:
    """A row that has been sized and not yet trained on."""

    number: int
    name: str
    sample: Sample
    size: Size
    item: Any = None


@dataclass(frozen=True)
class SampleFeed:
    """Steps of packs made of samples.

    Args:
        source: rows by number.
        maker: of the objective.
        length: tokens of a pack.
        packs: of one step, over all ranks.
        rank, ranks: which share of the packs is this process's.
    """

    source: Source
    maker: Maker
    length: int
    packs: int
    rank: int = 0
    ranks: int = 1

    def __call__(self, position: Position | None) -> Iterator[Step]:
        """Steps from `position` on, to the end of the source. What is refused is told of in a step before any error,
        at the end of the source in one without packs.

        Raises:
            DataError: more than half of at least 100 rows were refused, or all of them.
        """
        reader = _Reader(self, position)
        while True:
            refused: list[dict[str, str]] = []
            waiting = reader.fill(refused)
            problem = reader.problem(refused)
            if self.rank:  # every rank has read these rows; the first one tells of them
                refused = []
            if problem or not waiting:
                if refused:
                    yield Step((), reader.position(), tuple(refused))
                if problem:
                    raise DataError(problem)
                return
            plan = plan_packs([w.size for w in waiting], self.packs, self.length, required=reader.carried)
            reader.waiting = [waiting[i] for i in plan.left]
            reader.carried = len(reader.waiting)
            costs = [sum(waiting[i].size.cost for i in members) for members in plan.packs]
            mine = share_packs(costs, self.ranks)[self.rank]
            batches = [self._batch([waiting[i] for i in plan.packs[p]], refused) for p in mine]
            yield Step(batches, reader.position(), tuple(refused))

    def _batch(self, members: list[_Waiting], refused: list[dict[str, str]]) -> Any:
        items, numbers = [], []
        for one in members:
            try:
                items.append(one.item if one.item is not None else self.maker.encode(one.sample))
                numbers.append(one.number)
            except (ViewfinderError, OSError) as error:
                refused.append({"row": one.name, "reason": _reason(error)})
        return self.maker.join(items, numbers) if items else self.maker.empty()


class _Reader:
    def __init__(self, feed: SampleFeed, position: Position | None) -> None:
        self.feed = feed
        self.next: int = position["next"] if position else 0
        left: list[int] = position["left"] if position else []
        self.seen, self.refused = (position["seen"], position["refused"]) if position else (0, 0)
        start = min([*left, self.next])
        self.rows = feed.source(start)
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
        tokens = sum(one.size.tokens for one in waiting)
        while tokens < SURPLUS * self.feed.packs * self.feed.length:
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
            tokens += one.size.tokens
        return waiting

    def _read(self, number: int, row: Row, refused: list[dict[str, str]]) -> _Waiting | None:
        try:
            sample = row.make()
            size = self.feed.maker.measure(sample)
            # one process trains on every row, so a broken picture can be found before the plan is made
            item = self.feed.maker.encode(sample) if self.feed.ranks == 1 else None
            return _Waiting(number, row.name, sample, size, item)
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
class NumberedFeed:
    """Steps of ready batches made from their numbers (the built-in synthetic stream).

    Three packs and two ranks: step 1 is batches 3, 4, 5, of which rank 0 makes 3 and 5.
    """

    batch: Callable[[int], Any]
    packs: int = 1
    rank: int = 0
    ranks: int = 1

    def __call__(self, position: Position | None) -> Iterator[Step]:
        number = position["batch"] if position else 0
        while True:
            mine = range(number + self.rank, number + self.packs, self.ranks)
            number += self.packs
            yield Step([self.batch(i) for i in mine], {"batch": number})


@dataclass(frozen=True)
class _Failure:
    """An error on its way out of a worker."""

    kind: type[ViewfinderError]
    reason: str


class _Dataset(IterableDataset[Any]):
    """Steps; an error meant for users is the last item, since a loader would wrap it in the worker's traceback."""

    def __init__(self, make: Callable[[], Iterator[Step]]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Step | _Failure]:
        torch.set_num_threads(1)  # a worker that spins steals a core from training
        try:
            yield from self.make()
        except ViewfinderError as error:
            yield _Failure(type(error), str(error))


def ahead(
    feed: Callable[[Position | None], Iterator[Step]], workers: int
) -> Callable[[Position | None], Iterator[Step]]:
    """The same steps, made in a process of their own while training goes on; one keeps their order."""
    if not workers:
        return feed

    def steps(position: Position | None) -> Iterator[Step]:
        dataset = _Dataset(partial(feed, position))
        for item in DataLoader(dataset, batch_size=None, num_workers=1, prefetch_factor=4):
            if isinstance(item, _Failure):
                raise item.kind(item.reason)
            yield item

    return steps
