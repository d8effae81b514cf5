"""The processes of a sandbox, as the server sees them: a fork server, and the decode workers it forks.

The fork server (`sandbox_worker`) has loaded every library and never sees a stranger's byte, so that a fresh worker
costs milliseconds and is as good as new. A message to a worker is a line of JSON and raw bytes, as there.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from viewfinder.errors import LimitError, MediaError, ViewfinderError

_CHUNK = 1 << 20
_MOST_HEADER = 1 << 24
_START_SECONDS = 60
_LOW_PRIORITY = 15


class WorkerLostError(ViewfinderError):
    """A decode worker was killed from outside while it worked for this request; nothing is known against the file."""


@dataclass(frozen=True)
class SandboxLimits:
    """Caps of one worker: bytes of memory, seconds of processor time and of time for one job."""

    workers: int = 2
    memory_bytes: int = 3 * 2**30
    cpu_seconds: float = 60.0
    seconds: float = 120.0


class ForkServer:
    """Starts and ends workers and waits for their ends; started when first needed, and again when it was killed."""

    def __init__(self, limits: SandboxLimits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def spawn(self, job_fd: int, answer_fd: int) -> int:
        """The process id of a new worker that reads jobs from one descriptor and answers on the other.

        Raises:
            WorkerLostError: twice no worker could be started.
        """
        for _ in range(2):
            with self._lock:
                if self._control is None:
                    self._start()
                assert self._control is not None
                try:
                    socket.send_fds(self._control, [b"spawn"], [job_fd, answer_fd])
                    reply = self._control.recv(64)
                except OSError:
                    reply = b""
                if reply:
                    return int(reply)
                self._stop()
        raise WorkerLostError("no process that decodes files could be started; try again, or look at the memory left")

    def end(self, pid: int, grace: float = 0.0) -> int:
        """How a worker ended (a signal's number, or 0): by itself within `grace` seconds, else killed now."""
        with self._lock:
            if self._control is None:
                return 0
            try:
                self._control.send(f"end {pid} {grace}".encode())
                return int(self._control.recv(64) or b"0")
            except OSError:
                return 0

    def close(self) -> None:
        """End the fork server, and with it every worker."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_START_SECONDS)
        given = {"memory_bytes": self.limits.memory_bytes, "cpu_seconds": self.limits.cpu_seconds}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "viewfinder.media.sandbox_worker", json.dumps(given)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={name: os.environ[name] for name in ("PATH", "LANG", "HOME", "VIRTUAL_ENV") if name in os.environ}
                | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        self._control = ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class DecodeWorker:
    """One process. `held` says how it is confined, `gives_way` whether others' work goes before its own."""

    def __init__(self, server: ForkServer) -> None:
        self.limits, self._server = server.limits, server
        job, self._jobs = os.pipe()
        self._answers, answer = os.pipe()
        try:
            self.pid = server.spawn(job, answer)
        except ViewfinderError:
            os.close(self._jobs)
            os.close(self._answers)
            raise
        finally:
            os.close(job)
            os.close(answer)
        os.set_blocking(self._jobs, False)
        self._open, self.gives_way = True, False
        try:
            self.held, _ = self._answer(time.monotonic() + _START_SECONDS)
        except Exception:
            self.close()
            raise

    @property
    def is_alive(self) -> bool:
        """False when it ended, or said something without being asked."""
        return self._open and not select.select([self._answers], [], [], 0)[0]

    def kill(self) -> None:
        """End the process, from any thread; who waits for its answer finds that it is gone."""
        self._server.end(self.pid)

    def give_way(self) -> None:
        """From now on others' work goes before that of the process."""
        if not self.gives_way:
            self.gives_way = True
            with contextlib.suppress(OSError):  # ended meanwhile
                os.setpriority(os.PRIO_PROCESS, self.pid, _LOW_PRIORITY)

    def close(self) -> None:
        """End the process and close its pipes. For the thread that works with it."""
        if self._open:
            self._open = False
            self.kill()
            os.close(self._jobs)
            os.close(self._answers)

    def ask(self, header: dict[str, Any], data: bytes, most_bytes: int) -> tuple[dict[str, Any], memoryview]:
        """The answer to a job, whose raw part has at most `most_bytes`."""
        deadline = time.monotonic() + self.limits.seconds
        for piece in (json.dumps({**header, "bytes": len(data)}).encode() + b"\n", data):
            self._write(memoryview(piece), deadline)
        return self._answer(deadline, most_bytes)

    def _write(self, piece: memoryview, deadline: float) -> None:
        while piece:
            self._wait([], [self._jobs], deadline)
            try:
                piece = piece[os.write(self._jobs, piece) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self._death() from None

    def _answer(self, deadline: float, most_bytes: int = 0) -> tuple[dict[str, Any], memoryview]:
        head = bytearray()
        while (end := head.find(b"\n", max(0, len(head) - _CHUNK))) < 0:
            if len(head) > _MOST_HEADER:
                raise _nonsense()
            self._wait([self._answers], [], deadline)
            chunk = os.read(self._answers, _CHUNK)
            if not chunk:
                raise self._death()
            head += chunk
        try:
            header = json.loads(bytes(head[:end]))
            size = header["bytes"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _nonsense() from None
        if not isinstance(size, int) or not 0 <= size <= most_bytes or len(head) - end - 1 > size:
            raise _nonsense()
        blob = memoryview(bytearray(size))
        at = len(head) - end - 1
        blob[:at] = head[end + 1 :]
        while at < size:
            self._wait([self._answers], [], deadline)
            count = os.readv(self._answers, [blob[at : at + _CHUNK]])
            if not count:
                raise self._death()
            at += count
        return header, blob

    def _wait(self, readable: list[int], writable: list[int], deadline: float) -> None:
        if not any(select.select(readable, writable, [], max(0.0, deadline - time.monotonic()))):
            raise LimitError(
                f"decoding took over {self.limits.seconds:g} s, so it was stopped; send a smaller or simpler file"
            )

    def _death(self) -> ViewfinderError:
        """What ended the process: the file's doing, a cap, or somebody else."""
        code = self._server.end(self.pid, grace=0.3)
        if code == signal.SIGXCPU:
            return LimitError(
                f"decoding took over {self.limits.cpu_seconds:g} s of processor time, so it was stopped; "
                "send a smaller or simpler file"
            )
        if code in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGSYS):
            name = signal.Signals(code).name
            return MediaError(f"this file crashes its decoder ({name}), so it cannot be read; make it anew")
        return WorkerLostError("the process that decoded this file was ended from outside; send the request again")


def _nonsense() -> MediaError:
    return MediaError("a decoder answered nonsense for this file; get the file again")
