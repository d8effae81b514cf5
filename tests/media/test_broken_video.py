"""Damaged, mislabelled and hostile videos: what can be had is had, the rest is one sentence."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.media.films import number_of, write_film, write_sound
from viewfinder.errors import MediaError
from viewfinder.media.video import load_video, probe_video

SMALL = {"min_pixels": 28 * 28, "max_pixels": 224 * 168}


def refused(source: object) -> str:
    with pytest.raises(MediaError) as error:
        load_video(source)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


def test_sound_only(tmp_path: Path) -> None:
    assert "sound but no pictures" in refused(write_sound(tmp_path / "talk.m4a"))


def test_other_things(tmp_path: Path) -> None:
    text = tmp_path / "clip.mp4"
    text.write_text("this is not a film\n" * 20)
    picture = tmp_path / "photo.mp4"
    Image.new("RGB", (20, 20)).save(picture, "JPEG")
    assert "clip.mp4" in refused(text)
    assert "still picture" in refused(picture)
    assert "clip" in refused(tmp_path / "noclip.mp4")
    for source in (b"", b"\0" * 5000, []):
        refused(source)
    (tmp_path / "empty").mkdir()
    assert "no pictures" in refused(tmp_path / "empty")


def test_a_still_png_is_no_video(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    assert "still picture" in refused(tmp_path / "a.png")


def test_cut_off_before_its_index(tmp_path: Path) -> None:
    path = write_film(tmp_path / "cut.mp4", [k / 10 for k in range(60)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cut off" in refused(path)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_cut_off_behind_its_index(tmp_path: Path, suffix: str) -> None:
    """What is there is used, at its true times, and the clip ends where the pictures do."""
    path = write_film(
        tmp_path / f"cut{suffix}",
        [k / 10 for k in range(200)],
        container_options={"movflags": "faststart"} if suffix == ".mp4" else None,
    )
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    clip = load_video(path, **SMALL)
    assert 8 < clip.duration < 16
    numbers = [number_of(frame) for frame in clip.frames[:-2]]
    assert np.array(numbers) / 10 == pytest.approx(clip.times[:-2], abs=2e-3)
    if suffix == ".mp4":
        assert any("announces" in note for note in clip.notes)


def test_damaged_in_the_middle(tmp_path: Path) -> None:
    path = write_film(tmp_path / "hit.mkv", [k / 10 for k in range(200)])
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    clip = load_video(path, **SMALL)
    good = [abs(number_of(frame) / 10 - time) < 0.01 for frame, time in zip(clip.frames, clip.times, strict=True)]
    assert np.mean(good) > 0.6


def test_all_frames_damaged(tmp_path: Path) -> None:
    path = write_film(tmp_path / "dead.mkv", [k / 10 for k in range(20)])
    data = bytearray(path.read_bytes())
    start = data.index(b"\x1f\x43\xb6\x75")  # the first cluster
    for at in range(start + 40, len(data) - 4):
        data[at] ^= 0x5A if at % 7 else 0
    path.write_bytes(data)
    refused(path)


def test_a_cut_animation(tmp_path: Path) -> None:
    frames = [Image.effect_noise((100, 80), 50 + k).convert("RGB") for k in range(10)]
    path = tmp_path / "cut.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = load_video(path)
    assert 2 <= len(clip.frames) < 10
    path.write_bytes(path.read_bytes()[:8])
    refused(path)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{target}'\n",
        (
            "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><Period><AdaptationSet>"
            "<Representation id='1'><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>"
        ),
    ],
)
def test_a_playlist_reaches_no_other_file(tmp_path: Path, text: str) -> None:
    target = write_film(tmp_path / "secret.mp4", [k / 10 for k in range(20)])
    playlist = text.format(target=target)
    file = tmp_path / "list.mp4"
    file.write_text(playlist)
    refused(file)
    refused(playlist.encode())


def test_a_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_film(tmp_path / "concat:a.mp4", [k / 10 for k in range(20)])
    assert probe_video(path).duration == pytest.approx(1.9 + 1 / 30)
    monkeypatch.chdir(tmp_path)
    assert probe_video("concat:a.mp4").duration == pytest.approx(1.9 + 1 / 30)


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"sample_fps": 0.0}, "more than 0"),
        ({"sample_fps": 2.0, "frame_times": (0.0, 1.0)}, "one of them"),
        ({"frame_times": (0.0,)}, "1 frame_times"),
        ({"frame_times": (1.0, 1.0)}, "increase"),
        ({"frame_times": (-1.0, 1.0)}, "from 0 on"),
        ({"frame_times": (0.0, float("nan"))}, "from 0 on"),
    ],
)
def test_times_that_no_list_can_have(settings: dict, hint: str) -> None:
    with pytest.raises(MediaError, match=hint):
        load_video([np.zeros((28, 28, 3), np.uint8)] * 2, **settings)


def test_a_bad_frame_in_a_list_is_named() -> None:
    with pytest.raises(MediaError, match="frame 1 "):
        load_video([np.zeros((28, 28, 3), np.uint8), b"nonsense"])
