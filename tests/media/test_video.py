"""Videos by their true times: odd clocks, turned and squeezed frames, lists and animations."""

import io
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.media.films import numbered, numbers_of, write_film
from viewfinder.errors import LimitError, MediaError
from viewfinder.media.opening import open_video
from viewfinder.media.plan import VideoSettings, plan_video
from viewfinder.media.source import Limits
from viewfinder.media.video import Clip, load_video, probe_video

SMALL = {"min_pixels": 28 * 28, "max_pixels": 224 * 168}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s at 10 frames a second, B-frames, a keyframe every 12."""
    options = {"preset": "medium", "g": "12", "crf": "20", "bf": "3"}
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", [k / 10 for k in range(200)], options=options)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """The screen recording of the report on peers: 30 a second for 20 s, then 5 a second for 40 s."""
    times = [k / 30 for k in range(600)] + [20 + k / 5 for k in range(200)]
    return write_film(
        tmp_path_factory.mktemp("vfr") / "vfr.mp4", times, options={"preset": "ultrafast", "g": "60"}
    ), times


def test_a_plain_film(film: Path) -> None:
    calls: list[tuple[int, int]] = []
    clip = load_video(film, progress=lambda done, total: calls.append((done, total)), **SMALL)
    assert numbers_of(clip.frames) == list(range(0, 200, 5))
    assert clip.times == pytest.approx([k / 2 for k in range(40)])
    assert clip.duration == pytest.approx(20.0)
    assert clip.frames.shape == (40, 168, 224, 3)
    assert clip.transform.original_size == (320, 240)
    assert clip.transform.resized_size == (224, 168)
    assert (clip.second_per_grid_ts, clip.regular, clip.notes) == (1.0, True, ())
    assert clip.grid_times == tuple(float(k) for k in range(20))
    assert calls == [(k, 40) for k in range(1, 41)]


@pytest.mark.parametrize("extra", ["", "open-gop=1:b-adapt=0"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_any_selection_equals_decoding_everything(tmp_path: Path, suffix: str, extra: str) -> None:
    """Seeking, leaving out unneeded frames and splitting over threads change no pixel."""
    options = {"preset": "medium", "g": "12", "crf": "20", "bf": "3", "x264-params": extra}
    source = open_video(write_film(tmp_path / f"film{suffix}", [k / 10 for k in range(200)], options=options))
    whole: dict[int, np.ndarray] = {}
    assert source.read(range(200), (56, 56), whole.__setitem__) == ()
    assert numbers_of(np.stack([whole[i] for i in range(200)])) == list(range(200))
    random = np.random.default_rng(0)
    for count in (1, 2, 7, 60):
        wanted = sorted(random.choice(200, count).tolist())
        found: dict[int, np.ndarray] = {}
        assert source.read(wanted, (56, 56), found.__setitem__) == ()
        assert all(np.array_equal(found[slot], whole[i]) for slot, i in enumerate(wanted))


def test_variable_frame_rate(recording: tuple[Path, list[float]]) -> None:
    path, times = recording
    info = probe_video(path)
    assert info.variable_frame_rate
    assert info.duration == pytest.approx(59.8 + 1 / 30)
    clip = load_video(path, **SMALL)
    assert len(clip.frames) == 120
    shown = [times[n] for n in numbers_of(clip.frames)]
    assert shown == pytest.approx(clip.times, abs=1e-3)  # what is reported is true
    wanted = np.arange(120) / 2
    assert np.abs(np.array(shown) - wanted)[:40].max() <= 1 / 30
    assert np.abs(np.array(shown) - wanted)[40:].max() <= 1 / 5
    assert clip.second_per_grid_ts == 1.0
    official = load_video(path, official=True, **SMALL)
    assumed = np.repeat(official.grid_times, 2)
    assert np.abs(np.array(official.times) - assumed).mean() > 5  # the fault that true times cure


def test_part_of_a_film(film: Path) -> None:
    clip = load_video(film, video_start=5.0, video_end=8.0, **SMALL)
    assert numbers_of(clip.frames) == [50, 55, 60, 65, 70, 75]
    assert clip.grid_times == (5.0, 6.0, 7.0)
    assert clip.duration == pytest.approx(20.0)


def test_given_moments_in_a_film(film: Path) -> None:
    clip = load_video(film, frame_times=(0.05, 3.31, 19.99), **SMALL)
    assert numbers_of(clip.frames) == [0, 33, 199, 199]
    assert not clip.regular


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".avi", ".mov"])
def test_containers(tmp_path: Path, suffix: str) -> None:
    codec, options = ("mpeg4", {"g": "12"}) if suffix == ".avi" else ("libx264", {"bf": "2", "g": "12"})
    base = Fraction(1, 10) if suffix == ".avi" else Fraction(1, 90_000)
    path = write_film(
        tmp_path / f"film{suffix}", [k / 10 for k in range(60)], codec=codec, options=options, time_base=base
    )
    clip = load_video(path, **SMALL)
    assert numbers_of(clip.frames) == list(range(0, 60, 5))
    assert clip.times == pytest.approx([k / 2 for k in range(12)], abs=2e-3)


def test_a_clock_that_starts_late(tmp_path: Path) -> None:
    path = write_film(tmp_path / "late.ts", [100 + k / 10 for k in range(40)], options={"bf": "0"})
    clip = load_video(path, **SMALL)
    assert clip.times[0] == 0.0
    assert clip.duration == pytest.approx(4.0)
    assert numbers_of(clip.frames) == list(range(0, 40, 5))


def test_pictures_that_start_after_the_sound(tmp_path: Path) -> None:
    path = write_film(tmp_path / "gap.mkv", [2 + k / 10 for k in range(40)], sound=True)
    clip = load_video(path, **SMALL)
    assert clip.times[0] == pytest.approx(2.0, abs=0.1)
    assert clip.duration == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize(("rotation", "orientation", "turns"), [(90, 8, 1), (180, 3, 2), (-90, 6, 3)])
def test_rotation(tmp_path: Path, rotation: int, orientation: int, turns: int) -> None:
    path = write_film(tmp_path / "phone.mp4", [k / 10 for k in range(20)], rotation=rotation)
    clip = load_video(path, **SMALL)
    upright = (240, 320) if turns % 2 else (320, 240)
    assert probe_video(path).size == clip.transform.original_size == upright
    assert clip.transform.exif_orientation == orientation
    assert numbers_of(np.rot90(clip.frames, -turns, axes=(1, 2))) == [0, 5, 10, 15]


def test_oblong_pixels(tmp_path: Path) -> None:
    path = write_film(tmp_path / "dvd.mkv", [k / 10 for k in range(20)], aspect=Fraction(2, 1))
    clip = load_video(path, min_pixels=784, max_pixels=640 * 240)
    assert probe_video(path).size == clip.transform.original_size == (640, 240)  # as a viewer shows it
    assert clip.transform.resized_size == (616, 224)
    assert "not square" in clip.notes[0]


def test_no_timestamps(tmp_path: Path) -> None:
    path = write_film(tmp_path / "raw.h264", [k / 10 for k in range(60)], options={"bf": "0"})
    clip = load_video(path, **SMALL)
    assert any("timestamps" in note for note in clip.notes)
    found = numbers_of(clip.frames)
    assert found == sorted(found)
    assert all(b > a for a, b in zip(clip.times[:-1], clip.times[1:], strict=True))


def test_a_clock_that_runs_backwards(tmp_path: Path) -> None:
    """Two recordings joined byte by byte, as cameras do: the second begins at 0 again."""
    part = write_film(tmp_path / "a.ts", [k / 10 for k in range(200)], options={"bf": "0", "preset": "ultrafast"})
    both = tmp_path / "both.ts"
    both.write_bytes(part.read_bytes() * 2)
    clip = load_video(both, nframes=8, **SMALL)
    found = numbers_of(clip.frames)
    assert len(set(found)) < 8 or found != sorted(found)  # the second half starts over
    assert clip.times == tuple(sorted(clip.times))
    assert any("run backwards" in note for note in clip.notes)


def test_bytes_open_files_and_pipes(film: Path, tmp_path: Path) -> None:
    expected = load_video(film, nframes=4, **SMALL).frames
    pipe = tmp_path / "pipe"
    import os

    os.mkfifo(pipe)
    threading.Thread(target=lambda: pipe.write_bytes(film.read_bytes()), daemon=True).start()
    for source in (film.read_bytes(), io.BytesIO(film.read_bytes()), pipe, film.as_uri(), str(film)):
        assert np.array_equal(load_video(source, nframes=4, **SMALL).frames, expected)


def test_an_opened_video_and_a_clip_pass(film: Path) -> None:
    source = open_video(film)
    clip = load_video(source, nframes=2, **SMALL)
    assert isinstance(clip, Clip)
    assert load_video(clip) is clip


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_keep_their_delays(tmp_path: Path, kind: str) -> None:
    delays = [100, 300, 100, 500]
    frames = [Image.fromarray(numbered(k, 160, 120)) for k in range(4)]
    path = tmp_path / f"animation.{kind.lower()}"
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=delays, loop=0, lossless=True)
    clip = load_video(path)
    assert numbers_of(clip.frames) == [0, 1, 2, 3]
    assert clip.times == pytest.approx((0.0, 0.1, 0.4, 0.5))
    assert clip.duration == pytest.approx(1.0)
    assert not clip.regular
    assert numbers_of(load_video(path, fps=2.0, min_frames=2).frames) == [0, 3]


def test_lists_and_directories(tmp_path: Path) -> None:
    frames = [numbered(k, 160, 120) for k in range(12)]
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"shot{k}.png")
    for source in (tmp_path, str(tmp_path), frames, np.stack(frames), [Image.fromarray(f) for f in frames]):
        clip = load_video(source)
        assert numbers_of(clip.frames) == list(range(12))  # shot2 before shot10
        assert clip.second_per_grid_ts == 1.0
        assert clip.duration == 6.0
    assert load_video(frames, sample_fps=4.0).second_per_grid_ts == 0.5
    given = load_video(frames, frame_times=[k * k * 0.5 for k in range(12)])
    assert given.grid_times == tuple(k * k * 0.5 for k in range(0, 12, 2))
    assert not given.regular
    assert numbers_of(load_video(frames[:3]).frames) == [0, 1, 2, 2]
    assert numbers_of(load_video(frames, max_frames=4).frames) == [0, 3, 6, 9]
    assert numbers_of(load_video(frames, fps=1.0).frames) == [0, 2, 4, 6, 8, 10]


def test_frames_of_another_size_are_said() -> None:
    clip = load_video([numbered(0), numbered(1, 160, 120)])
    assert "stretched" in clip.notes[-1]


def test_official_sizes_break_the_budget_and_ours_do_not(film: Path) -> None:
    total = 40 * 784
    ours = plan_video(film, VideoSettings(total_pixels=total))
    theirs = plan_video(film, VideoSettings(total_pixels=total, official=True))
    assert ours.pixels <= total < theirs.pixels
    assert any("yields" in note for note in ours.notes)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(784, 3_000_000),
    st.one_of(st.none(), st.floats(0.1, 20)),
    st.integers(2, 300),
    st.integers(784, 300_000),
    st.one_of(st.none(), st.tuples(st.floats(0, 9), st.floats(10, 25))),
)
def test_the_total_budget_is_never_exceeded(
    film: Path, total: int, fps: float | None, most: int, least: int, part: tuple[float, float] | None
) -> None:
    start, end = part or (None, None)
    plan = plan_video(
        open_video(film),
        VideoSettings(
            fps=fps,
            min_frames=2,
            max_frames=most,
            min_pixels=least,
            max_pixels=2 * least,
            total_pixels=total,
            video_start=start,
            video_end=end,
        ),
    )
    assert plan.pixels <= total
    assert plan.shape[0] % 2 == 0
    assert plan.shape[0] <= most
    assert list(plan.times) == sorted(plan.times)


def test_a_budget_below_one_pair(film: Path) -> None:
    with pytest.raises(LimitError, match="not even one pair"):
        plan_video(film, VideoSettings(total_pixels=700))


def test_limits(film: Path) -> None:
    for limits in (Limits(max_seconds=10), Limits(max_pixels=1000), Limits(max_frames=10)):
        with pytest.raises(LimitError):
            load_video(film, limits=limits)
    with pytest.raises(LimitError):
        load_video(io.BytesIO(film.read_bytes()), limits=Limits(max_bytes=1000))
    with pytest.raises(MediaError, match="may not be named"):
        load_video(film, limits=Limits(allow_files=False))
