"""The built kernel on the disk: a damaged one is built anew, and a folder that others may write in is not trusted."""

import os
import shutil
from pathlib import Path

import pytest

from viewfinder.model import native

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(native, "_SOURCES", native._SOURCES[-1:])  # a second less for each build
    return tmp_path / "viewfinder"


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "replaced", "no hash"])
def test_a_damaged_kernel_is_built_anew(cache: Path, damage: str) -> None:
    assert COMPILER is not None
    path = native._built(COMPILER)
    assert path.parent == cache
    assert cache.stat().st_mode & 0o077 == 0
    good = path.read_bytes()
    if damage == "no hash":
        path.with_suffix(".sha256").unlink()
    else:
        flipped = bytes([*good[:2000], good[2000] ^ 255, *good[2001:]])
        bad = {"cut": good[:4096], "empty": b"", "flipped": flipped, "replaced": b"\x7fELF"}[damage]
        path.unlink()
        path.write_bytes(bad)
    assert native._built(COMPILER) == path
    assert path.read_bytes() == good


def test_a_kernel_that_is_whole_is_not_built_again(cache: Path) -> None:
    assert COMPILER is not None
    before = native._built(COMPILER).stat().st_mtime_ns
    assert native._built(COMPILER).stat().st_mtime_ns == before
    assert {p.suffix for p in cache.iterdir()} == {".so", ".sha256"}


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_that_others_may_write_in_is_not_trusted(cache: Path, mode: int) -> None:
    assert COMPILER is not None
    cache.mkdir()
    cache.chmod(mode)
    path = native._built(COMPILER)
    assert path.parent != cache
    assert path.parent.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_uid == os.getuid()
    assert list(cache.iterdir()) == []
