"""Steps by number: what each rank makes, and going on."""

from itertools import islice

import pytest

from viewfinder.tiny.run import NumberedLoader
from viewfinder.train.batches import Position


def steps(loader: NumberedLoader, count: int, position: Position | None = None) -> list[list[int]]:
    return [list(step.batches) for step in islice(loader(position), count)]


def test_ranks_share_the_batches_of_a_step() -> None:
    ranks = [NumberedLoader(int, global_batch_size=3, rank=rank, ranks=2) for rank in range(2)]
    assert [steps(loader, 2) for loader in ranks] == [[[0, 2], [3, 5]], [[1], [4]]]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_loader_of_numbered_batches_goes_on_where_it_was(rank: int) -> None:
    loader = NumberedLoader(int, global_batch_size=4, rank=rank, ranks=2)
    second = list(islice(loader(None), 2))[-1]
    assert steps(loader, 2, second.position) == steps(loader, 4)[2:]
