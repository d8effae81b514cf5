"""Official sizes, and pixels equal to Pillow's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.image import load_image
from viewfinder.media.resize import resample, resize_picture, smart_resize


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1080, 1920), (1092, 1932)),
        ((2400, 1080), (2408, 1092)),
        ((480, 640), (476, 644)),
        ((2160, 3840), (2156, 3836)),
        ((8000, 8000), (3584, 3584)),
        ((14, 14), (56, 56)),
        ((70, 70), (56, 56)),  # half to even: 2.5 tokens become 2
        ((42, 1078), (56, 1064)),  # 1.5 -> 2, 38.5 -> 38
        ((1398, 870), (1400, 868)),
        ((1532, 1014), (1540, 1008)),
    ],
)
def test_official_sizes(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert smart_resize(*size) == expected


def test_extreme_ratio_is_refused() -> None:
    smart_resize(5600, 28)
    with pytest.raises(LimitError, match="1x20000"):
        smart_resize(20000, 1)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(3136, 2_000_000))
def test_sides_and_area(height: int, width: int, budget: int) -> None:
    if max(height, width) > 200 * min(height, width):
        return
    new_height, new_width = smart_resize(height, width, max_pixels=budget)
    assert new_height % 28 == 0 == new_width % 28
    assert min(new_height, new_width) >= 28
    assert new_height * new_width <= budget or 28 in (new_height, new_width) or budget < 2 * 3136


@settings(max_examples=15, deadline=None)
@given(st.integers(500, 1500), st.integers(500, 1500), st.integers(20, 50), st.integers(20, 50))
def test_strips_are_the_pixels_of_one_call(width: int, height: int, columns: int, rows: int) -> None:
    tiles = np.random.default_rng(width).integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    image = Image.fromarray(np.kron(tiles, np.ones((8, 8, 1), np.uint8))[:height, :width])
    size = (28 * columns, 28 * rows)
    expected = image.resize(size, Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(resample(image, size)), np.asarray(expected))


def test_given_size_is_rounded_too() -> None:
    picture = resize_picture(load_image(Image.new("RGB", (300, 200))), resized_height=100, resized_width=90)
    assert picture.size == picture.transform.resized_size == (84, 112)
    assert picture.transform.original_size == (300, 200)


def test_half_a_size_is_refused() -> None:
    with pytest.raises(MediaError, match="give both"):
        resize_picture(load_image(Image.new("RGB", (300, 200))), resized_height=100)


def test_contradictory_budget() -> None:
    with pytest.raises(MediaError, match="lower min_pixels"):
        smart_resize(100, 100, min_pixels=10_000, max_pixels=5_000)
