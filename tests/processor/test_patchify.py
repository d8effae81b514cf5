"""Order and values of patches, on pictures small enough to read."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from viewfinder.media.image import load_image
from viewfinder.media.resize import resize_picture
from viewfinder.model.vision import normalized
from viewfinder.processor.patchify import IMAGE_MEAN, IMAGE_STD, patchify, patchify_video

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "pixel_values.json").read_text())
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1 / 255,) * 3}
"""With these, values are those of the bytes."""


def numbered(height: int, width: int, patch: int) -> np.ndarray:
    """Each pixel holds the raster number of its patch; channels are 0, 100 and 200 more."""
    rows, columns = np.arange(height)[:, None] // patch, np.arange(width)[None] // patch
    number = rows * (width // patch) + columns
    return np.stack([number, number + 100, number + 200], axis=-1).astype(np.uint8)


def test_order_of_patches_is_by_merge_blocks():
    patches = patchify(numbered(56, 56, 14), **PLAIN)
    assert patches.shape == (16, 1176)
    assert patches[:, 0].round().tolist() == [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]


def test_a_row_holds_channel_frame_height_width():
    values = patchify(numbered(28, 28, 14), **PLAIN).view(4, 3, 2, 14, 14).round()
    for channel, base in enumerate((0, 100, 200)):
        assert (values[3, channel] == 3 + base).all()


def test_pixels_of_one_tiny_picture():
    # One patch of 2 x 2 pixels is a whole merge block of size 1.
    image = np.array([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]], dtype=np.uint8)
    (row,) = patchify(image, patch_size=2, merge_size=1, **PLAIN)
    assert row.round().tolist() == [1, 4, 7, 10] * 2 + [2, 5, 8, 11] * 2 + [3, 6, 9, 12] * 2


def test_normalisation():
    image = np.full((28, 28, 3), (0, 128, 255), dtype=np.uint8)
    values = patchify(image).view(4, 3, -1)
    for channel, byte in enumerate((0, 128, 255)):
        expected = (byte / 255 - IMAGE_MEAN[channel]) / IMAGE_STD[channel]
        assert values[:, channel].sub(expected).abs().max() < 1e-6
    assert values[0, 0, 0].item() == pytest.approx(-1.7922626)
    assert values[0, 2, 0].item() == pytest.approx(2.1458980)


def test_the_tower_makes_the_same_numbers_of_bytes():
    """To the last bit, a still picture and a clip, with the official mean and another."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 56, 84, 3), dtype=np.uint8)
    for scale in ({"mean": IMAGE_MEAN, "std": IMAGE_STD}, {"mean": (0.1, 0.2, 0.3), "std": (0.7, 0.11, 0.9)}):
        for cut, shown in ((patchify, pixels[0]), (patchify_video, pixels)):
            patches = cut(shown, normalize=False, **scale)
            assert patches.dtype == torch.uint8
            assert torch.equal(normalized(patches, **scale), cut(shown, **scale))


def test_frames_of_a_clip_stand_in_pairs():
    frames = np.stack([np.full((28, 56, 3), 10 * k, dtype=np.uint8) for k in range(4)])
    values = patchify_video(frames, **PLAIN).view(2, 8, 3, 2, 196).round()
    assert values.unique(dim=1).shape[1] == 1
    assert values[:, 0, 0, :, 0].tolist() == [[0, 10], [20, 30]]


def test_a_picture_is_a_clip_of_two_equal_frames():
    image = np.random.default_rng(0).integers(0, 256, (84, 56, 3), dtype=np.uint8)
    assert torch.equal(patchify(image), patchify_video(np.stack([image, image])))


def naive(frames: np.ndarray, patch: int, merge: int) -> torch.Tensor:
    """The reference's reshape and permute, word for word of the facts."""
    mean, std = torch.tensor(IMAGE_MEAN).view(3, 1, 1), torch.tensor(IMAGE_STD).view(3, 1, 1)
    pixels = (torch.from_numpy(frames).permute(0, 3, 1, 2).double() / 255 - mean) / std
    count, _, height, width = pixels.shape
    rows, columns = height // patch, width // patch
    blocks = pixels.view(count // 2, 2, 3, rows // merge, merge, patch, columns // merge, merge, patch)
    return blocks.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(-1, 3 * 2 * patch * patch)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 2), st.integers(1, 4), st.integers(1, 4), st.sampled_from([(14, 2), (2, 2), (7, 1), (4, 3)]))
def test_any_shape_equals_the_naive_permutation(pairs: int, rows: int, columns: int, sizes: tuple[int, int]):
    patch, merge = sizes
    shape = (2 * pairs, rows * patch * merge, columns * patch * merge, 3)
    frames = np.random.default_rng(rows).integers(0, 256, shape, dtype=np.uint8)
    assert (
        patchify_video(frames, patch_size=patch, merge_size=merge).double().sub(naive(frames, patch, merge)).abs().max()
        < 1e-5
    )


def test_threads_give_the_same_values():
    image = np.random.default_rng(1).integers(
        0, 256, (868, 588, 3), dtype=np.uint8
    )  # large enough to share out, in unequal parts
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        shared = patchify(image)
    finally:
        torch.set_num_threads(before)
    assert shared.double().sub(naive(np.stack([image, image]), 14, 2)).abs().max() < 1e-5


def test_pictures_and_views_of_arrays():
    image = np.random.default_rng(2).integers(0, 256, (56, 84, 3), dtype=np.uint8)
    expected = patchify(image)
    assert torch.equal(patchify(Image.fromarray(image)), expected)
    turned = np.ascontiguousarray(image.transpose(1, 0, 2)).transpose(1, 0, 2)
    assert torch.equal(patchify(turned), expected)
    image.flags.writeable = False
    assert torch.equal(patchify(image), expected)


def test_partial_patches_are_a_programming_error():
    with pytest.raises(AssertionError, match="30 x 28 is not made of 28s"):
        patchify(np.zeros((30, 28, 3), dtype=np.uint8))
    with pytest.raises(AssertionError, match="3 frames"):
        patchify_video(np.zeros((3, 28, 28, 3), dtype=np.uint8))


def golden_picture(width: int, height: int) -> Image.Image:
    """A picture made by arithmetic alone: slopes, a wave and a checkerboard."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [(x * 5 + y) % 256, (x * y) % 251, 255 * ((x // 7 + y // 5) % 2)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


@pytest.mark.parametrize("row", GOLDEN["rows"], ids=lambda row: "x".join(map(str, row["size"])))
def test_values_equal_the_official_processor(row: dict):
    values = patchify(resize_picture(load_image(golden_picture(*row["size"]))).image)
    assert list(values.shape) == row["shape"]
    found = [values[i, j].item() for i, j in row["at"]]
    assert found == pytest.approx(row["values"], abs=1e-5)
    assert values.double().mean().item() == pytest.approx(row["mean"], abs=1e-6)
