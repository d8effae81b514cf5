"""Steps by number: what each rank makes, and going on."""

from itertools import islice

import pytest
import torch

from tests.tiny.making import stream_batch
from viewfinder.tiny.run import NumberedLoader
from viewfinder.train.batches import Position
from viewfinder.train.dataloader import in_worker


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


def test_shares_of_the_steps_are_the_steps() -> None:
    whole = NumberedLoader(int, global_batch_size=2)
    shares = [whole.share(number, 3)({"batch": 10}) for number in range(3)]
    expected = list(islice(whole({"batch": 10}), 6))
    assert [next(shares[i % 3]) for i in range(6)] == expected


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on machines of fewer cores
def test_batches_are_the_same_whatever_the_number_of_workers() -> None:
    loader = NumberedLoader(stream_batch, global_batch_size=2)
    expected, *others = (list(islice(in_worker(loader, n)({"batch": 4}), 5)) for n in (0, 1, 3))
    for found in others:
        assert [step.position for step in found] == [step.position for step in expected]
        for one, other in zip(found, expected, strict=True):
            for a, b in zip(one.batches, other.batches, strict=True):
                assert torch.equal(a.inputs.input_ids, b.inputs.input_ids)
                assert torch.equal(a.inputs.pixel_values, b.inputs.pixel_values)
                assert all(torch.equal(a.extra_labels[key], b.extra_labels[key]) for key in b.extra_labels)
