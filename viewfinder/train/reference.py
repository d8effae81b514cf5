"""Log-probabilities under the reference, computed once before training, so that no second model is kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from viewfinder.data.sample import Sample
from viewfinder.train.batches import Batch, PreferenceBatch
from viewfinder.train.collators import Collator, PreparedRow
from viewfinder.train.learner import Learner, evaluating


def precompute(learner: Learner, batches: Iterable[PreferenceBatch]) -> Float[Tensor, "N 2"]:
    """Log-probabilities of (chosen, rejected) under the current model by number of the pair; NaN where missing."""
    found: dict[int, Tensor] = {}
    with evaluating(learner):
        for batch in batches:
            values = learner(batch.to(learner.model.device), reference_only=True).total
            found |= dict(zip(batch.numbers, values.unbind(), strict=True))
    table = torch.full((max(found, default=-1) + 1, 2), float("nan"))
    for number, value in found.items():
        table[number] = value
    return table


@dataclass(frozen=True)
class _WithReference:
    """A collator of pairs that adds the computed values to its batches."""

    collator: Collator
    table: Tensor

    def prepare(self, sample: Sample) -> PreparedRow:
        return self.collator.prepare(sample)

    def load(self, row: PreparedRow) -> Any:
        return self.collator.load(row)

    def collate(self, items: Sequence[Any], numbers: Sequence[int]) -> Batch:
        batch = self.collator.collate(items, numbers)
        assert isinstance(batch, PreferenceBatch)
        return replace(batch, reference=self.table[list(numbers)])

    def empty(self) -> Batch:
        return self.collator.empty()


def with_reference(collator: Collator, table: Float[Tensor, "N 2"]) -> Collator:
    """The same batches with the values of the reference in `table`."""
    return _WithReference(collator, table)
