"""Reads the states that `torch.distributed.checkpoint` writes, without running what a file says.

Its index is a pickle, and its own reader would call any function that the pickle names; for an entry that is no tensor
it would open a second one. Here the index may name its own few types and those of tensors, and every entry is a tensor,
whose bytes torch reads with `weights_only`.
"""

import pickle
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import (
    _MEM_FORMAT_ENCODING as MemoryFormat,  # pyright: ignore[reportPrivateUsage] - states name it
)
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta, TensorStorageMetadata

from viewfinder.train.config import ConfigError

_ALLOWED = {
    "torch": {"Size"},
    "torch.serialization": {"_get_layout"},
    "torch.distributed.checkpoint.metadata": {
        *("ChunkStorageMetadata", "Metadata", "MetadataIndex", "StorageMeta", "TensorProperties"),
        *("TensorStorageMetadata", "_MEM_FORMAT_ENCODING"),
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "pathlib": {"Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
}


class StateReader(FileSystemReader):
    """The storage reader for `dcp.load`.

    Raises:
        ConfigError: the index names anything else.
    """

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.state = state

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        with (self.state / ".metadata").open("rb") as source:
            metadata = _Unpickler(source).load()
        shapes = getattr(metadata, "state_dict_metadata", None)
        if not isinstance(metadata, Metadata) or not isinstance(shapes, dict):
            raise ConfigError(f"{self.state / '.metadata'} is no index of a state; bring the state back from a copy")
        for name, entry in shapes.items():
            if not isinstance(entry, TensorStorageMetadata):
                raise ConfigError(f"{name} in {self.state} is no tensor, so the state is not read; use one of your own")
        for info in metadata.storage_data.values():
            if Path(info.relative_path).name != info.relative_path:
                raise ConfigError(f"{self.state} refers to {info.relative_path}, outside of itself; use your own")
        metadata.storage_meta = metadata.storage_meta or StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name) if name in _ALLOWED.get(module, ()) else None
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            found = getattr(torch, name)
        if (module, name) == ("builtins", "getattr"):
            found = _memory_format
        if found is None:
            raise ConfigError(
                f"the index of a state names {module}.{name}, which is no part of one and was not run; use a state of "
                "your own"
            )
        return found


def _memory_format(kind: Any, name: Any) -> MemoryFormat:
    """In place of `getattr`, by which Python 3.11.0 to 3.11.3 write a member of an enumeration (later: by value)."""
    if kind is not MemoryFormat or name not in MemoryFormat.__members__:
        raise ConfigError(
            f"the index of a state asks for {name!r} of {kind!r}, which was not run; use a state of your own"
        )
    return MemoryFormat[name]
