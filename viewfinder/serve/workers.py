"""Several whole servers behind one port, for as many GPUs or the cores of a CPU: `serve --workers N`.

The command starts itself N times (data parallelism), each with GPUs of its own; without GPUs, each with its share of
the cores, which serves small models quicker than one process whose threads wait for one another. Each connection goes
to the worker with the fewest (`serve.dispatch`). Nothing else is shared: each worker has its own weights, caches, turns
and limits, so a conversation finds its cached beginning only on the connection that it came by. `/metrics` is of all
(`serve.shared_metrics`), `/health` of the worker that answers. One that ends is started again, so a GPU that failed
costs its own requests.
"""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from viewfinder.serve.dispatch import Dispatcher
from viewfinder.serve.settings import ServeError

_LOG = logging.getLogger(__name__)
_WORKER = "VIEWFINDER_WORKER"
"""Of a worker: the descriptors of a pipe that closes when its supervisor ends, however that ends, and of its channel to
the dispatcher; the port; its name; and the folder of the workers' metrics."""
_SOON = 60.0
"""A worker that ends so many seconds after its start would end again."""


@dataclass(frozen=True)
class Worker:
    """A server's place among several behind one port.

    Attributes:
        name: "0", "1", ...
        port: of all of them.
        channel: to the dispatcher.
        folder: where the workers leave their metrics.
    """

    name: str
    port: int
    channel: socket.socket
    folder: Path


def become_worker() -> Worker | None:
    """Its place, where `supervise` started this process; it will end with its supervisor, as if by SIGTERM."""
    given = os.environ.pop(_WORKER, "")
    if not given:
        return None
    first, second, port, name, folder = given.split(" ", 4)
    pipe, channel = int(first), int(second)
    for handle in (pipe, channel):
        os.set_inheritable(handle, False)

    def watch() -> None:
        os.read(pipe, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-supervisor", daemon=True).start()
    return Worker(name, int(port), socket.socket(fileno=channel), Path(folder))


def supervise(count: int, gpus_each: int, host: str, port: int) -> None:
    """Run this command in `count` processes until SIGTERM or SIGINT, which they get too and finish what runs.

    Raises:
        ServeError: the address cannot be had, too few GPUs, a system that cannot hand connections on, or a worker that
            ends soon after its start.
    """
    if not hasattr(socket, "send_fds"):
        raise ServeError("--workers needs a Unix, whose processes hand connections on; start servers on several ports")
    places = places_of(count, gpus_each)
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    workers = _Workers(places, Dispatcher(host, port))
    try:
        workers.start()
        while not stopping.is_set():
            workers.dispatcher.run_once(0.2)
            workers.tend()
    finally:
        workers.end()


class _Workers:
    """The processes, and what they have in common."""

    def __init__(self, places: list[dict[str, str]], dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        self._places = places
        self._running: list[tuple[subprocess.Popen[bytes], float]] = []
        self._pipe = os.pipe()  # nobody writes to it, and it closes with this process
        self._metrics = tempfile.mkdtemp(prefix="viewfinder-metrics-")

    def start(self) -> None:
        for i in range(len(self._places)):
            self._running.append(self._started(i))

    def tend(self) -> None:
        """Start again what has ended.

        Raises:
            ServeError: it had hardly begun.
        """
        for i, (worker, begun) in enumerate(self._running):
            if worker.poll() is None:
                continue
            if time.monotonic() - begun < _SOON:
                raise ServeError(f"worker {i} ended with exit code {worker.returncode} at its start; see above why")
            _LOG.warning("worker %d ended with exit code %d and is started again", i, worker.returncode)
            self._running[i] = self._started(i)

    def end(self) -> None:
        """End all, and go on handing connections to them until their notice is over."""
        for worker, _ in self._running:
            worker.terminate()
        while any(worker.poll() is None for worker, _ in self._running):
            self.dispatcher.run_once(0.1)
        self.dispatcher.close()
        shutil.rmtree(self._metrics, ignore_errors=True)
        for handle in self._pipe:
            os.close(handle)

    def _started(self, i: int) -> tuple[subprocess.Popen[bytes], float]:
        pipe, command = self._pipe[0], [sys.executable, "-m", "viewfinder", *sys.argv[1:]]
        with self.dispatcher.add_server() as channel:
            more = {_WORKER: f"{pipe} {channel.fileno()} {self.dispatcher.port} {i} {self._metrics}"} | self._places[i]
            handles = (pipe, channel.fileno())
            worker = subprocess.Popen(command, env=os.environ | more, pass_fds=handles, start_new_session=True)
        return worker, time.monotonic()


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
