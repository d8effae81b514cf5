"""How a checkpoint says that its weights were quantised, and whether that is read here (`model.quantized`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from viewfinder.config_file import read_json, section
from viewfinder.errors import CheckpointError

_METHODS = ("awq", "gptq", "fp8", "compressed-tensors", "bitsandbytes")
_SIGNED = ("int-quantized", "naive-quantized", "float-quantized", "pack-quantized", "")


@dataclass(frozen=True)
class Quantization:
    """How the weights of a checkpoint were quantised.

    Attributes:
        method: `awq`, `gptq`, `fp8`, `compressed-tensors`, `bitsandbytes`, or `gguf` (`model.gguf_model`).
        settings: as `quantization_config` has them.
        dtype: what the weights become: the checkpoint's `torch_dtype`, else bfloat16.
    """

    method: str
    settings: Mapping[str, Any]
    dtype: torch.dtype

    @property
    def bits(self) -> int:
        return int(self.settings.get("bits") or self.settings.get("w_bit") or 4)

    @property
    def group_size(self) -> int:
        return int(self.settings.get("group_size") or self.settings.get("q_group_size") or 128)


def read_quantization(directory: Path) -> Quantization | None:
    """The quantisation that a checkpoint's files state; None where they state none.

    Raises:
        CheckpointError: a method or a layout that is not read; names it and what to use instead.
    """
    path = directory / "config.json"
    raw = read_json(path) if path.is_file() else {}
    name = str(raw.get("torch_dtype") or raw.get("dtype") or "bfloat16").removeprefix("torch.")
    dtype = {"float16": torch.float16, "float32": torch.float32}.get(name, torch.bfloat16)
    if any(directory.glob("*.gguf")) and not any(directory.glob("model*.safetensors")):
        return Quantization("gguf", {}, dtype)
    found = _stated(directory, raw)
    if found is None:
        return None
    where, settings = found
    unnamed = "mlx" if "group_size" in settings else "a method that is not named"  # MLX alone leaves its name out
    method = str(settings.get("quant_method") or unnamed).lower().replace("_", "-")
    if method not in _METHODS:
        raise CheckpointError(_refused(directory, method, where))
    problem = _unread(method, settings)
    if problem:
        raise CheckpointError(_refused(directory, f"{method} with {problem}", where))
    return Quantization(method, settings, dtype)


def _stated(directory: Path, raw: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    for key in ("quantization_config", "compression_config", "quantization"):
        for level in (raw, section(raw, "text_config", "config.json")):
            if settings := section(level, key, "config.json"):
                return f"{key} in config.json", settings
    for name, method in (("quantize_config.json", "gptq"), ("quant_config.json", "awq")):
        if (directory / name).is_file():
            return name, {"quant_method": method, **read_json(directory / name)}
    if (directory / "hf_quant_config.json").is_file():
        return "hf_quant_config.json", {"quant_method": "ModelOpt"}
    return None


def _unread(method: str, settings: Mapping[str, Any]) -> str:
    """What of the settings names a layout that is not known here; "" where all is."""
    if method == "awq" and str(settings.get("version", "gemm")).lower() != "gemm":
        return f"version {settings['version']!r}"
    if method == "awq" and int(settings.get("bits") or settings.get("w_bit") or 4) != 4:
        return f"{settings.get('bits') or settings.get('w_bit')} bits"
    if method == "gptq" and str(settings.get("checkpoint_format", "gptq")).lower() not in ("gptq", "gptq_v2", ""):
        return f"checkpoint_format {settings['checkpoint_format']!r}"
    if method == "compressed-tensors":
        if str(settings.get("format", "")) not in _SIGNED:
            return f"format {settings['format']!r}"
        for key in ("sparsity_config", "transform_config"):
            stated = settings.get(key)
            if isinstance(stated, dict) and stated and stated.get("format") != "dense":
                return key
    return ""


def _refused(directory: Path, method: str, where: str) -> str:
    return (
        f"{directory} holds weights quantised by {method} ({where}), which are not read here; use the checkpoint that "
        "they were made from, in bfloat16, float16 or float32 safetensors"
    )
