"""Situations out of other projects' public reports (named project#number), each as a small file; see docs/reports."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.media.films import number_of, numbers_of, write_film
from tests.media.pdfs import page_of, text_at
from tests.media.test_image import encoded, keyed_png
from tests.media.test_text_layer import words_of
from viewfinder.media.image import load_image
from viewfinder.media.sampling import sample
from viewfinder.media.video import load_video

THIRTIETH = Fraction(1, 30)


def test_hevc_early_frame_after_a_late_one(tmp_path: Path) -> None:
    """torchcodec#1339."""
    options = {"preset": "ultrafast", "x265-params": "keyint=3:log-level=none"}
    path = write_film(tmp_path / "a.mp4", [k / 30 for k in range(60)], codec="libx265", options=options)
    assert [number_of(load_video(path, frame_times=[k / 30]).frames[0]) for k in (59, 12, 58, 1)] == [59, 12, 58, 1]


def test_vp8_webm_far_into_the_clip(tmp_path: Path) -> None:
    """decord#91."""
    path = write_film(tmp_path / "a.webm", [k / 30 for k in range(150)], codec="libvpx", options={"g": "40"})
    assert numbers_of(load_video(path, frame_times=[0.5, 2.0, 4.5]).frames[:3]) == [15, 60, 135]


def test_keyframes_of_a_transport_stream(tmp_path: Path) -> None:
    """VideoIO.jl#467: each keyframe of a group of 13, asked for at its very time."""
    options = {"preset": "ultrafast", "g": "13"}
    path = write_film(tmp_path / "a.ts", [k / 30 for k in range(120)], options=options)
    frames = [number_of(load_video(path, frame_times=[k / 30]).frames[0]) for k in range(0, 120, 13)]
    assert frames == list(range(0, 120, 13))


def test_the_last_frame_of_a_file_without_times(tmp_path: Path) -> None:
    """torchcodec#1363: without presentation times the last frame, a keyframe, was lost."""
    options = {"preset": "ultrafast", "g": "12", "bf": "3", "b-adapt": "0"}
    path = write_film(tmp_path / "a.avi", [k / 30 for k in range(61)], options=options, time_base=THIRTIETH)
    assert number_of(load_video(path, frame_times=[2.0]).frames[0]) == 60


def test_more_frames_wanted_than_there_are(tmp_path: Path) -> None:
    """lmms-eval#1433, Qwen3-VL#2012: 32 of 31."""
    clip = load_video(write_film(tmp_path / "a.mp4", [k / 30 for k in range(31)]), nframes=32)
    assert numbers_of(clip.frames) == [*range(31), 30]
    assert clip.notes[0] == "31 frames are all there are"


def test_a_rate_with_an_upper_bound() -> None:
    """Qwen3-VL#1795: 61 s at 1 a second, at most 16: sixteen over all 61 s."""
    found = sample([k / 30 for k in range(61 * 30)], 61.0, fps=1.0, max_frames=16)
    assert len(found.indices) == 16
    assert found.grid_times == pytest.approx([k * 2 * 61 / 16 for k in range(8)])


def test_one_picture_as_a_clip() -> None:
    """Qwen3-VL#1689."""
    assert load_video([np.zeros((56, 56, 3), np.uint8)]).frames.shape[0] == 2


def test_one_bit_with_a_transparent_color() -> None:
    """Pillow#9281: eight pixels 1 and eight 0, of which 1 or 0 are transparent; under the white there is black."""
    for key, grey in ((1, [255, 0]), (0, [255, 255])):
        data = keyed_png(1, 0, [b"\xff", b"\x00"], 8, struct.pack(">H", key))
        picture = load_image(data)
        assert picture.pixels[:, 0, 0].tolist() == grey
        assert picture.notes == ("transparency shown on white",)


def test_sixteen_bits_are_not_clipped() -> None:
    """Pillow#1108, Pillow#2574: all above 255 was white."""
    values = np.linspace(0, 65535, 256).astype(np.uint16)[None]
    for kind in ("TIFF", "PNG"):
        assert load_image(encoded(Image.fromarray(values), kind)).pixels[0, ::51, 0].tolist() == [
            0,
            51,
            102,
            153,
            204,
            255,
        ]


@pytest.mark.parametrize("page", ["/CropBox[0 100 300 200]", "/CropBox[0 100 300 200]/Rotate 90"])
def test_text_outside_the_crop_box_of_sparse_and_rotated_pages(page: str) -> None:
    """pdf-inspector#318, pypdf#3145."""
    assert words_of(page_of(text_at(20, 150, "Inside") + text_at(20, 50, "Outside"), page=page)) == ["Inside"]


def test_text_that_a_figure_clips_away() -> None:
    """grobid#1550: a figure (form XObject) carries the manuscript page that it was cut from."""
    stream = "0 0 60 40 re W n " + text_at(5, 10, "Fig", size=12) + text_at(100, 150, "Manuscript", size=12)
    form = (
        "<</Type/XObject/Subtype/Form/BBox[0 0 300 200]/Resources<</Font<</F1 5 0 R>>>>"
        f"/Length {len(stream)}>>stream\n{stream}\nendstream"
    )
    assert words_of(page_of("/X0 Do", resources="/XObject<</X0 6 0 R>>", objects=[form])) == ["Fig"]


def test_headlines_that_stand_twice() -> None:
    """pdfminer#70: once drawn, once invisible."""
    content = text_at(20, 100, "Strike") + text_at(20, 100, "Strike", "3 Tr")
    assert len(words_of(page_of(content))) <= 2


def test_a_rejected_text_is_covered_by_a_picture() -> None:
    """PyMuPDF#4417, PyMuPDF#2418: words under a picture."""
    picture = (
        "<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 1>>"
        "stream\n\x40\nendstream"
    )
    content = text_at(20, 150, "Seen") + text_at(20, 50, "Ghost") + "q 280 0 0 60 10 30 cm /X0 Do Q"
    assert words_of(page_of(content, resources="/XObject<</X0 6 0 R>>", objects=[picture])) == ["Seen"]
