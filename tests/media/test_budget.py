"""The size of frames: the total is a hard cap here, and is not in the official arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.budget import Budget, frame_size, most_frames, official_frame_size


def test_worked_example() -> None:
    budget = Budget(total_pixels=24576 * 784)
    assert official_frame_size(720, 1280, 768, budget) == (224, 420)
    assert frame_size(720, 1280, 768, budget)[:2] == (168, 280)
    assert "min_pixels" in frame_size(720, 1280, 768, budget)[2][0]
    assert official_frame_size(720, 1280, 768, Budget(min_pixels=16 * 784, total_pixels=24576 * 784)) == (168, 280)


@pytest.mark.parametrize(
    ("count", "size", "settings", "expected"),
    [
        (60, (1080, 1920), {"min_pixels": 16 * 784, "total_pixels": 20480 * 784}, (532, 952)),
        (768, (1080, 1920), {"min_pixels": 16 * 784, "total_pixels": 20480 * 784}, (140, 252)),
        (530, (1080, 1920), {"min_pixels": 16 * 784, "total_pixels": 20480 * 784}, (168, 308)),
    ],
)
def test_sizes_of_the_official_video_notebook(
    count: int, size: tuple[int, int], settings: dict, expected: tuple[int, int]
) -> None:
    assert official_frame_size(*size, count, Budget(**settings)) == expected
    assert frame_size(*size, count, Budget(**settings))[:2] == expected


def test_default_frames() -> None:
    assert frame_size(720, 1280, 20, Budget()) == (560, 1008, ())
    assert frame_size(100, 120, 20, Budget()) == (308, 364, ())  # enlarged to 128 tokens


def test_a_fixed_size_yields_too() -> None:
    assert frame_size(720, 1280, 4, Budget(resized_height=280, resized_width=300)) == (280, 308, ())
    height, width, notes = frame_size(720, 1280, 4, Budget(resized_height=280, resized_width=308, total_pixels=100_000))
    assert 2 * height * width <= 100_000
    assert "yields" in notes[0]


def test_contradictions() -> None:
    with pytest.raises(MediaError, match="give both"):
        Budget(resized_height=28)
    with pytest.raises(MediaError, match="lower min_pixels"):
        Budget(min_pixels=2, max_pixels=1)
    with pytest.raises(LimitError, match="not even one pair"):
        most_frames(28, 28, Budget(total_pixels=783))


sides = st.integers(2, 4000)


@given(
    st.tuples(sides, sides).filter(lambda s: max(s) <= 200 * min(s)),
    st.integers(1, 400),
    st.integers(784, 4_000_000),
    st.integers(784, 200_000),
    st.integers(1, 500_000),
    st.none() | st.tuples(st.integers(28, 2000), st.integers(28, 2000)),
)
def test_the_total_is_never_exceeded(
    size: tuple[int, int], pairs: int, total: int, least: int, more: int, fixed: tuple[int, int] | None
) -> None:
    height, width = fixed or (None, None)
    budget = Budget(least, least + more, total, height, width)
    new_height, new_width, _ = frame_size(*size, 2 * pairs, budget)
    try:
        count = min(2 * pairs, most_frames(new_height, new_width, budget))
    except LimitError:
        assert new_height * new_width > total
        return
    assert count // 2 * new_height * new_width <= total
    assert new_height % 28 == 0 == new_width % 28
