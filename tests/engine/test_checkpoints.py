"""generation_config.json, the tokens that end an answer, and names of models that are no directory."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import random_model, small_config
from tests.doubles import small_processor
from viewfinder.engine.checkpoints import eos_token_ids, find_checkpoint, generation_defaults
from viewfinder.engine.engine import Engine
from viewfinder.errors import CheckpointError
from viewfinder.messages import Sampling
from viewfinder.model import save_pretrained


def write(directory: Path, name: str = "generation_config", **content: Any) -> Path:
    (directory / f"{name}.json").write_text(json.dumps(content))
    return directory


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, Sampling()),
        ({"do_sample": None, "temperature": 0.7}, Sampling()),
        ({"do_sample": False, "temperature": None, "top_k": None, "top_p": None}, Sampling()),
        ({"do_sample": False, "repetition_penalty": 1.05, "top_p": 0.5}, Sampling(repetition_penalty=1.05)),
        ({"do_sample": True, "temperature": None}, Sampling(temperature=1.0)),
        ({"do_sample": True, "temperature": 0}, Sampling(temperature=0.0)),
        ({"do_sample": True, "temperature": 1e-6, "top_k": -1}, Sampling(temperature=1e-6)),
        ({"do_sample": True, "top_k": None, "top_p": None, "repetition_penalty": None}, Sampling(temperature=1.0)),
        ({"do_sample": True, "top_k": 20, "top_p": 0.8}, Sampling(temperature=1.0, top_k=20, top_p=0.8)),
        ({"max_new_tokens": 77}, Sampling(max_new_tokens=77)),
    ],
)
def test_sampling_of_any_legal_spelling(tmp_path: Path, content: dict[str, Any], expected: Sampling) -> None:
    assert generation_defaults(write(tmp_path, **content)) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temperature", "0.7"),
        ("temperature", -1),
        ("top_k", -2),
        ("top_k", True),
        ("top_p", -0.5),
        ("top_p", 1.5),
        ("repetition_penalty", 0),
        ("repetition_penalty", [1.1]),
        ("max_new_tokens", 0),
        ("do_sample", "yes"),
    ],
)
@pytest.mark.parametrize("do_sample", [True, False])
def test_sampling_that_is_refused(tmp_path: Path, key: str, value: Any, do_sample: bool) -> None:
    with pytest.raises(CheckpointError, match=rf"generation_config\.json has {key}"):
        generation_defaults(write(tmp_path, **{"do_sample": do_sample, key: value}))


def test_a_setting_without_effect_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    generation_defaults(write(tmp_path, num_beams=1, typical_p=1.0, min_p=None, penalty_alpha=None))
    assert caplog.text == ""
    generation_defaults(write(tmp_path, num_beams=4, temprature=0.5))
    assert "num_beams 4, temprature 0.5" in caplog.text


@pytest.mark.parametrize(
    ("generation", "config", "expected"),
    [
        ({"eos_token_id": [5, 6]}, {"eos_token_id": 7}, (5, 6)),
        ({"eos_token_id": 5}, {}, (5,)),
        ({"eos_token_id": None}, {"eos_token_id": [7, 8]}, (7, 8)),
        ({}, {"eos_token_id": None, "text_config": {"eos_token_id": [9, 10]}}, (9, 10)),
        ({"eos_token_id": []}, {}, (99,)),
    ],
)
def test_eos_of_any_legal_spelling(tmp_path: Path, generation: Any, config: Any, expected: tuple[int, ...]) -> None:
    write(tmp_path, "config", **config)
    assert eos_token_ids(write(tmp_path, **generation), 99) == expected


@pytest.mark.parametrize("value", ["5", [5, None], True, -1, 5.5, {"a": 1}])
def test_eos_that_is_no_token(tmp_path: Path, value: Any) -> None:
    with pytest.raises(CheckpointError, match=r"generation_config\.json has eos_token_id"):
        eos_token_ids(write(tmp_path, eos_token_id=value), 99)


@pytest.mark.parametrize("eos", [None, 1, [1]])
def test_a_turn_ends_at_im_end_whatever_eos_says(tmp_path: Path, eos: Any) -> None:
    processor = small_processor()
    processor.save_pretrained(tmp_path)
    save_pretrained(random_model(small_config()), tmp_path)
    write(tmp_path, eos_token_id=eos)
    end = processor.tokenizer.token_id("<|im_end|>")
    engine = Engine.from_pretrained(tmp_path, dtype=torch.float32, device="cpu")
    assert end in engine.eos_token_ids
    assert engine.eos_token_ids[-1] == (281 if eos is None else 1)


@pytest.mark.parametrize(
    ("name", "repository", "revision"),
    [
        ("owner/name", "owner/name", None),
        ("owner/name@1a2b3c4", "owner/name", "1a2b3c4"),
        ("3B@refs/pr/7", "Qwen/Qwen2.5-VL-3B-Instruct", "refs/pr/7"),
    ],
)
def test_a_revision_is_handed_to_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, repository: str, revision: str | None
) -> None:
    asked: list[tuple[str, str | None, list[str]]] = []

    def stand_in(repo_id: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repo_id, revision, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", stand_in)
    assert find_checkpoint(name) == tmp_path
    assert asked == [(repository, revision, ["*.json", "*.safetensors", "*.jinja", "merges.txt"])]


def test_a_directory_as_transformers_5_saves_it(tmp_path: Path) -> None:
    """Only processor_config.json and chat_template.jinja, eos only in text_config, later tensor names."""
    from safetensors.torch import load_file, save_file

    processor = small_processor()
    model = random_model(small_config())
    processor.save_pretrained(tmp_path)
    save_pretrained(model, tmp_path)
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": processor.settings.to_dict()}))
    template = json.loads((tmp_path / "chat_template.json").read_text())["chat_template"]
    (tmp_path / "chat_template.jinja").write_text(template)
    for name in ("preprocessor_config.json", "chat_template.json"):
        (tmp_path / name).unlink()
    flat = model.config.to_dict()
    outer = {"model_type", "vision_config", "image_token_id", "video_token_id", "tie_word_embeddings"}
    nested = {k: v for k, v in flat.items() if k in outer or k.startswith("vision_")}
    write(tmp_path, "config", **nested, text_config={k: v for k, v in flat.items() if k not in nested})
    later = {
        name if name.startswith("lm_head") else f"model.{name}".replace("model.model.", "model.language_model."): tensor
        for name, tensor in load_file(tmp_path / "model.safetensors").items()
    }
    save_file(later, tmp_path / "model.safetensors")
    engine = Engine.from_pretrained(tmp_path, dtype=torch.float32, device="cpu")
    assert engine.model.config == model.config
    assert engine.processor.stamp == processor.stamp
    assert engine.eos_token_ids[-1] == 281
    for name, tensor in engine.model.named_parameters():
        assert torch.equal(tensor, model.get_parameter(name))
