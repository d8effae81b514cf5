"""A hostile `config.json` is refused at once, before anything is built from it."""

import time
from typing import Any

import pytest

from viewfinder.config import ModelConfig
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.errors import CheckpointError


@pytest.mark.parametrize(
    ("part", "key"),
    [("", "num_hidden_layers"), ("", "vocab_size"), ("", "intermediate_size"), ("vision_config", "depth")],
)
def test_a_size_that_no_model_has_is_refused_at_once(part: str, key: str) -> None:
    raw: dict[str, Any] = ModelConfig.from_pretrained(find_checkpoint("tiny")).to_dict()
    (raw[part] if part else raw)[key] = 10**9
    start = time.monotonic()
    with pytest.raises(CheckpointError, match=f"{key} is 1,000,000,000"):
        ModelConfig.from_dict(raw)
    assert time.monotonic() - start < 1
