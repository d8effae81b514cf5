"""The state of a run on disk: one directory a state, moved into place whole, so that a kill leaves a whole one.

Tensors are written by `torch.distributed.checkpoint`: each rank its own shards, and what one number of ranks
wrote any other number reads. What is not a tensor (position in the data, random state) is JSON beside them.
States are a run's own files: their index is a pickle, so take none from strangers; models travel as safetensors.
"""

import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor

_FACTS = "facts.json"


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
