"""Several servers behind one port."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from viewfinder.serve.settings import ServeError
from viewfinder.serve.workers import places_of, supervise

ROOT = Path(__file__).parents[2]


def test_gpus_or_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)), raising=False)
    assert places_of(2, 1) == [{"OMP_NUM_THREADS": "4"}] * 2
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert places_of(2, 1) == [{"OMP_NUM_THREADS": "3"}] * 2
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert places_of(2, 2) == [{"CUDA_VISIBLE_DEVICES": "0,1"}, {"CUDA_VISIBLE_DEVICES": "2,3"}]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-a")
    assert places_of(2, 1) == [{"CUDA_VISIBLE_DEVICES": "5"}, {"CUDA_VISIBLE_DEVICES": "GPU-a"}]
    with pytest.raises(ServeError, match="--workers 3 of 2 GPUs each need 6, and 2 are there"):
        places_of(3, 2)


def test_a_worker_that_cannot_start_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["viewfinder", "no-such-command"])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test's own process keeps its handlers
    with pytest.raises(ServeError, match=r"worker \d ended with exit code 2 at its start"):
        supervise(2, 1, "127.0.0.1", 0)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_two_servers_answer_at_one_port_and_end_with_the_first(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "viewfinder", "serve", "--workers", "2", "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as first,
        contextlib.ExitStack() as failed,
    ):
        failed.callback(first.kill)
        assert first.stderr is not None
        ports: list[str] = []
        while len(ports) < 2:
            ports += re.findall(r"http://127\.0\.0\.1:(\d+)/  \(playground", first.stderr.readline())
        port = int(ports[0])
        assert ports == [str(port)] * 2
        servers = children(first.pid)
        assert len(servers) == 2
        for _ in range(4):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60) as answer:
                assert answer.status == 200
        by_turns = [f'viewfinder_requests_total{{path="/health",status="200",worker="{i}"}} 2.0' for i in range(2)]
        wait_until(lambda: all(line in metrics(port) for line in by_turns))  # each leaves its own every second
        failed.pop_all()
        first.send_signal(number)
        first.wait()
    wait_until(lambda: not any(running(pid) for pid in servers))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.1)


def metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return answer.read().decode()


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
