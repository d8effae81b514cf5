"""Every world: solved by the solver through the whole loop, the same for the same seed, and never by doing nothing."""

from pathlib import Path

import pytest

from viewfinder.agent.environment import World
from viewfinder.agent.loop import Agent
from viewfinder.agent.policy import Policy
from viewfinder.agent.replay import replay
from viewfinder.agent.settings import Settings
from viewfinder.agent.trajectory import Recorder, load_trajectory
from viewfinder.agent.worlds import APPS, make_app, make_world
from viewfinder.agent.worlds.solver import next_move, solver
from viewfinder.agent.worlds.words import words_of
from viewfinder.errors import ViewfinderError
from viewfinder.outputs.actions import Action

OPEN = Policy(apps=tuple(APPS), confirm=frozenset())
SMALL = {"size": (308, 308)}


@pytest.mark.parametrize("name", APPS)
def test_the_solver_solves_it_through_the_loop_and_it_replays(name: str, tmp_path: Path) -> None:
    world = make_world(name, "drawn", seed=4, split="test", **SMALL)
    assert isinstance(world, World)
    assert not world.success()
    agent = Agent(solver(world), world, OPEN, recorder=Recorder(tmp_path), settings=Settings(grammar=False))
    episode = agent.run(world.task)
    assert (episode.reason, world.success()) == ("success", True)
    again = make_world(name, "drawn", seed=4, split="test", **SMALL)
    result = replay(load_trajectory(tmp_path), again)
    assert result.identical
    assert again.success()
    other = make_world(name, "drawn", seed=5, split="test", **SMALL)
    assert not replay(load_trajectory(tmp_path), other).identical


@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_many_seeds_are_solved_by_hints(name: str, split: str) -> None:
    tasks = set()
    for seed in range(60):
        app = make_app(name, seed, split)  # type: ignore[arg-type]
        assert not app.solved()
        tasks.add(app.task)
        for _ in range(20):
            hint = app.hint()
            if hint is None:
                break
            widget = app.view().find(hint.id)
            assert widget is not None, hint
            assert widget.acts, hint
            if hint.value is None:
                app.press(hint.id, hint.at[:2] if hint.at else None)
            else:
                app.set(hint.id, hint.value)
        assert app.solved(), app.task
    assert len(tasks) > 12


def solve(name: str, seed: int) -> tuple[World, list[Action]]:
    """A drawn world in which the solver has done what is to be done, and its actions."""
    world, done = make_world(name, "drawn", seed=seed, **SMALL), list[Action]()
    for _ in range(40):
        move = next_move(world)
        if move.action.name == "terminate":
            break
        done.append(move.action)
        world.act(move.action)
    assert world.success()
    return world, done


@pytest.mark.slow
@pytest.mark.parametrize("name", APPS)
def test_two_hundred_seeds_are_solved_and_end_the_same_when_done_again(name: str) -> None:
    for seed in range(200):
        world, done = solve(name, seed)
        again = make_world(name, "drawn", seed=seed, **SMALL)
        for action in done:
            again.act(action)
        assert again.state() == world.state()
        assert again.observe().picture.image.tobytes() == world.observe().picture.image.tobytes()


def test_wrong_steps_are_repaired_or_given_up() -> None:
    world = make_world("shop", "drawn", seed=1, **SMALL)
    wrong = next(f"item {i}" for i in range(5) if i != world.app.wanted)
    for id in (wrong, "add"):
        world.app.press(id)
    world.act(Action("computer", "wait", time=0))  # draws what was done behind its back
    for _ in range(20):
        move = next_move(world)
        if move.action.name == "terminate":
            break
        world.act(move.action)
    assert world.success()
    mail = make_world("mail", "drawn", seed=0, **SMALL)
    other = (mail.app.wanted + 1) % len(mail.app.mails)
    for id in (f"mail {other}", "delete"):
        mail.app.press(id)
    for _ in range(20):
        mail.act(next_move(mail).action)
    assert not mail.success()


def test_boxes_are_where_things_are_drawn() -> None:
    world = make_world("forms", "drawn", seed=2, **SMALL)
    x0, y0, x1, y1 = world.boxes()["person"]
    before = world.observe().picture.pixels
    world.act(Action("computer", "left_click", coordinate=((x0 + x1) / 2, (y0 + y1) / 2)))
    world.act(Action("computer", "type", text="Anna"))
    changed = (before != world.observe().picture.pixels).any(axis=2).nonzero()
    assert world.state()["person"] == "Anna"
    assert changed[1].min() >= x0 - 1
    assert changed[1].max() <= x1 + 1
    assert changed[0].min() >= y0 - 1
    assert changed[0].max() <= y1 + 1


def test_a_page_higher_than_the_screen_scrolls() -> None:
    world = make_world("forms", "drawn", seed=3, size=(224, 140))
    moves = []
    for _ in range(30):
        move = next_move(world)
        moves.append(move.action.name)
        if move.action.name == "terminate":
            break
        world.act(move.action)
    assert world.success()
    assert "scroll" in moves


def test_splits_share_no_words_and_no_looks() -> None:
    one, other = ({word for words in vars(words_of(s)).values() for word in words} for s in ("train", "test"))
    assert one.isdisjoint(other)
    looks = {s: {make_world("mail", "drawn", seed=i, split=s).skin for i in range(40)} for s in ("train", "test")}
    colors = {split: {skin.background for skin in skins} for split, skins in looks.items()}
    layouts = {split: {skin.layout for skin in skins} for split, skins in looks.items()}
    assert not colors["train"] & colors["test"]
    assert not layouts["train"] & layouts["test"]
    assert make_app("mail", 3, "train").task != make_app("mail", 3, "test").task


def test_an_unknown_world_is_named() -> None:
    with pytest.raises(ViewfinderError, match=r"no world 'chess'.*mail, shop"):
        make_world("chess")
