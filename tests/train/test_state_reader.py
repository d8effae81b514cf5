"""States come from disks that others may write: nothing in one is run when it is read."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint.metadata import _MEM_FORMAT_ENCODING as MemoryFormat  # pyright: ignore[reportPrivateUsage]
from torch.distributed.checkpoint.metadata import BytesStorageMetadata

from viewfinder.storage.checksums import file_sums, write_sums
from viewfinder.train.checkpoint import load_tensors, newest_state, read_tensors, save_state
from viewfinder.train.config import ConfigError


class Flag:
    """A pickle that writes a file when it is opened; nothing else."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (self.path, "it ran")


def forged(tmp_path: Path, change: Callable[[Any, Path], Any]) -> Path:
    """A state whose index was changed, with checksums that fit."""
    save_state(tmp_path, 1, {"weights.a": torch.ones(4)}, {})
    state = tmp_path / "step-00000001"
    index = pickle.loads((state / ".metadata").read_bytes())
    (state / ".metadata").write_bytes(pickle.dumps(change(index, state)))
    write_sums(state, file_sums(path for path in state.iterdir() if path.name != "SHA256SUMS"))
    assert newest_state(tmp_path) == state
    return state


def test_a_pickle_in_the_index_does_not_run(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    state = forged(tmp_path, lambda index, _: Flag(flag))
    for read in (lambda: read_tensors(state, "weights."), lambda: load_tensors(state, {"weights.a": torch.zeros(4)})):
        with pytest.raises(ConfigError, match="was not run"):
            read()
    assert not flag.exists()


def test_members_of_enumerations_as_python_3_11_2_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian 12's Python: `getattr(type, name)`, and no other attribute of anything."""
    by_name = lambda self, _: (getattr, (type(self), self.name))  # noqa: E731
    monkeypatch.setattr(MemoryFormat, "__reduce_ex__", by_name)
    save_state(tmp_path, 1, {"weights.a": torch.ones(4)}, {})
    state = tmp_path / "step-00000001"
    assert b"getattr" in (state / ".metadata").read_bytes()
    (found,) = read_tensors(state, "weights.").values()
    assert torch.equal(found, torch.ones(4))


def test_no_other_attribute_is_asked_for(tmp_path: Path) -> None:
    class Attribute:
        def __reduce__(self) -> tuple[Any, ...]:
            return getattr, (Path, "write_text")

    state = forged(tmp_path, lambda index, _: Attribute())
    with pytest.raises(ConfigError, match="was not run"):
        read_tensors(state, "weights.")


def test_an_entry_that_is_no_tensor_is_not_opened(tmp_path: Path) -> None:
    """The library opens such an entry as a pickle of its own."""
    flag = tmp_path / "flag"

    def to_bytes(index: Any, state: Path) -> Any:
        index.state_dict_metadata["weights.a"] = BytesStorageMetadata()
        (state / "__0_0.distcp").write_bytes(pickle.dumps(Flag(flag)))
        return index

    state = forged(tmp_path, to_bytes)
    with pytest.raises(ConfigError):
        load_tensors(state, {"weights.a": torch.zeros(4)})
    assert not flag.exists()


def test_a_pickle_in_place_of_a_tensor_does_not_run(tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    def to_pickle(index: Any, state: Path) -> Any:
        data = pickle.dumps(Flag(flag))
        (state / "__0_0.distcp").write_bytes(data)
        for info in index.storage_data.values():
            info.offset, info.length = 0, len(data)
        return index

    state = forged(tmp_path, to_pickle)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_tensors(state, {"weights.a": torch.zeros(4)})
    assert not flag.exists()


def test_a_state_refers_to_its_own_files_only(tmp_path: Path) -> None:
    def elsewhere(index: Any, _: Path) -> Any:
        for info in index.storage_data.values():
            info.relative_path = "../secret"
        return index

    with pytest.raises(ConfigError, match="outside of itself"):
        read_tensors(forged(tmp_path, elsewhere), "weights.")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
def test_tensors_of_all_kinds_come_back(tmp_path: Path, dtype: torch.dtype) -> None:
    save_state(tmp_path, 1, {"a.x": torch.ones((), dtype=dtype), "a.y": torch.ones(2, 3, dtype=dtype)}, {})
    found = {"a.x": torch.zeros((), dtype=dtype), "a.y": torch.zeros(2, 3, dtype=dtype)}
    load_tensors(tmp_path / "step-00000001", found)
    assert all(bool((tensor == 1).all()) for tensor in found.values())


def test_nothing_else_of_the_package_opens_pickles() -> None:
    package = Path(__file__).parents[2] / "viewfinder"
    opens = ("pickle.load", "torch.load(", "allow_pickle=True", "dcp.load(", "FileSystemReader(", "Unpickler(")
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if any(word in path.read_text() for word in opens)
    }
    from_its_parent = "engine/follower.py"  # a pipe of the process that started it, as of multiprocessing
    assert found == {"train/checkpoint.py", "train/state_reader.py", from_its_parent}
