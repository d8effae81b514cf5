"""Frames of containers that seek badly or keep no times of presentation: each is the one that its time says."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media.films import numbers_of, write_film
from viewfinder.errors import MediaError
from viewfinder.media.encode import add_video
from viewfinder.media.video import load_video, probe_video

TENTHS = [k / 10 for k in range(120)]
B_FRAMES = {"g": "12", "bf": "2"}
X264 = {"preset": "ultrafast", "g": "12", "bf": "3", "b-adapt": "0", "crf": "20"}


def film(path: Path, codec: str, options: dict[str, str]) -> Path:
    """120 frames at 30 a second, however a container writes that down."""
    return write_film(path, [k / 30 for k in range(120)], codec=codec, options=options, time_base=Fraction(1, 30))


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("program.mpg", "mpeg2video", B_FRAMES),  # packets after a seek come with other packets' times
        ("program1.mpg", "mpeg1video", B_FRAMES),
        ("disc.vob", "mpeg2video", B_FRAMES),
        ("reordered.avi", "libx264", X264),  # no times of presentation at all
        ("divx.avi", "mpeg4", B_FRAMES | {"qscale": "2"}),  # times one frame late
        ("mpeg2.avi", "mpeg2video", B_FRAMES),
        ("broadcast.ts", "libx264", X264),
        ("plain.avi", "mpeg4", {"g": "12", "qscale": "2"}),
    ],
)
def test_frames_are_those_of_their_times(tmp_path: Path, name: str, codec: str, options: dict[str, str]) -> None:
    path = film(tmp_path / name, codec, options)
    sparse = load_video(path, nframes=8)
    assert numbers_of(sparse.frames) == [0, 15, 30, 45, 60, 75, 90, 105]
    assert sparse.times == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5], abs=1e-3)
    late = load_video(path, video_start=3.0, nframes=6)
    assert numbers_of(late.frames) == [90, 95, 100, 105, 110, 115]
    whole = load_video(path, fps=1e6)
    assert numbers_of(whole.frames) == list(range(120))
    assert not any("decoded" in note for note in (*sparse.notes, *late.notes, *whole.notes))


def test_a_file_without_times_says_so(tmp_path: Path) -> None:
    notes = probe_video(film(tmp_path / "a.avi", "libx264", X264)).notes
    assert notes == ("it has no presentation times: frames are counted in the order of the pictures, from the start",)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparent_frames_lie_on_white(tmp_path: Path, codec: str) -> None:
    """Left half: red under full transparency; right half: red."""
    path = tmp_path / "alpha.webm"
    rgba = np.zeros((48, 64, 4), np.uint8)
    rgba[..., 0], rgba[:, 32:, 3] = 255, 255
    with av.open(str(path), "w") as container:
        stream = add_video(container, 10, (64, 48), {"auto-alt-ref": "0"}, codec)
        stream.pix_fmt, stream.metadata["alpha_mode"] = "yuva420p", "1"
        for k in range(4):
            frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format="yuva420p")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    clip = load_video(path, nframes=4)
    assert (clip.frames[:, 10, 5] == 255).all()
    assert (clip.frames[:, 10, -5].min(axis=0) >= [245, 0, 0]).all()
    assert (clip.frames[:, 10, -5].max(axis=0) <= [255, 12, 12]).all()


def test_a_codec_outside_the_list_is_refused(tmp_path: Path) -> None:
    path = write_film(tmp_path / "odd.avi", TENTHS[:5], codec="asv1", options={}, time_base=Fraction(1, 10))
    with pytest.raises(MediaError, match=r"odd\.avi is coded as asv1, which is not read here"):
        load_video(path)
