"""Checkpoint directories: sharded safetensors in and out, in the layout the official ones have.

Reading maps files into memory and hands tensors to modules of the same name (`weight_files` finds them). Only
safetensors are opened: a pickle can run code. Writing is atomic, the index (or `config.json`) coming last.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from viewfinder.config import ModelConfig
from viewfinder.errors import CheckpointError, SettingsError
from viewfinder.model.gguf_model import open_pair, pair_tensors
from viewfinder.model.late_interaction import PROJECTION, LateInteraction
from viewfinder.model.native import drop_pages
from viewfinder.model.quantization import read_quantization
from viewfinder.model.quantized import dequantize
from viewfinder.model.quantized_linear import ROUNDED, PackedWeight, packed_bits, put_packed
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.tensor_parallel import HEAD, TABLE, Shard, TextShard
from viewfinder.model.weight_files import INDEX, read_tensors
from viewfinder.storage.atomic import replacing, write_whole

_LOG = logging.getLogger(__name__)


def load_model(
    directory: str | Path,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    check_finite: bool = True,
    shard: Shard | None = None,
) -> Qwen2_5_VL:
    """Load a checkpoint directory, ready for inference.

    Args:
        directory: holds `config.json` and `*.safetensors`.
        dtype: convert floating-point weights to it; None keeps what the files have. `torch.int8` and `torch.int4` keep
            what the files have in 8 or 4 bits, round the other weights of linear layers and the embedding table
            (`model.quantized_linear`), and leave the rest.
        device: where the weights go.
        check_finite: refuse weights with NaN or infinity (reads each weight once).
        shard: load only the part of one of several processes, whose group `torch.distributed` has when the model runs.

    Raises:
        SettingsError: this model cannot be shared by so many processes, or not at all.
        CheckpointError: files missing or not safetensors; weights quantised by a method that is not
            read (`model.quantized`); tensors missing, unexpected, of
            another shape, held twice, or not finite.
    """
    directory = Path(directory)
    rounded = dtype if dtype in ROUNDED else None
    dtype = None if rounded else dtype
    quantization = read_quantization(directory)
    config = ModelConfig.from_pretrained(directory)
    if shard is not None:
        shard.config(config)  # refused before anything is read
        if quantization is not None or rounded is not None:
            raise SettingsError(
                f"{directory} is to be held in few bits, and tensor_parallel shares only weights of 16 or 32 bits; "
                "load it on one device (72B takes 45 GB in 4 bits), or the plain checkpoint with dtype bfloat16"
            )
    if quantization is not None:  # rounded once, to what is asked for
        dtype = dtype or quantization.dtype
        quantization = replace(quantization, dtype=dtype)
    kept: dict[str, PackedWeight] = {}
    if quantization is not None and quantization.method == "gguf":
        tensors = {name: tensor.to(dtype) for name, tensor in pair_tensors(open_pair(directory))}
    else:
        tensors = dict(read_tensors(directory, plain=quantization is None))
        if quantization is not None:
            tensors = dequantize(tensors, quantization, None if rounded is None else kept)
    config = _resolve_tie(config, tensors, directory)
    late = f"{PROJECTION}.weight" in tensors
    if shard is not None:
        if config.text.tie_word_embeddings:
            tensors[HEAD] = tensors[TABLE]
        tensors = {name: tensor for name, tensor in tensors.items() if shard.has(name)}
    with torch.device("meta"), _NothingDrawn():
        if shard is None:
            model = (LateInteraction if late else Qwen2_5_VL)(config)
        else:
            model = shard.build(shard.config(config))
    expected = {name: tuple(p.shape) for name, p in model.named_parameters()}
    bits = {} if rounded is None else packed_bits(model, rounded)
    state: dict[str, Tensor] = {}
    wrong: list[str] = []
    for name in [name for name, weight in kept.items() if weight.shape == expected.get(name)]:
        put_packed(model, name, kept.pop(name))
        del expected[name]
    wrong += [f"{name} has shape {list(weight.shape)}, which is not expected" for name, weight in kept.items()]
    for name in list(tensors):
        tensor = tensors.pop(name) if shard is None else shard.part(name, tensors.pop(name))
        if name not in expected:
            wrong.append(f"unexpected {name}")
        elif tuple(tensor.shape) != expected[name]:
            wrong.append(f"{name} has shape {list(tensor.shape)}, expected {list(expected[name])}")
        elif check_finite and not _is_finite(tensor):
            wrong.append(f"{name} holds NaN or infinity")
        elif name in bits:
            # a weight that is mapped from a file need not stay in memory once it was read
            put_packed(model, name, PackedWeight.of(tensor, bits[name], drop_pages if quantization is None else None))
            del expected[name]
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
    return (model if rounded is None else model.to(device)).eval().requires_grad_(False)


def _is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite, in one pass without a copy. The extremes of a tensor with NaN are NaN.

    A sum in float32 would take twenty times as long for bfloat16, with a copy of twice the tensor's size."""
    low, high = tensor.aminmax() if tensor.numel() else (torch.zeros(()), torch.zeros(()))
    return bool(torch.isfinite(low) and torch.isfinite(high))


class _NothingDrawn(TorchFunctionMode):
    """Modules are made without their first random weights: on the meta device these have no values, and drawing them
    imports torch's compiler, which takes as long as torch itself."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def _resolve_tie(config: ModelConfig, tensors: dict[str, Tensor], directory: Path) -> ModelConfig:
    """The config with `tie_word_embeddings` as the tensors have it: one table under either name is both; two that
    differ stay two, whatever the flag says, as transformers keeps them."""
    if not config.text.tie_word_embeddings:
        return config
    head = tensors.get(HEAD)
    if head is None:
        return config
    embedding = tensors.setdefault(TABLE, head)
    if torch.equal(head, embedding):
        del tensors[HEAD]
        return config
    _LOG.warning(
        "%s: config.json sets tie_word_embeddings, but %s and %s differ; both are kept. Set it to false",
        directory,
        HEAD,
        TABLE,
    )
    return config.model_copy(update={"text": config.text.model_copy(update={"tie_word_embeddings": False})})


def save_pretrained(model: Qwen2_5_VL, directory: str | Path, *, max_shard_bytes: int = 5 * 2**30) -> None:
    """Write `config.json` and safetensors with the official names, readable here and by transformers.

    Each file is written beside its place and renamed, `config.json` last, so a directory that has one is whole.
    """
    if isinstance(model.config.text, TextShard):
        raise SettingsError("this process has a part of the model; load it without tensor_parallel to write it")
    state = {name: p.detach().contiguous().cpu() for name, p in model.named_parameters()}
    config = {**model.config.to_dict(), "torch_dtype": str(model.dtype).removeprefix("torch.")}
    save_state(state, config, Path(directory), max_shard_bytes=max_shard_bytes)


def save_state(
    state: dict[str, Tensor], config: dict[str, Any], directory: Path, *, max_shard_bytes: int = 5 * 2**30
) -> None:
    """As `save_pretrained`, of tensors by name and the content of `config.json`."""
    directory.mkdir(parents=True, exist_ok=True)
    shards = _shards(state, max_shard_bytes)
    names = [
        "model.safetensors" if len(shards) == 1 else f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        for i in range(len(shards))
    ]
    for name, shard in zip(names, shards, strict=True):
        with replacing(directory / name) as temporary:
            save_file(shard, temporary, metadata={"format": "pt"})
            temporary.chmod(0o644)  # the library writes for its owner alone, and a server may be somebody else
    for stale in [p for p in directory.glob("model*.safetensors") if p.name not in names]:
        stale.unlink()
    if len(shards) > 1:
        weight_map = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        total = sum(t.numel() * t.element_size() for t in state.values())
        _write_json(directory / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})
    else:
        (directory / INDEX).unlink(missing_ok=True)
    _write_json(directory / "config.json", config)


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
    write_whole(path, json.dumps(content, indent=2) + "\n")
