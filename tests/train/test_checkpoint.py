"""States on disk: the last whole one wins, whatever a kill left behind."""

from pathlib import Path

import pytest
import torch

from viewfinder.train import checkpoint
from viewfinder.train.checkpoint import load_tensors, read_facts, read_tensors, save_state, saved_states


def test_nothing_saved_is_nothing(tmp_path: Path) -> None:
    assert saved_states(tmp_path) == []


def test_newest_stay_and_come_back(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_state(tmp_path, step, {"weights.a": torch.full((2,), float(step))}, {"position": {"next": step}}, keep=2)
    states = saved_states(tmp_path)
    assert [state.name for state in states] == ["step-00000002", "step-00000003"]
    assert read_facts(states[-1]) == {"step": 3, "position": {"next": 3}}
    tensors = {"weights.a": torch.zeros(2)}
    load_tensors(states[0], tensors)
    assert tensors["weights.a"].tolist() == [2.0, 2.0]
    assert read_tensors(states[-1], "weights.")["a"].tolist() == [3.0, 3.0]


@pytest.mark.parametrize("dies_in", ["tensors", "facts"])
def test_a_kill_while_writing_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    save_state(tmp_path, 1, {"a": torch.ones(1)}, {})

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if dies_in == "tensors":
            patch.setattr(checkpoint.dcp, "save", die)
        else:
            patch.setattr(checkpoint, "_write_whole", die)
        with pytest.raises(KeyboardInterrupt):
            save_state(tmp_path, 2, {"a": torch.ones(1)}, {})
    assert [state.name for state in saved_states(tmp_path)] == ["step-00000001"]
    save_state(tmp_path, 2, {"a": torch.ones(1)}, {})
    assert [state.name for state in saved_states(tmp_path)] == ["step-00000001", "step-00000002"]
