"""Steps by number: what each rank makes, and going on."""

from itertools import islice

import pytest

from viewfinder.train.dataloader import NumberedLoader
from viewfinder.train.trainer import Position


def steps(feed: NumberedLoader, count: int, position: Position | None = None) -> list[list[int]]:
    return [list(step.packs) for step in islice(feed(position), count)]


def test_ranks_share_the_batches_of_a_step() -> None:
    ranks = [NumberedLoader(int, packs=3, rank=rank, ranks=2) for rank in range(2)]
    assert [steps(feed, 2) for feed in ranks] == [[[0, 2], [3, 5]], [[1], [4]]]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_feed_of_numbered_batches_goes_on_where_it_was(rank: int) -> None:
    feed = NumberedLoader(int, packs=4, rank=rank, ranks=2)
    second = list(islice(feed(None), 2))[-1]
    assert steps(feed, 2, second.position) == steps(feed, 4)[2:]
