"""The weights of a run as a checkpoint directory in the official layout, at any step, from any number of ranks."""

import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from viewfinder.model.lora import adapted_layers, save_adapter
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import save_pretrained
from viewfinder.train.distributed import ParallelDims, full_tensor
from viewfinder.train.learner import Learner


def export_checkpoint(
    learner: Learner, directory: Path, ranks: ParallelDims, extra: Callable[[Path], None] | None = None
) -> None:
    """Write `directory`, adapters merged in; these also go to `adapter` beside it, as PEFT writes them.

    Every rank takes part in gathering; the first one writes. `extra` adds the processor's files. The directory
    is written beside and then changes place with the old one, so what stands there is always of one step.
    """
    model = learner.model
    state: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        whole = full_tensor(parameter.detach())
        if ranks.rank == 0:
            state[name] = whole.cpu()
    if ranks.rank:
        return
    if learner.config.lora is not None:
        save_adapter(model, directory.parent / "adapter", state=state)
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    save_pretrained(_plain_model(model, state), partial)
    if extra is not None:
        extra(partial)
    _put_in_place(partial, directory)


def _plain_model(model: Qwen2_5_VL, state: dict[str, Tensor]) -> Qwen2_5_VL:
    """The same model with whole tensors and without adapters."""
    for name, layer in adapted_layers(model).items():
        a, b = state.pop(f"{name}.lora_A"), state.pop(f"{name}.lora_B")
        state[f"{name}.weight"] = state[f"{name}.weight"] + layer.scale * b @ a
    with torch.device("meta"):
        plain = Qwen2_5_VL(model.config)
    plain.load_state_dict(state, strict=False, assign=True)
    plain.tie_weights()
    return plain


def _put_in_place(partial: Path, directory: Path) -> None:
    old = _old(directory)
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    partial.rename(directory)
    shutil.rmtree(old, ignore_errors=True)


def restore_export(directory: Path) -> None:
    """Put the old export back where a kill fell between the two renames that exchange them."""
    if not directory.exists() and _old(directory).exists():
        _old(directory).rename(directory)


def _old(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.old")
