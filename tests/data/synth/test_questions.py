"""Questions have true answers, in a form that `outputs` reads back."""

import numpy as np
import pytest

from viewfinder.data.synth.fonts import BUILT_IN
from viewfinder.data.synth.queries import make_query, pluralize
from viewfinder.data.synth.questions import TASKS, make_turn
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.shapes import COLOR_NAMES, SHAPE_NAMES, held_out_pair
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.counts import parse_count
from viewfinder.outputs.points import parse_points

STYLE = SceneStyle(things=(0, 5), lines=(0, 2), families=((BUILT_IN, (None,)),))


def scenes(count: int) -> list[Scene]:
    return [make_scene(np.random.default_rng((1, seed)), (140, 112), STYLE) for seed in range(count)]


@pytest.mark.parametrize("task", sorted(TASKS))
def test_answers_read_back_as_their_truth(task: str) -> None:
    for seed, scene in enumerate(scenes(60)):
        turn = TASKS[task](np.random.default_rng(seed), scene)
        frame = Transform.identity(scene.image.size)
        if turn.task in ("locate", "locate_text", "spot"):
            assert [box.xyxy for box in parse_boxes(turn.answer, frame)] == turn.truth["boxes"]
        if turn.task == "spot":
            assert [box.text for box in parse_boxes(turn.answer, frame)] == turn.truth["texts"]
        if turn.task == "point":
            points = parse_points(turn.answer, frame)
            assert len(points) == len(turn.truth["boxes"])
            for at, (left, top, right, bottom) in zip(points, turn.truth["boxes"], strict=True):
                assert left <= at.x <= right
                assert top <= at.y <= bottom
        if turn.task == "count":
            count = parse_count(turn.answer)
            assert count is not None
            assert count.value == count.listed == turn.truth["count"]
        if turn.task == "read":
            assert turn.answer == "\n".join(line.text for line in scene.lines)


def test_queries_name_what_is_there_and_absent_ones_what_is_not() -> None:
    absent = 0
    for seed, scene in enumerate(scenes(200)):
        query = make_query(np.random.default_rng(seed), scene)
        absent += not query.things
        for thing in scene.things:
            if f"{thing.color} {thing.shape}" == query.noun:
                assert thing in query.things
    assert 20 < absent < 120


@pytest.mark.parametrize(("pairs", "some"), [("train", False), ("held_out", True)])
def test_a_pair_held_out_of_training_is_no_absent_one_there(pairs: str, some: bool) -> None:
    style = SceneStyle(things=(1, 3), lines=(0, 0), pairs=pairs)
    strange = {f"{color} {shape}" for color in COLOR_NAMES for shape in SHAPE_NAMES if held_out_pair(shape, color)}
    named = set[str]()
    for seed in range(200):
        rng = np.random.default_rng((7, seed))
        named.add(make_query(rng, make_scene(rng, (112, 112), style), absent=1.0).noun)
    assert len(named) > 60
    assert bool(named & strange) is some


def test_text_is_boxed_pointed_at_or_not_there() -> None:
    seen = set[tuple[str, bool]]()
    for seed, scene in enumerate(scenes(120)):
        if not scene.lines:
            continue
        turn = TASKS["locate_text"](np.random.default_rng(seed), scene)
        frame = Transform.identity(scene.image.size)
        there = [line for line in scene.lines if f'"{line.text}"' in turn.question]
        assert turn.truth["boxes"] == [line.box for line in there]
        if turn.task == "point":
            found = [p.xy for p in parse_points(turn.answer, frame)]
            assert len(found) == len(there)
            for (x, y), line in zip(found, there, strict=True):
                assert line.box[0] <= x <= line.box[2]
                assert line.box[1] <= y <= line.box[3]
        seen.add((turn.task, bool(there)))
    assert seen == {(task, there) for task in ("point", "locate_text") for there in (True, False)}


def test_a_superlative_names_the_one_it_says() -> None:
    seen = 0
    for seed, scene in enumerate(scenes(300)):
        query = make_query(np.random.default_rng(seed), scene, absent=0.0)
        if query.noun.startswith(("largest", "biggest")) and query.noun.endswith(("shape", "object")):
            seen += 1
            assert query.things[0].area == max(t.area for t in scene.things)
        if query.noun.startswith("leftmost") and query.noun.endswith(("shape", "object")):
            seen += 1
            assert query.things[0].center[0] == min(t.center[0] for t in scene.things)
    assert seen > 3


def test_plurals() -> None:
    assert [pluralize(n) for n in ("star", "box", "cross")] == ["stars", "boxes", "crosses"]


def test_turns_follow_the_weights() -> None:
    rng = np.random.default_rng(0)
    scene = next(s for s in scenes(50) if s.things and s.lines)
    tasks = [make_turn(rng, scene, {"locate": 3.0, "read": 1.0}).task for _ in range(200)]
    assert set(tasks) == {"locate", "read"}
    assert 120 < tasks.count("locate") < 180


def test_counts_of_a_crowd_reach_beyond_four() -> None:
    """A name drawn at random fits one thing or two: 22 of 100 such questions had an answer of five or more."""
    style = SceneStyle(things=(3, 13), lines=(0, 0), thing_size=(0.1, 0.2), repeat=0.95)
    counted = []
    for seed in range(100):
        rng = np.random.default_rng((3, seed))
        counted.append(TASKS["count"](rng, make_scene(rng, (224, 196), style)).truth["count"])
    assert 33 <= sum(number >= 5 for number in counted) <= 60
    assert 3 <= counted.count(0) <= 20
