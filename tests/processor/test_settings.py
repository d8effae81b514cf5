"""Reading both generations of preprocessor_config.json, and refusing what cannot be honoured."""

import json
from pathlib import Path
from typing import Any

import pytest

from viewfinder.errors import CheckpointError, SettingsError
from viewfinder.processor.settings import ProcessorSettings

OFFICIAL = {
    "min_pixels": 3136,
    "max_pixels": 12845056,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2_5_VLImageProcessor",
    "processor_class": "Qwen2_5_VLProcessor",
}


def read(tmp_path: Path, raw: Any, config: Any = None) -> ProcessorSettings:
    (tmp_path / "preprocessor_config.json").write_text(raw if isinstance(raw, str) else json.dumps(raw))
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    return ProcessorSettings.from_pretrained(tmp_path)


def test_the_official_file_gives_the_defaults(tmp_path: Path):
    assert read(tmp_path, OFFICIAL) == ProcessorSettings()
    assert ProcessorSettings().factor == 28


def test_the_later_generation_of_budgets(tmp_path: Path):
    raw = {"size": {"shortest_edge": 6272, "longest_edge": 1003520}, "min_pixels": None, "max_pixels": None}
    settings = read(tmp_path, raw)
    assert (settings.min_pixels, settings.max_pixels) == (6272, 1003520)


def test_the_token_rate_comes_from_the_model(tmp_path: Path):
    assert read(tmp_path, OFFICIAL, {"vision_config": {"tokens_per_second": 4}}).tokens_per_second == 4
    assert read(tmp_path, OFFICIAL, {"vision_config": {}}).tokens_per_second == 2


def test_written_and_read_back(tmp_path: Path):
    settings = ProcessorSettings(min_pixels=6272, max_pixels=500000, fps=1.0, total_pixels=10**6, image_mean=(0, 0, 0))
    assert read(tmp_path, settings.to_dict()) == settings


def test_changes_leave_out_none():
    settings = ProcessorSettings().with_(max_pixels=784, fps=None)
    assert (settings.max_pixels, settings.fps) == (784, 2.0)
    with pytest.raises(SettingsError, match="did you mean max_pixels"):
        settings.with_(max_pixel=784)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("{", "not valid JSON"),
        (OFFICIAL | {"temporal_patch_size": 4}, "temporal_patch_size 4, expected 2"),
        (OFFICIAL | {"do_rescale": False}, "sets do_rescale to false"),
        (OFFICIAL | {"resample": 2}, "resampling filter 2, expected 3"),
    ],
)
def test_refusals(tmp_path: Path, raw: Any, problem: str):
    with pytest.raises(CheckpointError, match=problem):
        read(tmp_path, raw)


def test_a_directory_without_the_file(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"has no preprocessor_config\.json"):
        ProcessorSettings.from_pretrained(tmp_path)
