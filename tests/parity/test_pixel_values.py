"""Pixel values beside transformers' image processors, slow and fast, from the same file."""

import io

import numpy as np
import pytest
from PIL import Image

from viewfinder.media.image import load_image
from viewfinder.media.resize import resize_picture
from viewfinder.processor.patchify import IMAGE_STD, patchify

pytestmark = pytest.mark.parity

LEVEL = 1 / 255 / min(IMAGE_STD)
"""One level of a byte after normalisation."""

SIZES = [(640, 480), (1920, 1080), (57, 43), (300, 1200), (28, 28), (1000, 15)]


def jpeg(width: int, height: int) -> bytes:
    rng = np.random.default_rng(width)
    coarse = rng.integers(0, 256, (height // 9 + 2, width // 9 + 2, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_against_the_pillow_processor(size: tuple[int, int]):
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    official = Qwen2VLImageProcessorPil(min_pixels=3136, max_pixels=12845056)
    data = jpeg(*size)
    theirs = official(images=[Image.open(io.BytesIO(data))], return_tensors="pt")
    picture = resize_picture(load_image(data))
    ours = patchify(picture.image)
    assert [1, picture.size[1] // 14, picture.size[0] // 14] == theirs["image_grid_thw"][0].tolist()
    assert (ours - theirs["pixel_values"]).abs().max().item() < 1e-5


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_against_the_resampling_of_the_fast_processor(size: tuple[int, int]):
    # The fast processor is torchvision over torch's own byte kernel, which is called here directly,
    # because torchvision is not installed everywhere. It rounds coefficients to 16 bits, so the two
    # official processors are up to 2 levels apart themselves, in few pixels; ours is the Pillow one.
    import torch

    picture = load_image(jpeg(*size))
    resized = resize_picture(picture)
    bytes_ = torch.from_numpy(np.array(picture.image)).permute(2, 0, 1).unsqueeze(0)
    theirs = torch.nn.functional.interpolate(bytes_, resized.size[::-1], mode="bicubic", antialias=True)
    theirs = patchify(theirs[0].permute(1, 2, 0).contiguous().numpy())
    difference = (patchify(resized.image) - theirs).abs()
    assert difference.max().item() <= 2 * LEVEL * 1.001
    assert (difference > 1e-5).float().mean().item() < 0.01
