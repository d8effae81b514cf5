"""Training samples: what the loop would ask, answered, with the box; and what a recorded run teaches."""

from dataclasses import replace
from pathlib import Path

import pytest

from viewfinder.agent.loop import Agent
from viewfinder.agent.policy import Policy
from viewfinder.agent.run_samples import matches, trajectory_samples
from viewfinder.agent.samples import Style, pointing_samples, world_samples
from viewfinder.agent.settings import Settings
from viewfinder.agent.trajectory import Recorder, load_trajectory
from viewfinder.agent.worlds import APPS, make_world
from viewfinder.agent.worlds.solver import solver
from viewfinder.data.places import rewrite
from viewfinder.data.shards import ShardReader, write_shards
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import Action, parse_action


def test_answers_are_inside_the_box_and_screens_fit_the_model() -> None:
    tasks = set()
    for sample in world_samples(120, seed=3):
        screen = load_image(sample.media[0].image)
        width, height = screen.size
        assert width % 28 == height % 28 == 0
        assert 224 <= min(width, height) <= max(width, height) <= 336
        action = parse_action(sample.answer, Transform.identity(screen.size))
        assert sample.answer.startswith(sample.truth["thought"])
        tasks.add(sample.task)
        if action.coordinate and action.name != "swipe":
            x0, y0, x1, y1 = sample.truth["box"]
            assert x0 - 0.5 <= action.coordinate[0] <= x1 + 0.5
            assert y0 - 0.5 <= action.coordinate[1] <= y1 + 0.5
    assert tasks == {"screen act", "screen press"}


def test_pointing_samples_name_one_thing_on_a_small_screen() -> None:
    style = Style(sizes=(140, 280))
    samples = list(pointing_samples(90, seed=2, style=style))
    for sample in samples:
        width, height = load_image(sample.media[0].image).size
        assert 140 <= min(width, height) <= max(width, height) <= 280
        x0, y0, x1, y1 = sample.truth["box"]
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        x, y = parse_action(sample.answer, Transform.identity((width, height))).coordinate or (-1, -1)
        assert x0 - 0.5 <= x <= x1 + 0.5
        assert y0 - 0.5 <= y <= y1 + 0.5
    assert {sample.task for sample in samples} == {"screen press"}
    assert len({sample.question + str(sample.truth["box"]) for sample in samples}) > 60
    again = list(pointing_samples(90, seed=2, style=style))
    assert [sample.answer for sample in samples] == [sample.answer for sample in again]


def test_samples_are_what_the_loop_asks() -> None:
    world = make_world("mail", "drawn", seed=4, size=(308, 308))
    model = solver(world)
    Agent(model, world, Policy(apps=("*",), confirm=frozenset()), settings=Settings(form="compact", grammar=False)).run(
        world.task
    )

    def again(*given: object, **options: object) -> object:
        return make_world("mail", "drawn", seed=4, size=(308, 308))

    style = Style(pointing=0.0, strays=0.0)
    samples = list(world_samples(len(model.requests), names=["mail"], make=again, style=style))
    for sample, asked in zip(samples, model.requests, strict=True):
        assert [message.text for message in sample.messages[:-1]] == [message.text for message in asked]


def test_the_same_seed_gives_the_same_samples_and_splits_share_none() -> None:
    one, again = (list(world_samples(30, seed=8)) for _ in range(2))
    assert [s.messages[1].text + s.answer for s in one] == [s.messages[1].text + s.answer for s in again]
    assert [load_image(s.media[0].image).image.tobytes() for s in one] == [
        load_image(s.media[0].image).image.tobytes() for s in again
    ]
    other = {s.question for s in world_samples(60, seed=8, split="test") if s.task == "screen act"}
    assert not other & {s.question for s in one if s.task == "screen act"}


def test_places_follow_the_processor(tmp_path: Path) -> None:
    write_shards(world_samples(12, seed=1), tmp_path / "set")
    for sample in ShardReader(tmp_path / "set").samples():
        before = Transform.identity(load_image(sample.media[0].image).size)
        after = replace(before, resized_size=(before.original_size[0] * 2, before.original_size[1] * 2))
        seen = rewrite(sample, [before], [after])
        one, other = parse_action(sample.answer, before), parse_action(seen.messages[-1].text, after)
        if one.coordinate and other.coordinate:
            assert other.coordinate == pytest.approx(one.coordinate, abs=0.3)
        assert seen.messages[-1].text != sample.answer or one.coordinate is None


def record(tmp_path: Path, name: str = "settings") -> Path:
    world = make_world(name, "drawn", seed=2, size=(308, 308))
    agent = Agent(
        solver(world), world, Policy(apps=tuple(APPS), confirm=frozenset()), recorder=Recorder(tmp_path),
        settings=Settings(grammar=False),
    )  # fmt: skip
    agent.run(world.task)
    return tmp_path


def test_a_run_becomes_samples(tmp_path: Path) -> None:
    trajectory = load_trajectory(record(tmp_path))
    samples = list(trajectory_samples(trajectory))
    assert len(samples) == len(trajectory.steps)
    assert samples[0].device == "computer"
    assert "terminate" in samples[-1].answer
    assert not list(trajectory_samples(replace(trajectory, end={**trajectory.end, "checked": False})))
    detour = replace(trajectory.steps[0], screen=trajectory.steps[1].screen)
    assert len(list(trajectory_samples(replace(trajectory, steps=(detour, *trajectory.steps[1:]))))) == len(samples) - 1


def test_a_thought_must_match_what_is_done() -> None:
    assert matches("I type Anna.", Action("computer", "type", text="Anna"))
    assert not matches("I press the button.", Action("computer", "type", text="Anna"))
    assert not matches("I open the mail.", Action("computer", "terminate", status="success"))
