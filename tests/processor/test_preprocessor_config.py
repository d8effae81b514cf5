"""The files that say how pictures and clips are prepared, in the spellings that are met."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from viewfinder.errors import CheckpointError
from viewfinder.processor.patchify import patchify
from viewfinder.processor.settings import ProcessorSettings

IMAGE = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "size": {"shortest_edge": 3136, "longest_edge": 12845056},
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "rescale_factor": 1 / 255,
    "resample": 3,
    "do_convert_rgb": True,
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "data_format": "channels_first",
}
VIDEO = {**IMAGE, "image_processor_type": None, "video_processor_type": "Qwen2VLVideoProcessor"}
VIDEO |= {"size": {"shortest_edge": 128 * 784, "longest_edge": 768 * 784}, "min_frames": 4, "max_frames": 768}
NESTED = {"processor_class": "Qwen2_5_VLProcessor", "image_processor": IMAGE, "video_processor": VIDEO}


def read(directory: Path, **files: Any) -> ProcessorSettings:
    for name, content in files.items():
        (directory / f"{name}.json").write_text(json.dumps(content))
    return ProcessorSettings.from_pretrained(directory)


def image(directory: Path, **changes: Any) -> ProcessorSettings:
    return read(directory, preprocessor_config=IMAGE | changes)


def test_as_transformers_5_saves_it(tmp_path: Path) -> None:
    assert read(tmp_path, processor_config=NESTED) == ProcessorSettings()


def test_the_nested_section_counts_before_the_older_file(tmp_path: Path) -> None:
    older = IMAGE | {"size": {"shortest_edge": 784, "longest_edge": 7840}}
    assert read(tmp_path, processor_config=NESTED, preprocessor_config=older) == ProcessorSettings()


def test_a_processor_config_without_sections_leaves_the_older_file(tmp_path: Path) -> None:
    found = read(tmp_path, processor_config={"processor_class": "x"}, preprocessor_config=IMAGE)
    assert found == ProcessorSettings()


@pytest.mark.parametrize(
    ("changes", "bounds"),
    [
        ({"size": {"shortest_edge": 6272, "longest_edge": 1003520}}, (6272, 1003520)),
        ({"size": {"shortest_edge": 6272.0, "longest_edge": 1003520.0}}, (6272, 1003520)),
        ({"size": {"min_pixels": 6272, "max_pixels": 1003520}}, (6272, 1003520)),
        ({"size": {"min_pixels": 6272, "max_pixels": 7840, "shortest_edge": 6272, "longest_edge": 7840}}, (6272, 7840)),
        ({"min_pixels": 6272, "max_pixels": 1003520}, (6272, 1003520)),
        ({"size": None, "min_pixels": 6272, "max_pixels": None}, (6272, 1280 * 784)),
        ({"size": None}, (3136, 1280 * 784)),
        ({"size": None, "max_pixels": 784}, (784, 784)),
        ({"size": {"shortest_edge": 2 * 10**6}}, (2 * 10**6, 2 * 10**6)),
        ({"size": {"longest_edge": 50176, "height": None, "width": None}}, (3136, 50176)),
    ],
)
def test_bounds(tmp_path: Path, changes: dict[str, Any], bounds: tuple[int, int]) -> None:
    settings = image(tmp_path, **changes)
    assert (settings.min_pixels, settings.max_pixels) == bounds


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"size": 1003520}, "size 1003520, which does not say whether it is the least or the most"),
        ({"size": {"height": 448, "width": 448}}, "height 448|width 448"),
        ({"size": {"longest": 448}}, "longest"),
        ({"size": {"shortest_edge": 56, "min_pixels": 3136}}, "two values for one bound"),
        ({"size": {"shortest_edge": 7840, "longest_edge": 784}}, "shortest_edge 7840 is over longest_edge 784"),
        ({"size": {"shortest_edge": "3136", "longest_edge": 7840}}, "shortest_edge"),
        ({"min_pixels": 0}, "shortest_edge"),
        ({"max_pixels": True}, "longest_edge"),
        ({"rescale_factor": 0}, "rescale_factor"),
        ({"rescale_factor": "1/255"}, "rescale_factor"),
        ({"image_mean": [0.5, 0.5]}, "image_mean"),
        ({"image_std": [0.5, 0.5, 0]}, "image_std"),
        ({"image_std": [0.5, 0.5, float("inf")]}, "image_std"),
        ({"patch_size": 14.5}, "patch_size"),
        ({"merge_size": -2}, "merge_size"),
        ({"resample": 2}, "resample"),
        ({"do_center_crop": True}, "do_center_crop"),
        ({"image_processor_type": "CLIPImageProcessor"}, "CLIPImageProcessor"),
        ({"viewfinder": {"fsp": 1}}, "viewfinder: fsp"),
        ({"viewfinder": {"fps": "2"}}, "viewfinder: fps"),
        ({"viewfinder": 2}, "viewfinder"),
    ],
)
def test_refused_by_file_and_key(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(CheckpointError, match=rf"preprocessor_config\.json.*({problem})"):
        image(tmp_path, **changes)


def test_another_rescale_factor_gives_the_pixels_that_it_means(tmp_path: Path) -> None:
    settings = image(tmp_path, rescale_factor=1 / 127.5, image_mean=[1.0] * 3, image_std=[0.5] * 3)
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    found = patchify(Image.fromarray(pixels), mean=settings.image_mean, std=settings.image_std)
    expected = (pixels.astype(np.float64) / 127.5 - 1.0) / 0.5
    # Of patch (0, 0): channels, two equal frames, rows, columns.
    patch = np.repeat(expected[:14, :14].transpose(2, 0, 1)[:, None], 2, axis=1).reshape(-1)
    assert np.abs(found[0].numpy() - patch).max() < 1e-5
    assert image(tmp_path, rescale_factor=0.00392156862745098) == ProcessorSettings()


def test_one_number_for_all_channels(tmp_path: Path) -> None:
    assert image(tmp_path, image_mean=0.5, image_std=0.5).image_std == (0.5, 0.5, 0.5)


def test_another_patch_size(tmp_path: Path) -> None:
    settings = read(
        tmp_path, preprocessor_config=IMAGE | {"patch_size": 16}, config={"vision_config": {"patch_size": 16}}
    )
    assert (settings.patch_size, settings.factor) == (16, 32)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("patch_size", "patch_size"),
        ("spatial_merge_size", "merge_size"),
        ("temporal_patch_size", "temporal_patch_size"),
    ],
)
def test_a_tower_that_cuts_otherwise(tmp_path: Path, theirs: str, ours: str) -> None:
    with pytest.raises(CheckpointError, match=rf"{ours} 1?\d, but config\.json has {theirs} 3 in vision_config"):
        read(tmp_path, preprocessor_config=IMAGE, config={"vision_config": {theirs: 3}})


@pytest.mark.parametrize("rate", ["2", 0, -1, True, [2]])
def test_a_rate_of_positions_that_is_none(tmp_path: Path, rate: Any) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json has tokens_per_second"):
        read(tmp_path, preprocessor_config=IMAGE, config={"vision_config": {"tokens_per_second": rate}})


def clip(directory: Path, **changes: Any) -> ProcessorSettings:
    return read(directory, preprocessor_config=IMAGE, video_preprocessor_config=VIDEO | changes)


def test_a_video_processor_narrows_the_budgets_of_frames(tmp_path: Path) -> None:
    assert clip(tmp_path) == ProcessorSettings()
    assert clip(tmp_path, size={"shortest_edge": 3136, "longest_edge": 12845056}) == ProcessorSettings()
    narrow = clip(tmp_path, size={"shortest_edge": 3136, "longest_edge": 50176})
    assert (narrow.video_min_pixels, narrow.video_max_pixels) == (50176, 50176)
    assert (narrow.min_pixels, narrow.max_pixels) == (3136, 12845056)


def test_sampling_of_a_video_processor(tmp_path: Path) -> None:
    found = clip(tmp_path, fps=1, min_frames=8, max_frames=16)
    assert (found.fps, found.min_frames, found.max_frames) == (1.0, 8, 16)


@pytest.mark.parametrize("key", ["patch_size", "merge_size", "image_mean", "rescale_factor"])
def test_clips_that_are_prepared_otherwise_than_pictures(tmp_path: Path, key: str) -> None:
    with pytest.raises(CheckpointError, match=rf"video_preprocessor_config\.json has {key}"):
        clip(tmp_path, **{key: 0.25 if key in ("image_mean", "rescale_factor") else 7})


def test_a_fixed_number_of_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"video_preprocessor_config\.json.*num_frames is 8"):
        clip(tmp_path, num_frames=8)


def test_a_video_processor_saved_in_the_pictures_file(tmp_path: Path) -> None:
    found = read(tmp_path, preprocessor_config=IMAGE | {"video_processor_type": "x", "fps": 1.0, "max_frames": 64})
    assert (found.fps, found.max_frames) == (1.0, 64)


def test_own_settings_count_before_a_video_processor(tmp_path: Path) -> None:
    own = ProcessorSettings(max_frames=32, video_max_pixels=12544, video_min_pixels=3136).to_dict()
    found = read(tmp_path, preprocessor_config=own, video_preprocessor_config=VIDEO)
    assert (found.max_frames, found.video_max_pixels) == (32, 12544)


def test_a_key_without_effect_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert image(tmp_path, max_pixel=784) == ProcessorSettings()
    assert "preprocessor_config.json has keys without effect here: max_pixel" in caplog.text


def test_the_official_file_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read(tmp_path, processor_config=NESTED, preprocessor_config=IMAGE)
    read(tmp_path, preprocessor_config=ProcessorSettings().to_dict())
    assert caplog.text == ""


def test_edges_where_counts_are_meant_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert image(tmp_path, size={"shortest_edge": 512, "longest_edge": 1280}).max_pixels == 1280
    assert "longest_edge 1280, a count of pixels (height x width) of 1 tokens" in caplog.text


@pytest.mark.parametrize("kind", ["Qwen2_5_VLImageProcessor", "Qwen2VLImageProcessorFast", "Qwen2VLImageProcessorPil"])
def test_names_that_the_image_processor_had(tmp_path: Path, kind: str) -> None:
    assert image(tmp_path, image_processor_type=kind) == ProcessorSettings()
