"""Operators and sources that tests put into the catalogue, to see a run go wrong where it should."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.data.samples import boxed_sample
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.errors import DataError


class Boxes:
    """`count` boxed samples, each third of which is no row, when `faulty`."""

    def __init__(self, count: int, faulty: bool = False) -> None:
        self.count, self.faulty = count, faulty

    def __len__(self) -> int:
        return self.count

    def read(self, start: int, stop: int) -> Iterator[Sample | Bad]:
        for i in range(start, stop):
            yield Bad("a third one", f"row {i}") if self.faulty and i % 3 == 2 else boxed_sample(i)


class Odd:
    """Keeps odd samples, and cannot read every fifth."""

    name, version = "odd", 2

    def __call__(self, sample: Sample) -> Iterable[Sample | Bad]:
        number = sample.seed[1]
        if number % 5 == 0:
            raise DataError("five")
        return [sample] if number % 2 else [Bad("odd: even", sample.id)]


class FirstTen:
    """Drops all but the first ten, knowing all."""

    name, version = "first_ten", 1

    def summary(self, sample: Sample) -> Any:
        return sample.id

    def decide(self, summaries: Sequence[Any]) -> Mapping[int, str]:
        return {i: f"is {summaries[i]}" for i in range(10, len(summaries))}
