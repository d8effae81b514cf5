"""The page "From 20 pictures to a served model" does what it says: its lines are taken from it and run.

The whole page with the built-in model takes minutes (`make test-tutorial`); a shorter training of random weights runs
by default.
"""

import re
import resource
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "own-data.md"
MOST_SECONDS = 480  # of processors: four minutes on two


def draw_rows() -> None:
    """The page's own pictures and rows, in the working directory."""
    (code,) = re.findall(r"```python\n(.*?\n)```\n", PAGE.read_text(), re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})


def commands() -> list[list[str]]:
    """Arguments of each `$ viewfinder ...` of the page."""
    return [shlex.split(line) for line in re.findall(r"^\$ viewfinder (.*)$", PAGE.read_text(), re.MULTILINE)]


def boxes(out: str) -> list[list[int]]:
    """`122, 13, 177, 62  tile  50%` a line."""
    return [[int(side) for side in line] for line in re.findall(r"^(-?\d+), (\d+), (\d+), (\d+)", out, re.MULTILINE)]


def test_the_first_steps_of_the_page(
    run_here: Callable[..., Any], checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    draw_rows()
    named = {words[0] if words[0] != "eval" else f"eval {words[1]}": words for words in commands()}
    assert list(named) == ["data", "eval run", "train", "eval compare", "locate", "serve", "--server", "export"]
    checked = run_here(*named["data"])
    assert "20 of 20 rows can be read" in checked.out, checked.err
    assert "places in another frame" not in checked.out
    shorter = [{"tiny": str(checkpoint), "steps=60": "steps=1"}.get(word, word) for word in named["train"]]
    trained = run_here(*shorter)
    assert trained.code == 0, trained.err
    found = run_here(*named["locate"])
    assert found.code == 0, found.err


@pytest.fixture
def viewfinder(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Runs a command of the page as a process, its server beside it; what it printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    servers: list[subprocess.Popen[bytes]] = []

    def run(words: list[str]) -> str:
        command = [sys.executable, "-m", "viewfinder", *(word.replace("8000", port) for word in words)]
        if words[0] == "serve":
            servers.append(subprocess.Popen(command, cwd=tmp_path))
            _wait_for(f"http://127.0.0.1:{port}/ready", servers[-1])
            return ""
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    yield run
    for server in servers:
        server.terminate()
        server.wait(60)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("the server ended before it was ready")


@pytest.mark.slow
def test_the_whole_page(viewfinder: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    draw_rows()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = {" ".join(words[:2]): viewfinder(words) for words in commands()}
    change = re.search(r"own: ([\d.]+) -> ([\d.]+)", said["eval compare"])
    assert change is not None
    assert float(change[2]) >= float(change[1]) + 10
    here, served = (
        boxes(said["locate mine/20.png"]),
        boxes(next(text for name, text in said.items() if "--server" in name)),
    )
    assert here == served, "the server answers as the model does here"
    assert len(here) == 1
    assert (tmp_path / "served" / "config.json").exists()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"processor time of the page: {spent:.0f} s")
    assert spent < MOST_SECONDS
