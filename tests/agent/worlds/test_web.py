"""Worlds as pages in Chromium, with mouse and with fingers; MiniWoB++ where it is installed."""

from pathlib import Path

import pytest

from viewfinder.agent.browser import Chromium
from viewfinder.agent.episodes import play
from viewfinder.agent.loop import Agent
from viewfinder.agent.miniwob import CLICKS, MiniWob, oracle
from viewfinder.agent.policy import Policy
from viewfinder.agent.replay import replay
from viewfinder.agent.settings import Settings
from viewfinder.agent.trajectory import Recorder, load_trajectory
from viewfinder.agent.worlds import APPS, make_world
from viewfinder.agent.worlds.solver import solver
from viewfinder.errors import ViewfinderError

SETTINGS = Settings(grammar=False)


def solve(chromium: Chromium, name: str, seed: int, directory: Path, touch: bool | None = None) -> None:
    """Solve through the loop, record, and replay to the same screens and state."""
    policy = Policy(domains=(f"{name}.test",), confirm=frozenset(), writes="any")
    world = make_world(name, "web", seed=seed, chromium=chromium, touch=touch)
    try:
        agent = Agent(solver(world), world, policy, recorder=Recorder(directory), settings=SETTINGS)
        episode = agent.run(world.task)
        assert (episode.reason, world.success()) == ("success", True), world.state()
        world.reset()
        result = replay(load_trajectory(directory), world)
        assert result.same_state is True
        assert not result.stopped
    finally:
        world.close()


@pytest.mark.parametrize(("name", "touch"), [("shop", False), ("phone", True)])
def test_a_world_in_chromium(chromium: Chromium, name: str, touch: bool, tmp_path: Path) -> None:
    solve(chromium, name, 1, tmp_path, touch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("touch", [False, True])
@pytest.mark.parametrize("name", APPS)
def test_every_world_in_chromium(chromium: Chromium, name: str, touch: bool, seed: int, tmp_path: Path) -> None:
    solve(chromium, name, seed, tmp_path, touch)


def test_miniwob_is_served_solved_and_repeated(chromium: Chromium) -> None:
    world = MiniWob("click-button", seed=3, chromium=chromium, scale=1.4)
    try:
        first, screen = world.task, world.observe().picture.image.tobytes()
        assert first.startswith('Click on the "')
        assert play(oracle(world), world, 3, SETTINGS).success
        again = world.reset(3)
        assert (world.task, again.picture.image.tobytes()) == (first, screen)
        assert not world.success()
    finally:
        world.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", CLICKS)
def test_every_single_click_task_has_an_oracle(chromium: Chromium, name: str) -> None:
    world = MiniWob(name, chromium=chromium)
    try:
        for seed in range(5):
            width, height = world.reset(seed).size
            x0, y0, x1, y1 = world.target_box() or (-1, -1, -1, -1)
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            played = play(oracle(world), world, seed, SETTINGS)
            assert (played.success, played.clicks, played.inside) == (True, 1, 1)
    finally:
        world.close()


def test_only_single_click_tasks_are_played() -> None:
    with pytest.raises(ViewfinderError, match="no single-click task"):
        MiniWob("book-flight")
