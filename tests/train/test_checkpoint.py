"""States on disk: the last whole one wins, whatever a kill left behind."""

from pathlib import Path

import pytest
import torch

from viewfinder.train import checkpoint
from viewfinder.train.checkpoint import (
    load_tensors,
    newest_state,
    read_facts,
    read_tensors,
    save_state,
    saved_states,
)
from viewfinder.train.config import ConfigError


def test_nothing_saved_is_nothing(tmp_path: Path) -> None:
    assert saved_states(tmp_path) == []


def test_newest_stay_and_come_back(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_state(tmp_path, step, {"weights.a": torch.full((2,), float(step))}, {"position": {"next": step}}, keep=2)
    states = saved_states(tmp_path)
    assert [state.name for state in states] == ["step-00000002", "step-00000003"]
    assert read_facts(states[-1]) == {"step": 3, "sound": True, "position": {"next": 3}}
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
            patch.setattr(checkpoint, "write_whole", die)
        with pytest.raises(KeyboardInterrupt):
            save_state(tmp_path, 2, {"a": torch.ones(1)}, {})
    assert [state.name for state in saved_states(tmp_path)] == ["step-00000001"]
    save_state(tmp_path, 2, {"a": torch.ones(1)}, {})
    assert [state.name for state in saved_states(tmp_path)] == ["step-00000001", "step-00000002"]


def _states(directory: Path) -> list[int]:
    return [int(state.name[-8:]) for state in saved_states(directory)]


def test_the_last_sound_states_outlive_those_that_are_not(tmp_path: Path) -> None:
    for step in range(1, 7):
        save_state(tmp_path, step, {"a": torch.ones(1)}, {}, keep=2, sound=step < 4)
    assert _states(tmp_path) == [2, 3, 6]
    assert newest_state(tmp_path, steps=9) == tmp_path / "step-00000003"
    assert newest_state(tmp_path, steps=6) == tmp_path / "step-00000006"  # nothing is trained after it
    save_state(tmp_path, 4, {"a": torch.ones(1)}, {}, keep=2)
    assert _states(tmp_path) == [3, 4]


@pytest.mark.parametrize("name", ["__0_0.distcp", ".metadata", "facts.json", "SHA256SUMS"])
def test_a_damaged_state_is_passed_over_and_said_so(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (1, 2):
        save_state(tmp_path, step, {"a": torch.arange(500.0)}, {"position": {"next": step}})
    size = (tmp_path / "step-00000002" / name).stat().st_size
    for place in range(0, size, max(1, size // 12)):
        damaged = tmp_path / "step-00000002" / name
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert newest_state(tmp_path) == tmp_path / "step-00000001", place
        damaged.write_bytes(whole[:place])
        assert newest_state(tmp_path) == tmp_path / "step-00000001", place
        damaged.write_bytes(whole)
    assert "step-00000002 is damaged" in caplog.text
    assert newest_state(tmp_path) == tmp_path / "step-00000002"
    for state in saved_states(tmp_path):
        (state / "__0_0.distcp").unlink()
    with pytest.raises(ConfigError, match=r"all 2 states .* are damaged"):
        newest_state(tmp_path)
