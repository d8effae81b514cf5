"""Encoded files: the same bytes for the same pixels, and a hash of what was drawn."""

import io
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import viewfinder
from viewfinder.media.encode import Encoded, content_hash, encode_clip, encode_picture, write_clip
from viewfinder.media.video import load_video

FRAMES = 8


def drawn(size: tuple[int, int], step: int = 4) -> Iterator[Image.Image]:
    """A square that crosses a mosaic, drawn as the encoder takes it."""
    tiles = np.random.default_rng(0).integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    ground = Image.fromarray(np.kron(tiles, np.ones((8, 8, 1), np.uint8)))
    for k in range(FRAMES):
        frame = ground.copy()
        ImageDraw.Draw(frame).rectangle((step * k, 40, step * k + 30, 70), fill="red")
        yield frame


def encoded(size: tuple[int, int], step: int = 4) -> Encoded:
    return encode_clip(drawn(size, step), 10, crf="20", preset="veryfast")


def test_one_clip_encoded_sixty_times() -> None:
    assert len({encoded((112, 112)) for _ in range(60)}) == 1


def test_what_lies_in_fresh_memory_does_not_matter() -> None:
    """glibc fills new memory with the given byte; x264's AVX-512 code reads some of it unless told otherwise."""
    line = "from tests.media.test_encode import encoded; import hashlib; print(*(hashlib.sha256(encoded(size))"
    streams = {
        subprocess.run(
            [sys.executable, "-c", line + ".hexdigest() for size in ((112, 112), (144, 160))))"],
            env={**os.environ, "MALLOC_PERTURB_": fill},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for fill in ("1", "255")
    }
    assert len(streams) == 1


def test_video_encoders_are_made_in_one_place() -> None:
    root = Path(viewfinder.__file__).parents[1]
    folders = [root / name for name in ("viewfinder", "runs", "bench", "examples", "tests")]
    files = {path for folder in folders for path in folder.rglob("*.py")}
    own = {root / "viewfinder/media/encode.py", Path(__file__)}
    made = [
        path
        for path in files - own
        if re.search(r'add_stream\((?!"aac")|CodecContext\.create\((?!library, "r"\))', path.read_text())
    ]
    assert made == []


def test_a_clip_is_what_was_drawn_and_when(tmp_path: Path) -> None:
    clip = encoded((112, 112))
    assert clip.drawn == write_clip(tmp_path / "clip.mp4", drawn((112, 112)), 10, crf="20", preset="veryfast")
    assert (tmp_path / "clip.mp4").read_bytes() == clip
    others = [
        encoded((112, 112), step=5),
        encode_clip(drawn((112, 112)), 5, crf="20", preset="veryfast"),
        encode_clip(drawn((112, 112)), 10, crf="30", preset="veryfast"),
    ]
    assert len({content_hash(one) for one in (clip, *others)}) == 4

    seen = load_video(clip, fps=10.0, min_pixels=112 * 112, max_pixels=112 * 112)
    assert seen.times == pytest.approx([k / 10 for k in range(FRAMES)])
    assert np.abs(seen.frames - np.stack([np.asarray(frame, int) for frame in drawn((112, 112))])).mean() < 12


def test_a_picture_is_its_pixels() -> None:
    picture = next(drawn((112, 112)))
    small, large = encode_picture(picture, compress_level=9), encode_picture(picture, compress_level=0)
    assert small != large
    assert content_hash(small) == content_hash(large)
    assert content_hash(encode_picture(picture.crop((0, 0, 111, 112)))) != content_hash(small)
    rough, fine = (encode_picture(picture, "JPEG", quality=quality) for quality in (20, 90))
    assert len({content_hash(one) for one in (small, rough, fine)}) == 3
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(small))), np.asarray(picture))


def test_files_of_others_are_their_bytes_and_ours_stay_ours() -> None:
    assert content_hash(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    ours = Encoded(b"abc", "drawn")
    assert ours == b"abc"
    assert content_hash(pickle.loads(pickle.dumps(ours))) == "drawn"
