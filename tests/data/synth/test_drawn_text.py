import numpy as np
import pytest
from PIL import Image

from viewfinder.data.synth.drawn_text import Pen, moved, written_on
from viewfinder.data.synth.fonts import load_font
from viewfinder.data.synth.grounds import camera


def page(text: str = "Hij", at: tuple[int, int] = (60, 40), anchor: str | None = None) -> Image.Image:
    image = Image.new("RGB", (140, 84), "white")
    Pen(image).text(at, text, fill=(0, 0, 0), font=load_font(None, 20), anchor=anchor)
    return image


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    dark = np.asarray(image.convert("L")) < 200
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@pytest.mark.parametrize("anchor", [None, "la", "mm", "rm", "md", "ms"])
def test_a_pen_notes_where_its_words_stand_whatever_it_holds_them_by(anchor: str | None) -> None:
    image = page(anchor=anchor)
    (line,) = written_on(image) or []
    assert np.abs(np.array(line.box) - ink(image)).max() <= 2  # fonts count the space before a letter
    assert line.text == "Hij"
    assert list(line.centers) == sorted(line.centers)
    assert line.box[0] < line.centers[0] < line.centers[-1] < line.box[2]
    assert line.box[1] < line.middle < line.box[3]


def test_each_centre_is_that_of_its_letter() -> None:
    image = page("il Wm")
    (line,) = written_on(image) or []
    dark = (np.asarray(image.convert("L")) < 128).any(0)
    for i in (0, 1, 3, 4):  # the middle of each letter's own run of ink, give or take what it bears to its side
        run = np.flatnonzero(dark[int(line.centers[i]) - 2 : int(line.centers[i]) + 3])
        assert len(run) > 0
    gap = line.centers[2]
    assert not dark[int(gap) - 1 : int(gap) + 2].any()


def test_what_is_painted_over_or_cut_off_is_not_written() -> None:
    image = page()
    Pen(image).rectangle((0, 0, 139, 83), fill=(250, 250, 250))
    assert written_on(image) == []
    assert written_on(page().crop((0, 0, 140, 42))) == []
    assert len(written_on(page().crop((0, 0, 140, 70))) or ()) == 1


def test_a_picture_that_no_pen_drew_says_so() -> None:
    assert written_on(Image.new("RGB", (28, 28))) is None


def test_a_camera_keeps_the_notes() -> None:
    for seed in range(12):
        assert len(written_on(camera(np.random.default_rng(seed), page(), 1.0)) or ()) == 1


def test_a_line_moves_with_its_picture() -> None:
    (line,) = written_on(page()) or []
    twice = moved(line, lambda point: (2 * point[0], 3 * point[1]))
    assert twice.centers == pytest.approx([2 * x for x in line.centers])
    assert twice.middle == pytest.approx(3 * line.middle)
    assert twice.box == (line.box[0] * 2, line.box[1] * 3, line.box[2] * 2, line.box[3] * 3)
