from pathlib import Path

import pytest
import torch

from viewfinder.train import checkpoint
from viewfinder.train.checkpoint import load_state, save_state


def test_nothing_saved_is_none(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None


def test_last_state_wins(tmp_path: Path) -> None:
    for step in (1, 2):
        save_state(tmp_path / "run", {"step": step, "weights": {"a": torch.full((2,), float(step))}})
    state = load_state(tmp_path / "run")
    assert state is not None
    assert state["step"] == 2
    assert state["weights"]["a"].tolist() == [2.0, 2.0]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["state.pt"]


def test_a_kill_while_writing_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, {"step": 1})

    def die(_state: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.torch, "save", die)
    with pytest.raises(KeyboardInterrupt):
        save_state(tmp_path, {"step": 2})
    monkeypatch.undo()
    assert load_state(tmp_path) == {"step": 1}
