"""Which tensors a checkpoint directory holds: those of `model.safetensors`, or those that its index names.

Other safetensors beside them (averages, adapters, optimizers, copies of another precision) are not opened. The two
prefixes of later files (`model.visual.`, `model.language_model.`) are renamed; derived tensors are left out. Parts
of quantised weights are refused where nothing says how to put them together.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from viewfinder.config_file import read_json, section
from viewfinder.errors import CheckpointError

INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_RENAMES = (
    ("model.visual.", "visual."),
    ("model.language_model.", "model."),
    ("language_model.", "model."),
    ("multi_vector_projector.", "custom_text_proj."),  # jina-embeddings-v4
)
_DERIVED = ("rotary_emb.inv_freq", "rotary_pos_emb.inv_freq")
_FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
_LOG = logging.getLogger(__name__)

_METHOD_TENSORS = {
    ".qweight": "GPTQ or AWQ",
    ".qzeros": "GPTQ or AWQ",
    ".g_idx": "GPTQ",
    ".SCB": "bitsandbytes int8",
    ".absmax": "bitsandbytes 4-bit",
    ".quant_map": "bitsandbytes 4-bit",
    ".weight_scale": "FP8 or int8 (compressed-tensors)",
    ".weight_scale_inv": "FP8 by blocks",
    ".weight_packed": "compressed-tensors",
    ".scales": "MLX or GPTQ",
}


def read_tensors(directory: Path, *, plain: bool = True) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a checkpoint by their official (flat) names, mapped from the files.

    Args:
        plain: they are expected to be weights, not parts of quantised ones (`model.quantized` puts these together).

    Raises:
        CheckpointError: no safetensors, an index that is damaged or names files that are not there, a tensor that is
            held twice, or one that is quantised.
    """
    weight_map = _weight_map(directory)
    holders: dict[str, str] = {}
    unnamed: list[str] = []
    for path in sorted({directory / name for name in weight_map.values()}) if weight_map else [directory / _SINGLE]:
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    flat = _flat_name(name)
                    if flat.endswith(_DERIVED):
                        continue
                    if flat in holders:
                        raise CheckpointError(
                            f"{flat} stands twice, in {holders[flat]} and in {path.name} of {directory}, and which one "
                            "belongs to the model is not known; remove the other file or save the checkpoint again"
                        )
                    if weight_map and name not in weight_map:
                        unnamed.append(name)
                        continue
                    holders[flat] = path.name
                    tensor = file.get_tensor(name)
                    yield flat, _plain(name, tensor, path) if plain else tensor
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path.name} in {directory} is not a readable safetensors file ({error}); nothing else is opened, "
                "since a pickle can run code: fetch it again or convert it to safetensors"
            ) from error
    if unnamed:
        _LOG.warning("%s: %d tensors are not named by %s, so not read: %s", directory, len(unnamed), INDEX, unnamed[:5])


def _weight_map(directory: Path) -> dict[str, str]:
    """Tensor names to file names by the index; empty where one `model.safetensors` is the model."""
    index = directory / INDEX
    found = section(read_json(index), "weight_map", INDEX) if index.is_file() else {}
    if index.is_file() and (not found or not all(isinstance(name, str) for name in found.values())):
        raise CheckpointError(f"{index} is not a valid index (weight_map names no files); fetch it again")
    for name in set(found.values()):
        if Path(name).name != name:
            raise CheckpointError(
                f"{index} names {name!r}, a file outside its directory; this index is not to be trusted"
            )
    if (directory / _SINGLE).is_file():
        if set(found.values()) - {_SINGLE}:
            _LOG.warning(
                "%s has both %s and an index of other files; the single file is read, as transformers does. "
                "Remove %s if it is left from an earlier save, or %s if that is",
                *(directory, _SINGLE, INDEX, _SINGLE),
            )
        return {}
    if not index.is_file():
        raise CheckpointError(_nothing_found(directory))
    missing = sorted(name for name in set(found.values()) if not (directory / name).is_file())
    if missing:
        raise CheckpointError(f"{directory} lacks {', '.join(missing)}, named in its index; fetch the missing files")
    return found


def _nothing_found(directory: Path) -> str:
    names = sorted(path.name for path in directory.iterdir())
    others = [name for name in names if name.endswith(".safetensors")]
    pickles = [name for name in names if Path(name).suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl")]
    if others:
        return (
            f"{directory} has {', '.join(others)}, but neither {_SINGLE} nor {INDEX}, which say what belongs to the "
            "model; fetch the index, or rename the one file of the model"
        )
    found = f"only {', '.join(pickles)}, which can run code when opened" if pickles else "none"
    return f"{directory} has no safetensors weights ({found}); convert or fetch *.safetensors files"


def _flat_name(name: str) -> str:
    for old, new in _RENAMES:
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _plain(name: str, tensor: Tensor, path: Path) -> Tensor:
    method = next((method for end, method in _METHOD_TENSORS.items() if name.endswith(end)), None)
    if method is None and tensor.dtype not in _FLOATS:
        method = str(tensor.dtype).removeprefix("torch.")
    if method is not None:
        raise CheckpointError(_quantized(path.parent, method, f"{name} in {path.name}"))
    return tensor


def _quantized(directory: Path, method: str, where: str) -> str:
    return (
        f"{directory} holds weights quantised by {method} ({where}), which are not read here; use the checkpoint that "
        "they were made from, in bfloat16, float16 or float32 safetensors"
    )
