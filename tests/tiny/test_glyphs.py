import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from viewfinder.data.synth.fonts import find_families, load_font
from viewfinder.data.synth.words import CHARACTERS
from viewfinder.tiny.glyphs import CYRILLIC, GREEK, RASTERIZERS, compose_line, ink_box, make_atlas

PATH = dict(find_families())["OpenSans"][0]
ATLASES = {rasterizer: make_atlas(PATH, 17, rasterizer) for rasterizer in RASTERIZERS}


@settings(max_examples=40, deadline=None)
@given(st.text(CHARACTERS + " ", max_size=14), st.sampled_from(RASTERIZERS), st.floats(0, 4))
def test_the_box_of_a_line_is_its_ink(text: str, rasterizer: str, spacing: float) -> None:
    line = compose_line(ATLASES[rasterizer], text, spacing)
    if line is None:
        assert not text.strip()
        return
    box = ink_box(line.alpha)
    assert box is not None
    x, y = line.corner
    assert (box[0] + x, box[1] + y, box[2] + x, box[3] + y) == line.box
    assert len(line.centers) == len(text)


@pytest.mark.parametrize("rasterizer", RASTERIZERS)
def test_every_letter_stands_where_its_center_says(rasterizer: str) -> None:
    text = "Hotel 26 bus"
    atlas = ATLASES[rasterizer]
    line = compose_line(atlas, text)
    assert line is not None
    columns = line.alpha.max(axis=0) > 120
    for character, center in zip(text, line.centers, strict=True):
        half = atlas.glyphs[character].advance / 2
        near = columns[max(0, round(center - half) - line.corner[0]) : round(center + half) - line.corner[0]]
        assert near.any() == (character != " "), (character, center)


def test_a_composed_line_looks_like_one_that_the_font_library_writes() -> None:
    line = compose_line(ATLASES["gray"], "Maple tree")
    assert line is not None
    frame = Image.new("L", (200, 60))
    ImageDraw.Draw(frame).text((20, 40), line.text, fill=255, font=load_font(PATH, 17), anchor="ls")
    theirs = ink_box(np.asarray(frame))
    assert theirs is not None
    assert np.abs(np.array(theirs) - np.array(line.box) - np.array((20, 40, 20, 40))).max() <= 1
    left, top = 20 + line.corner[0], 40 + line.corner[1]
    ours = np.zeros((60, 200), np.uint8)
    ours[top : top + line.alpha.shape[0], left : left + line.alpha.shape[1]] = line.alpha
    together = np.corrcoef(ours.ravel(), np.asarray(frame).ravel())[0, 1]
    assert together > 0.9


def test_letters_that_a_font_lacks_are_not_in_its_atlas() -> None:
    atlas = make_atlas(dict(find_families())["DejaVuSans"][0], 14, "gray", CHARACTERS + CYRILLIC + GREEK + "\ue123")
    assert set(CHARACTERS + CYRILLIC + GREEK) <= set(atlas.glyphs)
    assert "\ue123" not in atlas.glyphs
