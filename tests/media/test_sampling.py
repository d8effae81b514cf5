"""Which frames are seen: by true time, and officially by index."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.errors import MediaError
from viewfinder.media.sampling import EVERY_FRAME, official_sample, sample, sample_at

SCREEN = [0.0, 0.1, 0.2, 0.3, 1.3, 2.3]


def even(fps: float, seconds: float) -> list[float]:
    return [k / fps for k in range(round(seconds * fps))]


def test_worked_example() -> None:
    found = sample(SCREEN, 3.3, fps=1.0)
    assert found.indices == (0, 3, 4, 5)
    assert found.grid_times == (0.0, 2.0)
    assert found.second_per_grid_ts == 2.0
    assert found.regular


def test_two_a_second_is_exactly_one_second_per_step() -> None:
    found = sample(even(30, 10), 10.0)
    assert found.indices == tuple(range(0, 300, 15))
    assert found.second_per_grid_ts == 1.0
    assert found.grid_times == tuple(float(k) for k in range(10))


def test_rounded_timestamps_do_not_slip_a_frame() -> None:
    """Matroska counts milliseconds: 0.5 s of a film at 29.97 may be written 0.501."""
    times = [round(k / 29.97, 3) for k in range(300)]
    found = sample(times, 300 / 29.97)
    assert max(abs(times[i] - 0.5 * k) for k, i in enumerate(found.indices)) <= 0.5 / 29.97 + 0.001


def test_min_and_max_frames_spread_evenly() -> None:
    assert sample(even(30, 1), 1.0).indices == (0, 7, 15, 22)  # not 2: min_frames is 4
    found = sample(even(10, 1000), 1000.0, max_frames=101)
    assert len(found.indices) == 100
    assert found.second_per_grid_ts == pytest.approx(20.0)


def test_few_frames_are_all_taken_at_their_own_times() -> None:
    found = sample([0.0, 1.0, 7.0], 9.0)
    assert found.indices == (0, 1, 2, 2)
    assert found.grid_times == (0.0, 7.0)
    assert not found.regular
    assert sample(even(1, 8), 8.0).regular


def test_a_part() -> None:
    found = sample(even(30, 60), 60.0, start=20.0, end=24.0)
    assert found.indices == tuple(range(600, 720, 15))
    assert found.grid_times == (20.0, 21.0, 22.0, 23.0)


def test_a_still_frame_is_repeated_and_said_so() -> None:
    times = [*even(10, 2), *(30 + t for t in even(10, 2))]
    found = sample(times, 32.0, fps=1.0)
    assert len(found.indices) == 32
    assert set(found.indices[2:30]) == {19}
    assert "repeat" in found.notes[0]


def test_given_moments() -> None:
    found = sample_at(SCREEN, 3.3, [0.15, 1.0, 3.0])
    assert found.indices == (1, 3, 5, 5)
    assert found.grid_times == (0.15, 3.0)


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"fps": 2.0, "nframes": 4}, "one of them"),
        ({"nframes": 1}, "at least 2"),
        ({"fps": 0.0}, "more than 0"),
        ({"min_frames": 9, "max_frames": 4}, "leave no even number"),
        ({"min_frames": 1, "max_frames": 1}, "leave no even number"),
        ({"start": 5.0, "end": 4.0}, "below video_end"),
        ({"start": 11.0}, "lasts 10 s"),
        ({"start": -1.0}, "below video_end"),
    ],
)
def test_refusals(settings: dict, hint: str) -> None:
    with pytest.raises(MediaError, match=hint):
        sample(even(30, 10), 10.0, **settings)


@given(
    st.lists(st.floats(0.001, 5), min_size=1, max_size=300),
    st.floats(0.05, 40),
    st.integers(1, 40),
    st.integers(2, 200),
    st.floats(0, 0.9),
)
def test_promises(steps: list[float], fps: float, min_frames: int, max_frames: int, start: float) -> None:
    """An even number within bounds, in order, and each frame is on screen when it is said to be."""
    times = np.cumsum([0.0, *steps])
    duration = float(times[-1]) + 0.5
    if 2 * -(-min_frames // 2) > 2 * (max_frames // 2):
        return
    found = sample(times, duration, fps=fps, min_frames=min_frames, max_frames=max_frames, start=start * duration)
    indices = np.array(found.indices)
    assert len(indices) % 2 == 0
    assert 2 <= len(indices) <= max_frames
    assert len(found.grid_times) == len(indices) // 2
    assert (np.diff(indices) >= 0).all()
    assert (np.diff(found.grid_times) > 0).all()
    if not found.regular:
        return
    ends = np.append(times[1:], duration)[indices[::2]]
    slack = 0.5 * duration / 2 + 1e-6 if len(times) <= len(indices) else 0.5 * duration / len(indices)
    assert (np.array(found.grid_times) <= ends + slack).all()
    assert (np.array(found.grid_times) >= times[indices[::2]] - slack).all()


@pytest.mark.parametrize(
    ("total", "fps", "settings", "count", "step", "some"),
    [
        (300, 30.0, {}, 20, 1.0, {0: 0, 1: 16, 19: 299}),
        (301, 30.0, {}, 20, 2 / 1.9933554817275747, {19: 300}),
        (108_000, 30.0, {}, 768, 9.375, {1: 141, 767: 107_999}),
        (300, 30.0, {"nframes": 7}, 8, 2.5, {1: 43}),
        (300, 30.0, {"start": 2.0, "end": 5.0}, 6, 2 * 91 / (6 * 30), {0: 60, 5: 150}),
        (7, 30.0, {}, 4, 2 * 7 / (4 * 30), {3: 6}),
    ],
)
def test_official_frames(total: int, fps: float, settings: dict, count: int, step: float, some: dict) -> None:
    found = official_sample(total, fps, **settings)
    assert len(found.indices) == count
    assert found.second_per_grid_ts == pytest.approx(step, rel=1e-12)
    for k, frame in some.items():
        assert found.indices[k] == frame


def test_official_refusals() -> None:
    for settings in ({"nframes": 400}, {"nframes": 1}, {"fps": 1.0, "nframes": 4}, {"start": 9.99, "end": 9.995}):
        with pytest.raises(MediaError):
            official_sample(300, 30.0, **settings)


@given(st.integers(0, 5000), st.integers(2, 200_000), st.integers(1, 384))
def test_official_rounding_is_that_of_torch(first: int, length: int, pairs: int) -> None:
    import torch

    count = min(2 * pairs, length // 2 * 2)
    found = official_sample(first + length, 1.0, nframes=count, start=float(first))
    expected = torch.linspace(first, first + length - 1, count).round().long().tolist()
    assert list(found.indices) == expected


def test_every_frame() -> None:
    assert sample(even(30, 2), 2.0, fps=EVERY_FRAME).indices == tuple(range(60))


@pytest.mark.parametrize(
    ("given", "count"),
    [({"max_frames": 2}, 2), ({"min_frames": 1000}, 768), ({"max_frames": 3}, 2), ({"min_frames": 10}, 20), ({}, 20)],
)
def test_one_bound_alone_follows_the_official_formula(given: dict[str, int], count: int) -> None:
    """min(max(20, min_frames or 4), max_frames or 768) of a clip of 10 s and 900 frames at 2 a second."""
    assert len(sample(even(90, 10), 10.0, **given).indices) == count
    assert len(official_sample(900, 90.0, **given).indices) == count
