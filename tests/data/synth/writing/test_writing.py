import numpy as np
import pytest

from tests.data.synth.pixels import background, measured, off_by
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.writing.languages import all_languages, find_fonts, find_languages, some_words
from viewfinder.data.synth.writing.lines import draw_lines, make
from viewfinder.data.synth.writing.wild import draw_signs, perspective
from viewfinder.errors import DataError

LATIN = Options(max_side=252, difficulty=0.1, languages=("en", "de"))
ANY = Options(max_side=300, difficulty=0.6)


def test_lines_are_where_their_ink_is() -> None:
    compared = 0
    for seed in range(12):
        image, lines = draw_lines(np.random.default_rng(seed), ANY)
        ground = background(image)
        for line in lines:
            found = measured(image, line.box, ground, reach=2)
            assert found is not None
            assert off_by(found, line.box) <= 1, (seed, line)
            compared += 1
    assert compared > 12


def test_perspective_takes_corners_to_corners() -> None:
    assert perspective(((0, 0), (8, 0), (8, 4), (0, 4)), (4, 2)) == pytest.approx([0.5, 0, 0, 0, 0.5, 0, 0, 0])
    a, b, c, d, e, f, g, h = perspective(((1, 2), (9, 3), (8, 7), (2, 6)), (20, 10))
    for (x, y), wanted in (((1, 2), (0, 0)), ((9, 3), (20, 0)), ((8, 7), (20, 10)), ((2, 6), (0, 10))):
        scale = g * x + h * y + 1
        assert ((a * x + b * y + c) / scale, (d * x + e * y + f) / scale) == pytest.approx(wanted, abs=1e-6)


def test_signs_lie_inside_the_picture_from_top_to_bottom() -> None:
    some = 0
    for seed in range(12):
        image, lines = draw_signs(np.random.default_rng(seed), ANY)
        tops = [line.box[1] for line in lines]
        assert tops == sorted(tops)
        for line in lines:
            x1, y1, x2, y2 = line.box
            assert 0 <= x1 < x2 <= image.width
            assert 0 <= y1 < y2 <= image.height
            assert line.text
            pixels = np.asarray(image.crop(line.box).convert("L"), float)
            assert pixels.std() > 8, (seed, line)  # something is written there
            some += 1
    assert some > 10


def test_languages_and_fonts_of_the_splits_share_nothing() -> None:
    train = {one.code for one in find_languages((), "train")}
    assert train
    for code in train:
        assert all_languages()[code].split == "train"
        assert not set(find_fonts(code, "train")) & set(find_fonts(code, "held_out"))
    with pytest.raises(DataError, match="held out of training"):
        find_languages(("pl",), "train")
    with pytest.raises(DataError, match="no words of the language 'xx'"):
        find_languages(("xx",), "train")


def test_samples_keep_to_the_languages_asked_for() -> None:
    letters = set("".join(all_languages()["en"].words + all_languages()["de"].words))
    rng = np.random.default_rng(0)
    for code in ("en", "de"):
        words = some_words(rng, all_languages()[code], 40)
        assert set("".join(words).lower()) <= letters | set("0123456789") | {c.lower() for c in letters}
    assert {make(np.random.default_rng(s), LATIN).language for s in range(6)} <= {"en", "de"}
