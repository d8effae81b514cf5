"""A file is its old content or its new one; a lock has one holder; errors of the system are one sentence."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from viewfinder.storage.atomic import publish_folder, replacing, restore_folder, write_whole
from viewfinder.storage.lock import OutputInUse, OutputLock, locked
from viewfinder.storage.system_errors import StorageError, read_json, system_errors


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _write_half(path: Path) -> None:
    with replacing(path) as partial:
        assert partial.suffix == ".png"
        partial.write_bytes(b"half")
        raise RuntimeError


def test_an_error_while_writing_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4), "red").save(path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        _write_half(path)
    assert path.read_bytes() == before
    assert _names(tmp_path) == ["a.png"]


def test_content_is_on_the_disk_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("sync"), sync(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda a, b: (calls.append("rename"), replace(a, b))[1])
    write_whole(tmp_path / "a.json", "{}")
    assert calls == ["sync", "rename", "sync"]


def test_a_folder_replaces_another_and_comes_back_after_a_kill(tmp_path: Path) -> None:
    for number in (1, 2):
        partial = tmp_path / "export.partial"
        partial.mkdir()
        (partial / "a").write_text(str(number))
        publish_folder(partial, tmp_path / "export")
    assert (tmp_path / "export/a").read_text() == "2"
    (tmp_path / "export").rename(tmp_path / "export.old")
    restore_folder(tmp_path / "export")
    assert _names(tmp_path) == ["export"]


HOLDER = """
import sys, time
from viewfinder.storage.lock import OutputLock
lock = OutputLock(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        (tmp_path / "out/.left.part.png").touch()
        with pytest.raises(OutputInUse, match=rf"being written by process {holder.pid} on .*; wait for its end"):
            OutputLock(tmp_path / "out", wait=0)
        assert (tmp_path / "out/.left.part.png").exists()
        holder.kill()
    with locked(tmp_path / "out"):
        assert _names(tmp_path / "out") == [".lock"]
        with pytest.raises(OutputInUse), locked(tmp_path / "out", wait=0.05):
            pass
    assert _names(tmp_path / "out") == []


def test_a_lock_of_a_file_stands_beside_it(tmp_path: Path) -> None:
    with locked(tmp_path / "a.jsonl"):
        assert _names(tmp_path) == [".a.jsonl.lock"]


def test_errors_of_the_system_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"a": ')
    with pytest.raises(StorageError, match=r"bad\.json is damaged .*run the same command again"):
        read_json(tmp_path / "bad.json")
    with pytest.raises(StorageError, match=r"there is no .*gone\.json; .*finished before are whole"), system_errors():
        read_json(tmp_path / "gone.json")
    with pytest.raises(StorageError, match=r"no space is left for .*a\.png"), system_errors(), replacing("a.png") as _:
        raise OSError(28, "No space left on device")
    with pytest.raises(StorageError, match=r"a\.db: the database .*last complete change"), system_errors("a.db"):
        raise sqlite3.OperationalError("disk I/O error")
    with pytest.raises(StorageError, match="damaged or of another kind"), system_errors():
        json.loads("{")
    with pytest.raises(ZeroDivisionError), system_errors():
        print(1 / 0)
