"""Log-probabilities of the reference, computed once before training, so that no second model is kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from viewfinder.data.packing import Size
from viewfinder.data.sample import Sample
from viewfinder.train.batches import Batch, PairBatch
from viewfinder.train.learner import Learner, evaluating
from viewfinder.train.makers import Maker


def precompute(learner: Learner, batches: Iterable[PairBatch]) -> Float[Tensor, "N 2"]:
    """Under the model as it stands, by number of the pair; NaN where a number never came."""
    found: dict[int, Tensor] = {}
    with evaluating(learner):
        for batch in batches:
            values = learner(batch, reference_only=True).total
            found |= dict(zip(batch.numbers, values.unbind(), strict=True))
    table = torch.full((max(found, default=-1) + 1, 2), float("nan"))
    for number, value in found.items():
        table[number] = value
    return table


@dataclass(frozen=True)
class _WithReference:
    """A maker of pairs that puts the kept values into its batches."""

    maker: Maker
    table: Tensor

    def measure(self, sample: Sample) -> Size:
        return self.maker.measure(sample)

    def encode(self, sample: Sample) -> Any:
        return self.maker.encode(sample)

    def join(self, items: Sequence[Any], numbers: Sequence[int]) -> Batch:
        batch = self.maker.join(items, numbers)
        assert isinstance(batch, PairBatch)
        return replace(batch, reference=self.table[list(numbers)])

    def empty(self) -> Batch:
        return self.maker.empty()


def with_reference(maker: Maker, table: Float[Tensor, "N 2"]) -> Maker:
    """The same batches with the reference's values."""
    return _WithReference(maker, table)
