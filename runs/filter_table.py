"""One row of the table of filters, and how it is counted: clean samples lost, faulty ones found."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.errors import DataError

Fault = Callable[[Sample, random.Random], Sample | None]


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    filter: str
    fault: str
    found: int
    planted: int
    false: int
    clean: int

    @property
    def recall(self) -> float:
        return self.found / max(1, self.planted)

    @property
    def precision(self) -> float:
        wrong = self.false / max(1, self.clean)
        return self.recall / (self.recall + wrong) if self.recall + wrong else float("nan")

    def row(self) -> str:
        """The row in Markdown."""
        counts = f"{self.found} | {self.planted} | {self.recall:.2f} | {self.precision:.2f}"
        return f"| {self.filter} | {self.fault} | {counts} | {self.false} of {self.clean} |"


def kept(operator: Any, sample: Sample) -> bool:
    """Whether an operator lets a sample through."""
    try:
        return any(not isinstance(one, Bad) for one in operator(sample))
    except DataError:
        return False


def lines_of(name: str, operator: Any, clean: Sequence[Sample], faults: dict[str, Fault], seed: int = 0) -> list[Line]:
    rng = random.Random(seed)
    false = sum(not kept(operator, sample) for sample in clean)
    result = []
    for fault, plant in faults.items():
        planted = [faulty for sample in clean if (faulty := plant(sample, rng)) is not None]
        found = sum(not kept(operator, sample) for sample in planted)
        result.append(Line(name, fault, found, len(planted), false, len(clean)))
    return result
