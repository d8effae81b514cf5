"""The extension point: a loss of one's own beside next-token prediction."""

from itertools import islice
from pathlib import Path

import pytest
import torch

from tests.train.making import KIND_LOSS, MADE, kind_losses, losses, make_trainer, train_config
from viewfinder.train.batches import batch_units
from viewfinder.train.config import ConfigError
from viewfinder.train.extra_losses import ExtraLosses, check_known

CONFIG = train_config(MADE, extra_losses=KIND_LOSS, log_every=1, steps=8)


def test_it_is_added_with_its_weight_and_reported(tmp_path: Path) -> None:
    with_it, without = make_trainer(CONFIG, tmp_path / "a"), make_trainer(train_config(MADE), tmp_path / "b")
    labelled = 0
    for step in islice(with_it.dataloader(None), 6):
        for batch in step.batches:
            loss, bare = with_it.learner(batch), without.learner(batch)
            found = loss.metrics.get("kinds")
            labelled += found is not None
            assert (found is not None) == bool(batch.extra_labels)
            more = KIND_LOSS["kinds"] * batch_units(batch) * float(found[0]) if found else 0.0
            torch.testing.assert_close(loss.total, bare.total + more)
            assert ("accuracy/kinds" in loss.metrics) == (found is not None)
            assert "kinds" not in bare.metrics
    assert labelled


def test_its_head_is_trained_saved_and_resumed_but_not_exported(tmp_path: Path) -> None:
    make_trainer(CONFIG.model_copy(update={"steps": 4}), tmp_path / "half").run()
    make_trainer(CONFIG, tmp_path / "half").run()
    whole = make_trainer(CONFIG, tmp_path / "whole")
    before = whole.learner.heads["kinds"].weight.detach().clone()
    whole.run()
    assert losses(tmp_path / "half") == losses(tmp_path / "whole")
    assert not torch.equal(before, whole.learner.heads["kinds"].weight)
    assert "weights.heads.kinds.weight" in whole.tensors()


def test_a_name_that_nobody_brings_is_refused() -> None:
    check_known(CONFIG, kind_losses(CONFIG))
    with pytest.raises(ConfigError, match="kinds"):
        check_known(CONFIG, ExtraLosses())
