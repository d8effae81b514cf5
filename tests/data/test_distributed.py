"""The same plan elsewhere: equal bytes, and nothing lost when a worker dies. Ray's own needs a minute."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_BUILD = ("-m", "viewfinder", "data", "build", "shapes", "--count", "60", "--per-shard", "6", "--seed", "5")


def _run(out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, *_BUILD, "--out", str(out), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=1800)
    return output


def _files(directory: Path) -> dict[str, bytes]:
    names = ("*.tar", "index.parquet", "manifest.json", "quarantine.jsonl")
    return {path.name: path.read_bytes() for name in names for path in directory.glob(name)}


@pytest.mark.slow
def test_two_processes_and_a_cluster_give_the_same_bytes(tmp_path: Path) -> None:
    for name, more in {"here": (), "two": ("--workers", "2"), "ray": ("--ray", "local", "--workers", "2")}.items():
        process = _run(tmp_path / name, *more)
        assert "60 samples" in _finish(process)
    whole = _files(tmp_path / "here")
    assert len(whole) == 13
    assert _files(tmp_path / "two") == whole
    assert _files(tmp_path / "ray") == whole


def _child_of(pid: int, words: str) -> int | None:
    """A process below `pid` whose command line holds `words`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    for child in parents:
        up = child
        while up in parents and up != pid:
            up = parents[up]
        try:
            line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if up == pid and child != pid and words in line:
            return child
    return None


def _kill_worker(process: subprocess.Popen[str], out: Path, words: str) -> None:
    """Kill one worker once the first shards are there."""
    deadline = time.time() + 900
    while time.time() < deadline and process.poll() is None:
        if len(list(out.glob("*.tar"))) >= 2 and (worker := _child_of(process.pid, words)) is not None:
            os.kill(worker, signal.SIGKILL)
            return
        time.sleep(0.02)
    raise AssertionError(f"no worker was seen: {process.poll()}")


@pytest.mark.slow
def test_a_killed_worker_of_a_cluster_loses_nothing(tmp_path: Path) -> None:
    _finish(_run(tmp_path / "here"))
    process = _run(tmp_path / "ray", "--ray", "local", "--workers", "2")
    _kill_worker(process, tmp_path / "ray", "ray::_call")
    output = _finish(process)
    assert process.returncode == 0, output
    assert _files(tmp_path / "ray") == _files(tmp_path / "here")


@pytest.mark.slow
def test_a_killed_local_worker_stops_the_run_which_goes_on_when_run_again(tmp_path: Path) -> None:
    _finish(_run(tmp_path / "here"))
    process = _run(tmp_path / "two", "--workers", "2")
    _kill_worker(process, tmp_path / "two", "spawn_main")
    output = _finish(process)
    assert process.returncode == 2, output
    assert "a worker was killed" in " ".join(output.split())
    done = len(list((tmp_path / "two").glob("*.tar")))
    assert 2 <= done < 10
    assert "60 samples" in _finish(_run(tmp_path / "two", "--workers", "2"))
    assert _files(tmp_path / "two") == _files(tmp_path / "here")
    assert json.loads((tmp_path / "two" / "manifest.json").read_text())["samples"] == 60
