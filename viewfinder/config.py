"""The model's settings, with exactly the keys of a checkpoint's `config.json`, and the official sizes.

Knows how to read both generations of the file (flat, 2025, and nested `text_config`, 2026) and to
write the flat one, which every later reader accepts. The released checkpoints are the truth where
they differ from Table 1 of the report (the feed-forward width of the tower and of the 3B model).
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from viewfinder.config_file import read_json, section, token_ids
from viewfinder.errors import CheckpointError

_LOG = logging.getLogger(__name__)

_ABSENT = {"rms_norm_eps": 1e-5, "max_position_embeddings": 32768, "rope_theta": 1e6}
"""What a file means that leaves these out: transformers writes no value that equals its own default."""
_ABSENT_VISION = {"tokens_per_second": 4}
_FIXED = {"hidden_act": "silu", "use_sliding_window": False, "partial_rotary_factor": 1.0, "attention_bias": True}
_INERT = (
    "architectures model_type transformers_version torch_dtype dtype auto_map _name_or_path name_or_path use_cache "
    "attention_dropout initializer_range sliding_window max_window_layers layer_types head_dim pad_token_id "
    "vision_token_id in_chans spatial_patch_size rope_scaling rope_parameters text_config vision_config "
    "quantization_config compression_config quantization tie_word_embeddings rope_theta chunk_size_feed_forward "
    "_attn_implementation _attn_implementation_autoset attn_implementation gradient_checkpointing unsloth_fixed "
    "unsloth_version hidden_size vocab_size do_sample temperature top_k top_p repetition_penalty max_length min_length "
    "use_mrope dropout sep_token_id base_config_key"
)


def not_text(value: Any) -> Any:
    """For pydantic: a number is never written as text or as true and false."""
    if isinstance(value, str | bool):
        raise ValueError(f"{value!r} is no number")
    return value


Count = Annotated[int, BeforeValidator(not_text), Field(gt=0, lt=2**53)]
Positive = Annotated[float, BeforeValidator(not_text), Field(gt=0, allow_inf_nan=False)]
TokenId = Annotated[int, BeforeValidator(not_text), Field(ge=0, lt=2**31)]


_MOST_LAYERS, _MOST_WIDTH = 1024, 2**22


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VisionConfig(_Strict):
    """The vision tower and its merger. Defaults are those of the 3B and 7B checkpoints."""

    depth: Count = 32
    hidden_size: Count = 1280
    num_heads: Count = 16
    intermediate_size: Count = 3420
    out_hidden_size: Count
    hidden_act: Literal["silu"] = "silu"
    in_channels: Count = 3
    patch_size: Count = 14
    temporal_patch_size: Count = 2
    spatial_merge_size: Count = 2
    window_size: Count = 112
    fullatt_block_indexes: tuple[TokenId, ...] = (7, 15, 23, 31)
    tokens_per_second: Count = 2

    @model_validator(mode="after")
    def _check(self) -> "VisionConfig":
        if self.hidden_size % self.num_heads:
            raise ValueError(f"num_heads {self.num_heads} does not divide hidden_size {self.hidden_size}")
        return self

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

    vocab_size: Count
    hidden_size: Count
    intermediate_size: Count
    num_hidden_layers: Count
    num_attention_heads: Count
    num_key_value_heads: Count
    max_position_embeddings: Count = 128000
    rms_norm_eps: Positive = 1e-6
    rope_theta: Positive = 1_000_000.0
    mrope_section: tuple[Count, Count, Count] = (16, 24, 24)
    tie_word_embeddings: Annotated[bool, Field(strict=True)] = False

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @model_validator(mode="after")
    def _check(self) -> "TextConfig":
        for part, whole in (("num_attention_heads", "hidden_size"), ("num_key_value_heads", "num_attention_heads")):
            if getattr(self, whole) % getattr(self, part):
                raise ValueError(f"{part} {getattr(self, part)} does not divide {whole} {getattr(self, whole)}")
        if sum(self.mrope_section) * 2 != self.head_dim:
            raise ValueError(
                f"mrope_section {list(self.mrope_section)} covers {sum(self.mrope_section)} frequencies, but a "
                f"head of {self.head_dim} (hidden_size / num_attention_heads) has {self.head_dim // 2}; make them equal"
            )
        return self


class ModelConfig(_Strict):
    """A whole Qwen2.5-VL: `vision`, `text` and the token ids that join them."""

    vision: VisionConfig
    text: TextConfig
    image_token_id: TokenId = 151655
    video_token_id: TokenId = 151656
    vision_start_token_id: TokenId = 151652
    vision_end_token_id: TokenId = 151653
    bos_token_id: TokenId = 151643
    eos_token_id: TokenId = 151645

    @model_validator(mode="after")
    def _bounded(self) -> "ModelConfig":
        """A model is built before its weights are compared: a thousand million layers would take for ever."""
        for part in (self.vision, self.text):
            for name, value in part:
                most = _MOST_LAYERS if name in ("depth", "num_hidden_layers") else _MOST_WIDTH
                sized = "size" in name or name in ("depth", "num_hidden_layers")
                if sized and value > most:
                    raise ValueError(f"{name} is {value:,}, over the {most:,} that any such model has")
        return self

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> "ModelConfig":
        """Read `config.json` of a checkpoint directory.

        Raises:
            CheckpointError: no such file, not JSON, another architecture, or an impossible value.
        """
        path = Path(directory) / "config.json"
        if not path.is_file():
            raise CheckpointError(f"{directory} has no config.json, so it is not a checkpoint directory; name one")
        return cls.from_dict(read_json(path))

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "ModelConfig":
        """Build from the content of a `config.json`, flat or with `text_config`. Of several `eos_token_id` the first is
        kept; `engine.checkpoints` reads all of them."""
        model_type = raw.get("model_type")
        if model_type != "qwen2_5_vl":
            raise CheckpointError(
                f"config.json has model_type {model_type!r}, expected 'qwen2_5_vl'; no other architecture is run here"
            )
        raw = {key: value for key, value in raw.items() if value is not None}
        own = section(raw, "text_config", "config.json")
        text: dict[str, Any] = {**_ABSENT, **raw, **own}
        rope = section(text, "rope_parameters", "config.json") or section(text, "rope_scaling", "config.json")
        _refuse_unsupported(text, rope)
        if "rope_theta" not in {**raw, **own}:
            text["rope_theta"] = rope.get("rope_theta", text["rope_theta"])
        text["mrope_section"] = rope.get("mrope_section", (16, 24, 24))
        # Either level may say so, as transformers takes it.
        flags = (level.get("tie_word_embeddings", False) for level in (raw, own))
        text["tie_word_embeddings"] = next((v for v in flags if v is not False), False)
        text.setdefault("num_key_value_heads", text.get("num_attention_heads"))
        vision: dict[str, Any] = {**_ABSENT_VISION, **section(raw, "vision_config", "config.json")}
        vision["in_channels"] = vision.get("in_channels", vision.get("in_chans", 3))
        ids = {k: v for k, v in {**own, **raw}.items() if k in cls.model_fields}
        for name in ("bos_token_id", "eos_token_id"):
            if found := token_ids(ids.pop(name, None), name, "config.json"):
                ids[name] = found[0]
        _say_unknown({*raw, *own}, {*TextConfig.model_fields, *cls.model_fields})
        _say_unknown(vision, VisionConfig.model_fields)
        _say_unknown(rope, ("rope_type", "type", "mrope_section"))
        try:
            return cls(
                vision=VisionConfig(**_known(VisionConfig, vision)), text=TextConfig(**_known(TextConfig, text)), **ids
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
            "rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": list(text.mrope_section)},
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
    for name, expected in _FIXED.items():
        found = text.get(name, rope.get(name, expected))
        if found != expected or isinstance(found, bool) != isinstance(expected, bool):
            raise CheckpointError(
                f"config.json sets {name} to {found!r}, which no released checkpoint does, and only {expected!r} is "
                "computed here; correct it"
            )
    if set(cast("Iterable[Any]", text.get("layer_types") or ())) - {"full_attention"}:
        raise CheckpointError("config.json has layer_types other than full_attention, which are not computed here")
    hidden, heads, head_dim = (text.get(name) for name in ("hidden_size", "num_attention_heads", "head_dim"))
    if head_dim is not None and isinstance(heads, int) and head_dim * heads != hidden:
        raise CheckpointError(
            f"config.json has head_dim {head_dim!r}, but {heads} heads share hidden_size {hidden!r}; correct it"
        )


def _say_unknown(found: Iterable[str], known: Iterable[str]) -> None:
    if unknown := sorted(set(found) - set(known) - {*_INERT.split(), *_FIXED}):
        _LOG.warning("config.json has keys without effect here: %s", ", ".join(unknown))


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
