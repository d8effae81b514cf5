"""The state of a run on disk: what it consists of, how it is written and read back; and the export of its weights.

One directory a state, renamed into place when it is complete, so a kill leaves complete states. Tensors are written by
`torch.distributed.checkpoint`: each rank writes its shards, and any number of ranks can read them. What is not a tensor
(position in the data, random state) is JSON beside them. The index of a state is a pickle: read only your own.
"""

import json
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor

from viewfinder.errors import StampError
from viewfinder.model.lora import adapted_layers, save_adapter
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import save_pretrained
from viewfinder.train.config import ConfigError
from viewfinder.train.distributed import ParallelDims, full_tensor
from viewfinder.train.learner import Learner
from viewfinder.train.optim import AveragedWeights, optimizer_tensors

_FACTS = "facts.json"


def run_tensors(
    learner: Learner, optimizers: Sequence[torch.optim.Optimizer], average: AveragedWeights
) -> dict[str, Tensor]:
    """All tensors that training changes, by name; writing to them restores a run."""
    names = {id(p): name for name, p in learner.named_parameters()}
    tensors = {f"weights.{n}": p.detach() for n, p in learner.named_parameters() if p.requires_grad}
    tensors |= {f"optimizer.{n}": t for n, t in optimizer_tensors(optimizers, names).items()}
    return tensors | {f"average.{n}": t for n, t in average.values.items()}


def frozen_sum(learner: Learner) -> float:
    """A sum over all frozen weights. They are not saved, so they must be the same when a run is resumed."""
    sums = (p.detach().double().abs().sum() for p in learner.parameters() if not p.requires_grad)
    return sum(float(full_tensor(value)) for value in sums)


def check_continues(out: Path, facts: dict[str, Any], stamp: str, frozen: float) -> None:
    """The run in `out` may be resumed with this processor and these frozen weights.

    Raises:
        StampError: it was trained with another stamp.
        ConfigError: its frozen weights were others.
    """
    if stamp and facts["stamp"] and facts["stamp"] != stamp:
        raise StampError(
            f"{out} was trained with stamp {facts['stamp']}, this run would go on with {stamp}: equal "
            "input would become other tokens; use the processor settings it began with, or another --out"
        )
    if abs(frozen - facts["frozen"]) > 1e-6 * max(1.0, abs(frozen)):
        raise ConfigError(
            f"the weights of {out} that are not trained differ from those it began with, so what was learnt "
            "does not fit them; give the same --init, or another --out"
        )


def save_state(directory: Path, step: int, tensors: dict[str, Tensor], facts: dict[str, Any], keep: int = 2) -> None:
    """Write the state of `step`; every rank takes part. The newest `keep` states stay."""
    target = directory / f"step-{step:08d}"
    partial = directory / f"{target.name}.partial"
    if _is_first():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    _wait()
    with _quiet():
        dcp.save(dict(tensors), checkpoint_id=partial)
    if _is_first():
        _write_whole(partial / _FACTS, json.dumps({"step": step, **facts}))
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        _sync(directory)
        for old in saved_states(directory)[:-keep]:
            shutil.rmtree(old)
    _wait()


def saved_states(directory: Path) -> list[Path]:
    """Whole states, oldest first; leftovers of a killed run are not among them."""
    return sorted(p for p in directory.glob("step-????????") if (p / _FACTS).is_file())


def read_facts(state: Path) -> dict[str, Any]:
    return json.loads((state / _FACTS).read_text())


def load_tensors(state: Path, tensors: dict[str, Tensor]) -> None:
    """Fill `tensors` in place, each rank with its shards, whatever number of ranks wrote the state."""
    with _quiet():
        dcp.load(tensors, checkpoint_id=state)


def stored_shapes(state: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of a state."""
    metadata = dcp.FileSystemReader(state).read_metadata().state_dict_metadata
    return {name: tuple(entry.size) for name, entry in metadata.items() if hasattr(entry, "size")}


def read_tensors(state: Path, prefix: str) -> dict[str, Tensor]:
    """The whole tensors of a state whose names begin with `prefix`, by the rest of their names."""
    shapes = {name: shape for name, shape in stored_shapes(state).items() if name.startswith(prefix)}
    tensors = {name: torch.empty(shape) for name, shape in shapes.items()}
    if tensors:
        load_tensors(state, tensors)
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def export_checkpoint(
    learner: Learner, directory: Path, parallel: ParallelDims, extra: Callable[[Path], None] | None = None
) -> None:
    """Write the weights to `directory` in the official layout, adapters merged in.

    Adapters are also written to `adapter` beside it, as PEFT does. Every rank takes part in gathering, the first one
    writes. `extra` adds the files of the processor. The new directory replaces the old one when it is complete.
    """
    model = learner.model
    state: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        whole = full_tensor(parameter.detach())
        if parallel.rank == 0:
            state[name] = whole.cpu()
    if parallel.rank:
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
    """Put the old export back where a kill came between the two renames that replace it."""
    if not directory.exists() and _old(directory).exists():
        _old(directory).rename(directory)


def _old(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.old")


def _write_whole(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_first() -> bool:
    return not dist.is_initialized() or dist.get_rank() == 0


def _wait() -> None:
    if dist.is_initialized():
        dist.barrier()


class _quiet(warnings.catch_warnings):
    """The library warns that there is one process, which is no news."""

    def __enter__(self) -> None:  # type: ignore[override]
        super().__enter__()
        warnings.simplefilter("ignore")
