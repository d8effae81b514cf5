"""Truth checked against the pixels, not against the renderer's own numbers."""

import numpy as np
import pytest
from PIL import Image, ImageChops

from viewfinder.data.synth.fonts import BUILT_IN
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.shapes import COLORS, SHAPE_NAMES, held_out_pair

BUILT_IN_ONLY = ((BUILT_IN, (None,)),)
SHAPES_ONLY = SceneStyle(things=(2, 5), lines=(0, 0), families=BUILT_IN_ONLY)
TEXT_ONLY = SceneStyle(things=(0, 0), lines=(1, 3), families=BUILT_IN_ONLY)


def draw(seed: int, style: SceneStyle, size: tuple[int, int] = (196, 168)) -> Scene:
    return make_scene(np.random.default_rng(seed), size, style)


def flat_scenes(style: SceneStyle, count: int) -> list[Scene]:
    """Scenes whose ground is one exact color, so that what was drawn can be found by comparing."""
    scenes = (draw(seed, style) for seed in range(200))
    return [s for s in scenes if len({s.image.getpixel(c) for c in ((0, 0), (195, 167), (0, 167))}) == 1][:count]


def drawn_box(scene: Scene, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The box, within 2 pixels around `box`, of pixels unlike the ground."""
    around = (max(box[0] - 2, 0), max(box[1] - 2, 0), min(box[2] + 2, 196), min(box[3] + 2, 168))
    part = scene.image.crop(around)
    ground = Image.new("RGB", part.size, scene.image.getpixel((0, 0)))
    difference = np.asarray(ImageChops.difference(part, ground)).max(axis=2) > 40
    rows, columns = np.nonzero(difference.any(axis=1))[0], np.nonzero(difference.any(axis=0))[0]
    left, top = around[:2]
    return int(columns[0]) + left, int(rows[0]) + top, int(columns[-1]) + 1 + left, int(rows[-1]) + 1 + top


def test_boxes_of_shapes_are_tight_to_a_pixel() -> None:
    scenes = flat_scenes(SHAPES_ONLY, 12)
    assert len(scenes) == 12
    for scene in scenes:
        for thing in scene.things:
            assert max(abs(a - b) for a, b in zip(drawn_box(scene, thing.box), thing.box, strict=True)) <= 1


def test_boxes_and_centers_of_text_are_where_the_text_is() -> None:
    for scene in flat_scenes(TEXT_ONLY, 12):
        for line in scene.lines:
            found = drawn_box(scene, line.box)
            assert max(abs(a - b) for a, b in zip(found, line.box, strict=True)) <= 2
            assert len(line.centers) == len(line.text)
            assert all(found[0] - 2 <= x <= found[2] + 2 for x in line.centers)
            assert list(line.centers) == sorted(line.centers)


@pytest.mark.parametrize("style", [SHAPES_ONLY, TEXT_ONLY])
def test_nothing_overlaps_and_all_is_inside(style: SceneStyle) -> None:
    for seed in range(30):
        scene = draw(seed, style)
        boxes = [t.box for t in scene.things] + [line.box for line in scene.lines]
        for i, (left, top, right, bottom) in enumerate(boxes):
            assert left >= 0
            assert top >= 0
            assert right <= 196
            assert bottom <= 168
            for a, b, c, d in boxes[:i]:
                assert right <= a or c <= left or bottom <= b or d <= top


def test_the_same_seed_draws_the_same_picture() -> None:
    style = SceneStyle(families=BUILT_IN_ONLY)
    first, second, other = draw(7, style), draw(7, style), draw(8, style)
    assert first.image.tobytes() == second.image.tobytes()
    assert (first.things, first.lines) == (second.things, second.lines)
    assert first.image.tobytes() != other.image.tobytes()


def test_held_out_pairs_never_enter_training_scenes() -> None:
    pairs = [(s, c) for s in SHAPE_NAMES for c in COLORS]
    share = sum(held_out_pair(*pair) for pair in pairs) / len(pairs)
    assert 0.05 < share < 0.15
    for seed in range(60):
        assert not any(held_out_pair(t.shape, t.color) for t in draw(seed, SHAPES_ONLY).things)
    held = SceneStyle(things=(2, 5), lines=(0, 0), families=BUILT_IN_ONLY, pairs="held_out")
    things = [t for seed in range(30) for t in draw(seed, held).things]
    assert things
    assert all(held_out_pair(t.shape, t.color) for t in things)


def test_lines_of_a_block_stand_under_one_another_in_one_size() -> None:
    style = SceneStyle(things=(0, 0), lines=(3, 6), text_size=(13, 18), families=BUILT_IN_ONLY, block=1.0)
    scenes = [scene for seed in range(20) if len((scene := draw(seed, style)).lines) >= 3]
    assert len(scenes) >= 10
    for scene in scenes:
        middles = np.array([line.middle for line in scene.lines])
        assert np.ptp(np.diff(middles)) == 0
        assert np.ptp([line.box[0] for line in scene.lines]) <= 6
        assert len({line.color for line in scene.lines}) == 1
        assert all(line.box[2] <= 196 and line.box[3] <= 168 for line in scene.lines)


def test_boxes_of_lines_of_a_block_are_tight_to_a_pixel() -> None:
    style = SceneStyle(things=(0, 0), lines=(2, 4), text_size=(14, 22), plain=1.0, families=BUILT_IN_ONLY, block=1.0)
    for scene in flat_scenes(style, 6):
        for line in scene.lines:
            assert np.abs(np.array(drawn_box(scene, line.box)) - line.box).max() <= 1
