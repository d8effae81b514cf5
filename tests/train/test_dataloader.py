"""Steps made in a process of their own."""

import multiprocessing.context
from itertools import islice

import pytest

from tests.train.making import MADE, model_config, rows
from viewfinder.train.batches import AnswerBatch
from viewfinder.train.collators import AnswerCollator
from viewfinder.train.dataloader import PackedLoader, in_worker


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
