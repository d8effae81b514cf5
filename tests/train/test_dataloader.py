"""Steps made in processes of their own."""

import multiprocessing.context
from collections.abc import Iterable, Iterator
from itertools import islice

import pytest
import torch

from tests.train.making import MADE, model_config, rows
from viewfinder.data.sample import Sample
from viewfinder.errors import DataError, MediaError
from viewfinder.train.batches import AnswerBatch, Step
from viewfinder.train.collators import AnswerCollator, PreparedRow
from viewfinder.train.dataloader import PackedLoader, Row, in_worker


@pytest.mark.parametrize("method", ["spawn", "forkserver"])  # of Python on macOS, and on Linux from 3.14 on
def test_a_worker_gives_the_same_steps_whatever_way_python_starts_processes(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        multiprocessing.context._default_context, "_actual_context", multiprocessing.get_context(method)
    )  # type: ignore[attr-defined]
    loader = PackedLoader(rows, AnswerCollator(MADE, model_config(MADE), 128), 128, 1)
    (expected,), (found,) = (list(islice(source(None), 1)) for source in (loader, in_worker(loader, 1)))
    assert isinstance(found.batches[0], AnswerBatch)
    assert isinstance(expected.batches[0], AnswerBatch)
    assert found.batches[0].inputs.input_ids.tolist() == expected.batches[0].inputs.input_ids.tolist()


class Broken(AnswerCollator):
    """Pixels of every fifth row cannot be read."""

    def load(self, row: PreparedRow) -> AnswerBatch:
        if row.inputs[0].input_ids.sum() % 5 == 0:
            raise MediaError("these pixels cannot be read")
        return super().load(row)


def flat(steps: Iterable[Step]) -> list[object]:
    """Everything that is in steps, to the byte."""
    told: list[object] = []
    for step in steps:
        told += [step.position, step.refused, len(step.batches)]
        for batch in step.batches:
            assert isinstance(batch, AnswerBatch)
            inputs = vars(batch.inputs)
            told += [v.numpy().tobytes() if isinstance(v, torch.Tensor) else v for v in inputs.values()]
    return told


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more than this machine has cores
@pytest.mark.parametrize(("rank", "ranks"), [(0, 1), (1, 2)])
def test_three_workers_give_the_bytes_of_one_in_its_order_and_go_on_where_it_stopped(rank: int, ranks: int) -> None:
    loader = PackedLoader(rows, Broken(MADE, model_config(MADE), 128), 128, 2, rank, ranks)
    alone = list(islice(loader(None), 7))
    assert any(step.refused for step in alone)
    assert flat(islice(in_worker(loader, 3)(None), 7)) == flat(alone)
    assert flat(islice(in_worker(loader, 2)(alone[2].position), 4)) == flat(alone[3:])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_an_end_and_an_error_come_once_after_all_steps(workers: int) -> None:
    collator = AnswerCollator(MADE, model_config(MADE), 128)
    short = PackedLoader(lambda start: islice(rows(start), max(0, 9 - start)), collator, 128, 1)
    assert flat(in_worker(short, workers)(None)) == flat(short(None))

    def wrong() -> Sample:
        raise DataError("this is no sample")

    def spoilt(start: int) -> Iterator[Row]:
        yield from islice(rows(start), max(0, 40 - start))
        while True:
            yield Row("wrong", wrong)

    found: list[Step] = []
    with pytest.raises(DataError, match="rows were refused; wrong and"):
        found.extend(in_worker(PackedLoader(spoilt, collator, 128, 1), workers)(None))


def test_pixels_that_can_never_be_read_stop_a_run() -> None:
    class Blind(AnswerCollator):
        def load(self, row: PreparedRow) -> AnswerBatch:
            raise MediaError("these pixels cannot be read")

    collator = Blind(MADE, model_config(MADE), 128)
    short = PackedLoader(lambda start: islice(rows(start), max(0, 9 - start)), collator, 128, 1)
    seen: list[Step] = []
    for loader, message in ((short, "9 of the first 9"), (PackedLoader(rows, collator, 128, 1), "100 of the first 1")):
        with pytest.raises(DataError, match=f"{message}.*pixels cannot be read"):
            seen.extend(loader(None))
    assert all(not step.batches for step in seen)
