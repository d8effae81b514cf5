"""config.json in the spellings that are met, and values that would be computed wrongly."""

import json
from pathlib import Path
from typing import Any

import pytest

from viewfinder.config import OFFICIAL_SIZES, ModelConfig
from viewfinder.errors import CheckpointError

OFFICIAL = OFFICIAL_SIZES["3B"]


def nested(**changes: Any) -> dict[str, Any]:
    """As transformers 5 saves it: everything of the language model, eos and bos too, only in text_config."""
    flat = OFFICIAL.to_dict()
    outer = ("architectures", "model_type", "vision_config", "tie_word_embeddings", "image_token_id", "video_token_id")
    text = {k: v for k, v in flat.items() if k not in outer and not k.startswith("vision_")}
    text["rope_parameters"] = {"rope_theta": text.pop("rope_theta"), **text.pop("rope_scaling")}
    text["rope_parameters"]["rope_type"] = text["rope_parameters"].pop("type")
    text["layer_types"] = ["full_attention"] * text["num_hidden_layers"]
    text["sliding_window"] = None
    raw = {key: flat[key] for key in (*outer, "vision_start_token_id", "vision_end_token_id")}
    return raw | {"text_config": text | changes, "dtype": "bfloat16", "transformers_version": "5.23.0"}


def test_as_transformers_5_saves_it() -> None:
    assert ModelConfig.from_dict(nested()) == OFFICIAL
    assert ModelConfig.from_dict(nested(eos_token_id=7, bos_token_id=9)).eos_token_id == 7
    assert ModelConfig.from_dict(nested(eos_token_id=7, bos_token_id=9)).bos_token_id == 9


@pytest.mark.parametrize(("eos", "first"), [([5, 6], 5), (None, 151645), ([], 151645), (3, 3)])
def test_eos_of_any_legal_spelling(eos: Any, first: int) -> None:
    assert ModelConfig.from_dict(OFFICIAL.to_dict() | {"eos_token_id": eos}).eos_token_id == first


def test_nulls_say_nothing() -> None:
    raw = OFFICIAL.to_dict() | {"text_config": None, "pad_token_id": None, "use_sliding_window": None}
    assert ModelConfig.from_dict(raw) == OFFICIAL


@pytest.mark.parametrize(("outer", "inner"), [(True, False), (False, True), (None, True)])
def test_tied_where_either_level_says_so(outer: Any, inner: Any) -> None:
    raw = nested(tie_word_embeddings=inner) | {"tie_word_embeddings": outer}
    assert ModelConfig.from_dict(raw).text.tie_word_embeddings


def test_what_is_left_out_is_the_default_of_the_library_that_left_it_out() -> None:
    raw = OFFICIAL.to_dict()
    for key in ("rms_norm_eps", "max_position_embeddings"):
        del raw[key]
    del raw["vision_config"]["tokens_per_second"]
    found = ModelConfig.from_dict(raw)
    assert (found.text.rms_norm_eps, found.text.max_position_embeddings) == (1e-5, 32768)
    assert found.vision.tokens_per_second == 4


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        ({"layer_types": ["sliding_attention"]}, "layer_types"),
        ({"head_dim": 64}, "head_dim 64"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"num_attention_heads": 15}, "num_attention_heads 15 does not divide"),
        ({"num_key_value_heads": 3}, "num_key_value_heads 3 does not divide"),
        ({"hidden_size": "2048"}, "hidden_size"),
        ({"num_hidden_layers": True}, "num_hidden_layers"),
        ({"rms_norm_eps": -1}, "rms_norm_eps"),
        ({"eos_token_id": "151645"}, "eos_token_id"),
        ({"eos_token_id": [1, None]}, "eos_token_id"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings"),
        ({"text_config": [1]}, "text_config"),
        ({"vision_config": "x"}, "vision_config"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "yarn"),
    ],
)
def test_refused_by_name(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(CheckpointError, match=rf"config\.json.*{problem}"):
        ModelConfig.from_dict(OFFICIAL.to_dict() | changes)


@pytest.mark.parametrize("content", ["[]", '{"a": NaN, "a": 1}', "\xff", "[" * 100_000])
def test_files_that_are_no_object(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"config\.json"):
        ModelConfig.from_pretrained(tmp_path)


def test_a_key_that_stands_twice(tmp_path: Path) -> None:
    text = json.dumps(OFFICIAL.to_dict())
    (tmp_path / "config.json").write_text(text[:-1] + ', "rms_norm_eps": 0.1}')
    with pytest.raises(CheckpointError, match="'rms_norm_eps' stands twice"):
        ModelConfig.from_pretrained(tmp_path)


def test_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("\ufeff" + json.dumps(OFFICIAL.to_dict()), "utf-8")
    assert ModelConfig.from_pretrained(tmp_path) == OFFICIAL


def test_a_key_without_effect_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert ModelConfig.from_dict(OFFICIAL.to_dict() | {"rms_norm_epsilon": 0.1}) == OFFICIAL
    assert "rms_norm_epsilon" in caplog.text
