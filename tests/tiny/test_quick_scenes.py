from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from viewfinder.data.synth.fonts import HELD_OUT_FAMILIES, find_families
from viewfinder.data.synth.scene import Scene
from viewfinder.data.synth.shapes import COLORS, SHAPE_NAMES, held_out_pair
from viewfinder.tiny import quick_scenes, scene_kit
from viewfinder.tiny.glyphs import INK
from viewfinder.tiny.quick_scenes import make_quick_scene
from viewfinder.tiny.recipes import STYLES
from viewfinder.tiny.scene_kit import SceneKit, make_kit


@pytest.fixture(scope="module")
def kit() -> SceneKit:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene_kit, "_ATLASES", 12)
        patch.setattr(scene_kit, "_SPRITES", 6)
        make_kit.cache_clear()
        made = make_kit(5, 0)
        make_kit.cache_clear()
    return made


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but flat colors."""
    for name in ("_TEXTURED", "_NOISY", "_RELIT", "_JPEG", "_SHADED"):
        monkeypatch.setattr(quick_scenes, name, 0.0)


def scenes(kit: SceneKit, style: str, count: int, **changes: object) -> list[Scene]:
    rng = np.random.default_rng(7)
    return [make_quick_scene(rng, (224, 168), replace(STYLES[style], **changes), kit) for _ in range(count)]


def test_a_seed_draws_the_same_scene_again(kit: SceneKit) -> None:
    first, again = scenes(kit, "several", 3), scenes(kit, "several", 3)
    assert all((np.asarray(a.image) == np.asarray(b.image)).all() for a, b in zip(first, again, strict=True))
    assert [s.lines for s in first] == [s.lines for s in again]


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("style", ["sheet", "page", "few", "crowd"])
def test_what_differs_from_the_ground_lies_in_the_boxes_and_fills_them(kit: SceneKit, style: str) -> None:
    for scene in scenes(kit, style, 12):
        pixels = np.asarray(scene.image, int)
        boxes = [one.box for one in (*scene.things, *scene.lines)]
        outside = np.ones(pixels.shape[:2], bool)
        for x1, y1, x2, y2 in boxes:
            outside[max(0, y1 - 1) : y2 + 1, max(0, x1 - 1) : x2 + 1] = False
        ground = np.median(pixels[outside], axis=0)
        change = np.abs(pixels - ground).max(axis=2)
        assert change[outside].max() <= 60  # faint edges of letters lie outside of what counts as ink
        for x1, y1, x2, y2 in boxes:
            inked = change[max(0, y1) : y2, max(0, x1) : x2] > 4
            assert inked.any(axis=1)[[0, -1]].all(), "the first and the last row of a box have ink"
            assert inked.any(axis=0)[[0, -1]].all()


def test_every_line_is_spelt_as_its_truth_says(kit: SceneKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn once more, letter by letter from the atlas, each line gives the pixels that the scene has."""
    written = []
    place = quick_scenes._place_line  # pyright: ignore[reportPrivateUsage]

    def noting(draw, canvas, line, atlas, color, x, baseline):  # type: ignore[no-untyped-def]
        found = place(draw, canvas, line, atlas, color, x, baseline)
        written.append((found, atlas, x, baseline))
        return found

    monkeypatch.setattr(quick_scenes, "_place_line", noting)
    monkeypatch.setattr(quick_scenes, "_SPACED_OUT", 0.0)
    monkeypatch.setattr(quick_scenes, "_TEXTURED", 0.0)
    for name in ("_NOISY", "_RELIT", "_SOFT", "_JPEG"):
        monkeypatch.setattr(quick_scenes, name, 0.0)
    rng = np.random.default_rng(7)
    for _ in range(8):
        scene = make_quick_scene(rng, (224, 168), STYLES["sheet"], kit)
        pixels = np.asarray(scene.image, int)
        for found, atlas, x, baseline in written:
            pen = float(x)
            for character in found.text:
                glyph = atlas.glyphs[character]
                top, left = baseline + glyph.top, round(pen - x) + x + glyph.left
                solid = np.argwhere(glyph.alpha == 255) + np.array((top, left))
                solid = solid[((solid >= 0) & (solid < pixels.shape[:2])).all(axis=1)]
                if len(solid):
                    colors = pixels[solid[:, 0], solid[:, 1]]
                    assert np.abs(colors - COLORS[found.color]).max() <= 18
                pen += glyph.advance
        assert [line.text for line in sorted((w[0] for w in written), key=lambda t: (t.middle, t.box[0]))] == [
            line.text for line in scene.lines
        ]
        written.clear()


def test_things_keep_apart_and_held_out_pairs_and_fonts_stay_out(kit: SceneKit) -> None:
    found = scenes(kit, "crowd", 30)
    shapes = {(t.shape, t.color) for s in found for t in s.things}
    assert len(shapes) > 30
    assert not any(held_out_pair(*pair) for pair in shapes)
    assert any(held_out_pair(t.shape, t.color) for s in scenes(kit, "crowd", 30, pairs="all") for t in s.things)
    for scene in found:
        for a, b in pairwise(scene.things):
            assert a.box[2] <= b.box[0] or b.box[2] <= a.box[0] or a.box[3] <= b.box[1] or b.box[3] <= a.box[1]
    assert not HELD_OUT_FAMILIES & {family for family, _ in find_families()}


def test_sprites_touch_all_four_edges_of_their_boxes(kit: SceneKit) -> None:
    assert set(kit.sprites) == set(SHAPE_NAMES)
    for masks in kit.sprites.values():
        for mask in masks:
            edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
            assert all(edge.max() >= INK for edge in edges), mask.shape
