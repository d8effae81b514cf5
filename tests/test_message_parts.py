"""What clients send as media: budgets beside the URL, unknown keys and types, lists of frames."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.doubles import small_processor
from viewfinder.errors import MediaError, MessageError
from viewfinder.message_parsing import parse_messages
from viewfinder.messages import ImagePart, VideoPart
from viewfinder.serve.protocol import MediaDefaults


def part_of(raw: dict[str, object]) -> object:
    return parse_messages([{"role": "user", "content": [raw]}])[0].parts[0]


def jpeg(shade: int) -> str:
    sink = io.BytesIO()
    Image.new("RGB", (56, 56), (shade, shade, shade)).save(sink, "JPEG")
    return base64.b64encode(sink.getvalue()).decode()


FRAMES = "data:video/jpeg;base64," + ",".join(jpeg(shade) for shade in (0, 80, 160, 240))


def test_budgets_beside_the_url_count() -> None:
    part = part_of({"type": "image_url", "image_url": {"url": "a.png", "detail": "high", "max_pixels": 50176}})
    assert part == ImagePart(image="a.png", max_pixels=50176)
    part = part_of({"type": "video_url", "video_url": {"url": "a.mp4", "fps": 1.0}, "max_frames": 8})
    assert part == VideoPart(video="a.mp4", fps=1.0, max_frames=8)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"type": "image_url", "image_url": {"url": "a.png", "bogus": 1}}, "bogus"),
        ({"type": "video_url", "video_url": {"url": "a.mp4", "bogus": 1}}, "bogus"),
        ({"type": "image_url", "image_url": {"max_pixels": 50176}}, "no url"),
        (
            {"type": "image_url", "image_url": {"url": "a.png", "max_pixels": 1}, "max_pixels": 2},
            "max_pixels in image_url",
        ),
        ({"type": "input_audio", "text": "x"}, "type 'input_audio'"),
        ({"type": "text", "text": "x", "image": "a.png"}, "text"),
    ],
)
def test_what_is_not_known_is_refused(raw: dict[str, object], reason: str) -> None:
    with pytest.raises(MessageError, match=reason):
        part_of(raw)


def test_null_is_absent() -> None:
    """Rows written by Arrow have every key."""
    assert part_of({"type": "text", "text": "x", "image": None, "video": None}).text == "x"


def test_frames_in_one_uri_are_a_list() -> None:
    part = part_of({"type": "video_url", "video_url": {"url": FRAMES, "fps": 4.0}})
    assert len(part.video) == 4
    assert part.sample_fps == 4.0
    (info,) = small_processor().plan([{"role": "user", "content": [part]}]).media
    assert info.frame_times == (0.0, 0.25, 0.5, 0.75)
    assert info.second_per_grid_ts == 0.5
    thinned = part_of({"video_url": {"url": FRAMES, "fps": 1.0, "sample_fps": 4.0}})
    assert (thinned.fps, thinned.sample_fps) == (1.0, 4.0)


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(MessageError, match="an empty frame among 3"):
        part_of({"video_url": {"url": "data:video/jpeg;base64,AA,,AA"}})


def test_defaults_of_a_request_fill_what_parts_leave_open() -> None:
    defaults = MediaDefaults(fps=5.0, max_pixels=50176, max_frames=16)
    content = [
        {"image": "a.png"},
        {"image": "b.png", "max_pixels": 784},
        {"video_url": {"url": FRAMES}},
        {"video": "a.mp4", "nframes": 4},
        {"text": "x"},
    ]
    first, second, frames, clip, text = defaults.fill(parse_messages([{"role": "user", "content": content}]))[0].parts
    assert (first.max_pixels, second.max_pixels) == (50176, 784)
    assert (frames.sample_fps, frames.fps) == (5.0, None)
    assert (clip.fps, clip.nframes, clip.max_frames) == (None, 4, 16)
    assert text.text == "x"


def clip_of(array: object, **options: object) -> object:
    return small_processor().prepare([{"role": "user", "content": [{"video": array, **options}]}]).inputs.pixel_values


def test_arrays_and_tensors_are_frames() -> None:
    torch = pytest.importorskip("torch")
    frames = np.random.default_rng(0).integers(0, 256, (4, 56, 84, 3), dtype=np.uint8)
    expected = clip_of(list(frames))
    for other, options in (
        (frames, {}),
        (frames.transpose(0, 3, 1, 2), {}),
        (torch.from_numpy(frames).permute(0, 3, 1, 2), {}),
        (torch.from_numpy(frames).permute(0, 3, 1, 2) / 255.0, {"value_range": (0.0, 1.0)}),
        (frames.astype(np.float64) / 127.5 - 1, {"value_range": (-1.0, 1.0)}),
    ):
        assert torch.equal(clip_of(other, **options), expected)


@pytest.mark.parametrize(
    ("array", "options", "reason"),
    [
        (np.zeros((4, 56, 56, 3), np.float32), {}, "value_range is None"),
        (np.full((4, 56, 56, 3), 2.0), {"value_range": (0.0, 1.0)}, "from 2 to 2"),
        (np.full((4, 56, 56, 3), np.nan), {"value_range": (0.0, 1.0)}, "value_range"),
        (np.zeros((4, 3, 56, 3), np.uint8), {}, "beyond doubt"),
        (np.zeros((4, 56, 56), np.uint8), {}, "beyond doubt"),
    ],
)
def test_arrays_that_could_be_misread_are_refused(array: np.ndarray, options: dict[str, object], reason: str) -> None:
    with pytest.raises(MediaError, match=reason):
        clip_of(array, **options)
