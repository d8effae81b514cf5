"""Shapes of the renderers that are held out: both draw inside the boxes, fill them, and differ from training's."""

import numpy as np
import pytest

from viewfinder.data.synth.shapes import COLORS, SHAPE_NAMES
from viewfinder.eval.builtin.renderers import (
    LEAST,
    MOST,
    OUTLINES,
    DrawnShape,
    draw_with_pdfium,
    draw_with_pillow,
    locate_or_none,
    make_shapes,
    yes_or_no,
)


@pytest.mark.parametrize("draw", [draw_with_pillow, draw_with_pdfium])
@pytest.mark.parametrize("shape", OUTLINES)
def test_the_ink_is_as_large_as_the_box(draw, shape: str) -> None:  # type: ignore[no-untyped-def]
    xs, ys = zip(*(OUTLINES[shape] or ((0, 0), (1, 1 if shape == "circle" else 0.6))), strict=True)
    box = (20.0, 30.0, 20 + 50 * (max(xs) - min(xs)), 30 + 50 * (max(ys) - min(ys)))
    pixels = np.asarray(draw((120, 110), "white", [DrawnShape(shape, "blue", box)]), int)
    ink = np.abs(pixels - COLORS["white"]).sum(axis=2) > 200
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    found = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    np.testing.assert_allclose(found, box, atol=2.0)
    assert tuple(pixels[int(box[1] + box[3]) // 2, int(box[0] + box[2]) // 2]) == COLORS["blue"]


def test_shapes_have_names_of_training_and_stay_apart_inside_the_picture() -> None:
    assert set(OUTLINES) <= set(SHAPE_NAMES)
    sizes = []
    for seed in range(200):
        (width, height), ground, shapes = make_shapes(np.random.default_rng(seed))
        sizes += [width, height]
        labels = [one.label for one in shapes]
        assert len(set(labels)) == len(labels)
        assert all(0 <= one.box[0] < one.box[2] <= width and 0 <= one.box[1] < one.box[3] <= height for one in shapes)
        assert all(one.color != ground for one in shapes)
    assert min(sizes) >= LEAST
    assert max(sizes) <= MOST
    assert max(sizes) > 500


def test_half_of_the_questions_are_about_what_is_not_there() -> None:
    for number in range(12):
        there = number % 2 == 0
        found = [make(np.random.default_rng(3), number) for make in (locate_or_none, yes_or_no)]
        boxes, said = (one for one in found if one is not None)
        assert bool(boxes.truth["boxes"]) == there
        assert said.truth["answers"] == ["Yes" if there else "No"]
