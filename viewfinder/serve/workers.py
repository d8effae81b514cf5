"""Several whole servers behind one port, for as many GPUs or the cores of a CPU: `serve --workers N`.

The command starts itself N times (data parallelism), each with GPUs of its own; without GPUs, each with its share of
the cores, which serves small models quicker than one process whose threads wait for one another. All listen on the
port (SO_REUSEPORT), and the kernel spreads connections over those that are ready. Nothing else is shared: each worker
has its own weights, caches, turns and limits, so a conversation finds its cached beginning only on the connection that
it came by, and `/metrics` and `/health` are of the worker that answers. One that ends is started again, so a GPU that
failed costs its own requests.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from types import FrameType

from viewfinder.serve.settings import ServeError

_LOG = logging.getLogger(__name__)
_WORKER = "VIEWFINDER_WORKER"
"""Of a worker: the descriptor of a pipe that closes when its supervisor ends, however that ends."""
_SOON = 60.0
"""A worker that ends so many seconds after its start would end again."""


def become_worker() -> bool:
    """Whether this process was started by `supervise`; then it will end with it, as if by SIGTERM."""
    pipe = os.environ.pop(_WORKER, "")
    if not pipe:
        return False

    def watch() -> None:
        os.read(int(pipe), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-supervisor", daemon=True).start()
    return True


def shared_socket(host: str, port: int) -> socket.socket:
    """A socket of this process at an address where other workers listen too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048, reuse_port=True)


def supervise(count: int, gpus_each: int) -> None:
    """Run this command in `count` processes until SIGTERM or SIGINT, which they get too and finish what runs.

    Raises:
        ServeError: too few GPUs, no Linux, or a worker that ends soon after its start.
    """
    if not sys.platform.startswith("linux"):
        raise ServeError("--workers needs Linux, whose kernel spreads connections; start servers on several ports")
    places = places_of(count, gpus_each)
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    ours, theirs = os.pipe()  # `theirs` is written to by nobody and closes with this process

    def start(place: dict[str, str]) -> "tuple[subprocess.Popen[bytes], float]":
        more = {_WORKER: str(ours)} | place
        command = [sys.executable, "-m", "viewfinder", *sys.argv[1:]]
        worker = subprocess.Popen(command, env=os.environ | more, pass_fds=[ours], start_new_session=True)
        return worker, time.monotonic()

    workers = [start(place) for place in places]
    try:
        while not stopping.wait(0.2):
            for i, (worker, begun) in enumerate(workers):
                if worker.poll() is None:
                    continue
                if time.monotonic() - begun < _SOON:
                    raise ServeError(f"worker {i} ended with exit code {worker.returncode} at its start; see above why")
                _LOG.warning("worker %d ended with exit code %d and is started again", i, worker.returncode)
                workers[i] = start(places[i])
    finally:
        for worker, _ in workers:
            worker.terminate()
        for worker, _ in workers:
            worker.wait()
        os.close(ours)
        os.close(theirs)


def places_of(count: int, gpus_each: int) -> list[dict[str, str]]:
    """Variables that give each worker its GPUs (two workers of 2: "0,1" and "2,3"), or without GPUs its share of the
    cores (of 8 for two workers, 4 threads each), unless OMP_NUM_THREADS is set.

    Raises:
        ServeError: there are GPUs, but too few.
    """
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    there = given.split(",") if given else [str(i) for i in range(torch.cuda.device_count())]
    if not there:
        threads = max(1, len(os.sched_getaffinity(0)) // count)
        return [{"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))}] * count
    if len(there) < count * gpus_each:
        raise ServeError(
            f"--workers {count} of {gpus_each} GPUs each need {count * gpus_each}, and {len(there)} are there"
        )
    parts = [",".join(there[i * gpus_each : (i + 1) * gpus_each]) for i in range(count)]
    return [{"CUDA_VISIBLE_DEVICES": part} for part in parts]
