"""Checkpoint directories: sharded safetensors in and out, in the layout the official ones have.

Reading maps files into memory and hands tensors to modules of the same name; the two prefixes of later
files (`model.visual.`, `model.language_model.`) are renamed on the way. Only safetensors are opened:
a pickle can run code. Writing is atomic, the index (or `config.json`) coming last.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from viewfinder.config import ModelConfig
from viewfinder.errors import CheckpointError
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL

_INDEX = "model.safetensors.index.json"
_RENAMES = (("model.visual.", "visual."), ("model.language_model.", "model."))


def load_model(
    directory: str | Path,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    check_finite: bool = True,
) -> Qwen2_5_VL:
    """Load a checkpoint directory, ready for inference.

    Args:
        directory: holds `config.json` and `*.safetensors`.
        dtype: convert floating-point weights to it; None keeps what the files have.
        device: where the weights go.
        check_finite: refuse weights with NaN or infinity (reads each weight once).

    Raises:
        CheckpointError: files missing or not safetensors; tensors missing, unexpected, of another shape, or not finite.
    """
    directory = Path(directory)
    config = ModelConfig.from_pretrained(directory)
    with torch.device("meta"), _NothingDrawn():
        model = Qwen2_5_VL(config)
    expected = {name: tuple(p.shape) for name, p in model.named_parameters()}
    state: dict[str, Tensor] = {}
    wrong: list[str] = []
    for name, tensor in read_tensors(directory):
        if name == "lm_head.weight" and config.text.tie_word_embeddings:
            continue
        if name not in expected:
            wrong.append(f"unexpected {name}")
        elif tuple(tensor.shape) != expected[name]:
            wrong.append(f"{name} has shape {list(tensor.shape)}, expected {list(expected[name])}")
        elif check_finite and not torch.isfinite(tensor.sum(dtype=torch.float32)):
            wrong.append(f"{name} holds NaN or infinity")
        else:
            state[name] = tensor.to(device=device, dtype=dtype)
    wrong += [f"missing {name}" for name in expected if name not in state and not any(name in w for w in wrong)]
    if wrong:
        shown = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise CheckpointError(
            f"{directory} does not hold the weights its config.json describes ({shown}); fetch or save it again"
        )
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    return model.eval().requires_grad_(False)


class _NothingDrawn(TorchFunctionMode):
    """Modules are made without their first random weights: on the meta device these have no values, and drawing them
    imports torch's compiler, which takes as long as torch itself."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def read_tensors(directory: Path) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a checkpoint by their official (flat) names, mapped from the files."""
    for path in _weight_files(directory):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    yield _flat_name(name), file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path.name} in {directory} is not a readable safetensors file ({error}); nothing else is opened, "
                "since a pickle can run code: fetch it again or convert it to safetensors"
            ) from error


def _weight_files(directory: Path) -> list[Path]:
    index = directory / _INDEX
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (json.JSONDecodeError, KeyError, AttributeError, TypeError) as error:
            raise CheckpointError(f"{index} is not a valid index ({error}); fetch it again") from error
        for name in names:
            if Path(name).name != name:
                raise CheckpointError(
                    f"{index} names {name!r}, a file outside its directory; this index is not to be trusted"
                )
        missing = [name for name in names if not (directory / name).is_file()]
        if missing:
            raise CheckpointError(
                f"{directory} lacks {', '.join(missing)}, named in its index; fetch the missing files"
            )
        return [directory / name for name in names]
    files = sorted(directory.glob("*.safetensors"))
    if not files:
        pickles = sorted(p.name for p in directory.glob("*") if p.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl"))
        found = f"only {', '.join(pickles)}, which can run code when opened" if pickles else "none"
        raise CheckpointError(f"{directory} has no safetensors weights ({found}); convert or fetch *.safetensors files")
    return files


def _flat_name(name: str) -> str:
    for old, new in _RENAMES:
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def save_pretrained(model: Qwen2_5_VL, directory: str | Path, *, max_shard_bytes: int = 5 * 2**30) -> None:
    """Write `config.json` and safetensors with the official names, readable here and by transformers.

    Each file is written beside its place and renamed, `config.json` last, so a directory that has one is whole.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    state = {name: p.detach().contiguous().cpu() for name, p in model.named_parameters()}
    shards = _shards(state, max_shard_bytes)
    names = [
        "model.safetensors" if len(shards) == 1 else f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        for i in range(len(shards))
    ]
    for name, shard in zip(names, shards, strict=True):
        temporary = directory / f".{name}.part"
        save_file(shard, temporary, metadata={"format": "pt"})
        temporary.chmod(0o644)  # the library writes for its owner alone, and a server may be somebody else
        temporary.replace(directory / name)
    for stale in [p for p in directory.glob("model*.safetensors") if p.name not in names]:
        stale.unlink()
    if len(shards) > 1:
        weight_map = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        total = sum(t.numel() * t.element_size() for t in state.values())
        _write_json(directory / _INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})
    else:
        (directory / _INDEX).unlink(missing_ok=True)
    _write_json(
        directory / "config.json", {**model.config.to_dict(), "torch_dtype": str(model.dtype).removeprefix("torch.")}
    )


def _shards(state: dict[str, Tensor], max_bytes: int) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in state.items():
        num_bytes = tensor.numel() * tensor.element_size()
        if shards[-1] and size + num_bytes > max_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += num_bytes
    return shards


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)
