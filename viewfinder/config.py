"""The model's settings, with exactly the keys of a checkpoint's `config.json`, and the official sizes.

Knows how to read both generations of the file (flat, 2025, and nested `text_config`, 2026) and to
write the flat one, which every later reader accepts. The released checkpoints are the truth where
they differ from Table 1 of the report (the feed-forward width of the tower and of the 3B model).
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from viewfinder.errors import CheckpointError


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VisionConfig(_Strict):
    """The vision tower and its merger. Defaults are those of the 3B and 7B checkpoints."""

    depth: int = 32
    hidden_size: int = 1280
    num_heads: int = 16
    intermediate_size: int = 3420
    out_hidden_size: int
    hidden_act: Literal["silu"] = "silu"
    in_channels: int = 3
    patch_size: int = 14
    temporal_patch_size: int = 2
    spatial_merge_size: int = 2
    window_size: int = 112
    fullatt_block_indexes: tuple[int, ...] = (7, 15, 23, 31)
    tokens_per_second: int = 2

    @property
    def patch_dim(self) -> int:
        """Values in one flattened patch: channels x frames x height x width (1176)."""
        return self.in_channels * self.temporal_patch_size * self.patch_size**2

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads

    @property
    def factor(self) -> int:
        """Pixels on a side of one language-model token (28)."""
        return self.patch_size * self.spatial_merge_size


class TextConfig(_Strict):
    """The language model."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int = 128000
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1_000_000.0
    mrope_section: tuple[int, int, int] = (16, 24, 24)
    tie_word_embeddings: bool = False

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @model_validator(mode="after")
    def _check(self) -> "TextConfig":
        if sum(self.mrope_section) * 2 != self.head_dim:
            raise ValueError(
                f"mrope_section {list(self.mrope_section)} covers {sum(self.mrope_section)} frequencies, but a "
                f"head of {self.head_dim} has {self.head_dim // 2}; make them equal"
            )
        return self


class ModelConfig(_Strict):
    """A whole Qwen2.5-VL: `vision`, `text` and the token ids that join them."""

    vision: VisionConfig
    text: TextConfig
    image_token_id: int = 151655
    video_token_id: int = 151656
    vision_start_token_id: int = 151652
    vision_end_token_id: int = 151653
    bos_token_id: int = 151643
    eos_token_id: int = 151645

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> "ModelConfig":
        """Read `config.json` of a checkpoint directory.

        Raises:
            CheckpointError: no such file, not JSON, another architecture, or an impossible value.
        """
        path = Path(directory) / "config.json"
        if not path.is_file():
            raise CheckpointError(f"{directory} has no config.json, so it is not a checkpoint directory; name one")
        try:
            raw: dict[str, Any] = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise CheckpointError(f"{path} is not valid JSON ({error}); fetch the file again") from error
        return cls.from_dict(raw)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "ModelConfig":
        """Build from the content of a `config.json`, flat or with `text_config`."""
        model_type = raw.get("model_type")
        if model_type != "qwen2_5_vl":
            raise CheckpointError(
                f"config.json has model_type {model_type!r}, expected 'qwen2_5_vl'; no other architecture is run here"
            )
        text: dict[str, Any] = {**raw, **raw.get("text_config", {})}
        rope: dict[str, Any] = text.get("rope_parameters") or text.get("rope_scaling") or {}
        _refuse_unsupported(text, rope)
        text.setdefault("rope_theta", rope.get("rope_theta", 1_000_000.0))
        text["mrope_section"] = rope.get("mrope_section", (16, 24, 24))
        text["tie_word_embeddings"] = raw.get("tie_word_embeddings", text.get("tie_word_embeddings", False))
        vision: dict[str, Any] = dict(raw.get("vision_config", {}))
        vision["in_channels"] = vision.get("in_channels") or vision.get("in_chans") or 3
        try:
            return cls(
                vision=VisionConfig(**_known(VisionConfig, vision)),
                text=TextConfig(**_known(TextConfig, text)),
                **_known(cls, {k: v for k, v in raw.items() if k.endswith("_token_id") and v is not None}),
            )
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise CheckpointError(f"config.json does not describe a usable model ({problems}); correct it") from error

    def to_dict(self) -> dict[str, Any]:
        """The flat `config.json` that transformers from 4.49 on reads."""
        text, vision = self.text, self.vision
        return {
            "architectures": ["Qwen2_5_VLForConditionalGeneration"],
            "model_type": "qwen2_5_vl",
            **text.model_dump(exclude={"mrope_section"}),
            "rope_scaling": {
                "type": "mrope",
                "rope_type": "default",
                "mrope_section": list(text.mrope_section),
            },
            "hidden_act": "silu",
            "attention_dropout": 0.0,
            "use_sliding_window": False,
            "sliding_window": 32768,
            "max_window_layers": text.num_hidden_layers,
            "vision_config": {
                **vision.model_dump(),
                "model_type": "qwen2_5_vl",
                "in_chans": vision.in_channels,
                "spatial_patch_size": vision.patch_size,
                "fullatt_block_indexes": list(vision.fullatt_block_indexes),
            },
            **self.model_dump(include={name for name in ModelConfig.model_fields if name.endswith("_token_id")}),
        }


def _known(cls: type[BaseModel], raw: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key in cls.model_fields}


def _refuse_unsupported(text: dict[str, Any], rope: dict[str, Any]) -> None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind not in ("default", "mrope"):
        raise CheckpointError(
            f"config.json asks for {kind!r} position scaling, which is not supported (it is reported to harm "
            "localisation); use 'mrope' and raise max_position_embeddings instead"
        )
    if text.get("use_sliding_window"):
        raise CheckpointError("config.json sets use_sliding_window, which no released checkpoint does; set it to false")


def _official(
    hidden: int, layers: int, heads: int, kv: int, ffn: int, vocab: int, vit_ffn: int, tied: bool
) -> ModelConfig:
    return ModelConfig(
        vision=VisionConfig(intermediate_size=vit_ffn, out_hidden_size=hidden),
        text=TextConfig(
            vocab_size=vocab,
            hidden_size=hidden,
            intermediate_size=ffn,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=kv,
            tie_word_embeddings=tied,
        ),
    )


OFFICIAL_SIZES: dict[str, ModelConfig] = {
    "3B": _official(2048, 36, 16, 2, 11008, 151936, 3420, True),
    "7B": _official(3584, 28, 28, 4, 18944, 152064, 3420, False),
    "32B": _official(5120, 64, 40, 8, 27648, 152064, 3456, False),
    "72B": _official(8192, 80, 64, 8, 29568, 152064, 3456, False),
}
"""The released sizes (facts of the checkpoints; the report's Table 1 prints other widths)."""
