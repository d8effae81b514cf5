"""The state of a run on disk: one file, replaced in one move, so that a kill at any moment leaves a whole one."""

import os
from pathlib import Path
from typing import Any

import torch

STATE_NAME = "state.pt"


def save_state(directory: Path, state: dict[str, Any]) -> None:
    """Write `state` beside the old file, flush it to the disk, then replace the old one."""
    directory.mkdir(parents=True, exist_ok=True)
    partial = directory / f"{STATE_NAME}.partial"
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(directory / STATE_NAME)


def load_state(directory: Path) -> dict[str, Any] | None:
    """The last whole state, or None; only tensors and plain values are read, never code."""
    path = directory / STATE_NAME
    return torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else None
