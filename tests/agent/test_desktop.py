"""A desktop: windows of a real toolkit on Xvfb, moved by a real mouse and keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.screens import needs
from viewfinder.agent.desktop import DesktopEnvironment
from viewfinder.agent.environment import Stopped
from viewfinder.agent.loop import Agent
from viewfinder.agent.policy import Policy
from viewfinder.agent.replay import replay
from viewfinder.agent.settings import Settings
from viewfinder.agent.trajectory import Recorder, load_trajectory
from viewfinder.agent.worlds import APPS, make_world
from viewfinder.agent.worlds.solver import solver
from viewfinder.errors import ViewfinderError
from viewfinder.outputs.actions import Action

OPEN = Policy(apps=tuple(APPS), confirm=frozenset())


@pytest.fixture
def window() -> Iterator[object]:
    needs("Xvfb", "xdotool")
    pytest.importorskip("tkinter", reason="this Python has no Tk; `make setup` installs it (python3-tk)")
    world = make_world("forms", "window", seed=1)
    yield world
    world.close()


def play(name: str, seed: int, directory: Path) -> None:
    """The solver's run through the loop, and its replay, in windows."""
    world = make_world(name, "window", seed=seed)
    try:
        settings = Settings(grammar=False)
        episode = Agent(solver(world), world, OPEN, recorder=Recorder(directory), settings=settings).run(world.task)
        assert (episode.reason, world.success()) == ("success", True), world.state()
        world.reset()
        result = replay(load_trajectory(directory), world, compare_screens=False)
        assert (result.same_state, result.stopped) == (True, "")
    finally:
        world.close()


def test_a_window_is_filled_in_and_replayed(tmp_path: Path, window: object) -> None:
    play("forms", 1, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", APPS)
def test_every_world_in_a_window(name: str, tmp_path: Path, window: object) -> None:
    for seed in range(3):
        play(name, seed, tmp_path / str(seed))


def test_the_mouse_in_the_corner_stops(window: object) -> None:
    desktop = window.desktop  # type: ignore[attr-defined]
    desktop.act(Action("computer", "mouse_move", coordinate=(0, 0)))
    with pytest.raises(Stopped):
        desktop.act(Action("computer", "left_click", coordinate=(100, 100)))


def test_another_window_under_the_mouse_is_not_clicked(window: object) -> None:
    desktop = window.desktop  # type: ignore[attr-defined]
    target = desktop.target((100.0, 100.0))
    assert target.where
    other = target.__class__(where="Other", identity="Other/1")
    assert not desktop.act(Action("computer", "left_click", coordinate=(100, 100)), other).done


def test_no_display_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(ViewfinderError, match="no X display"):
        DesktopEnvironment()
