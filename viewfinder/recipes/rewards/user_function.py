"""A user's Python function as a reward, in a process of its own: what it raises, or never returns, loses no run."""

import json
import math
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from viewfinder.train.config import ConfigError

_WORKER = Path(__file__).with_name("user_worker.py")
_LOADING = 120.0
"""Seconds in which the file must be loaded."""


class UserFunction:
    """`function(answer, about) -> number` of a file; `about` has kind, truth, question and the true answer.

    Raises:
        ConfigError: no such file, one that cannot be loaded, or no such function in it.
    """

    def __init__(self, place: str, seconds: float) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        path, _, self.name = place.rpartition(":")
        self.path, self.seconds = Path(path), seconds
        if not self.path.is_file():
            raise ConfigError(f"{place!r} names no file; give FILE.py:FUNCTION")
        first = self._start()
        late = {"error": f"{path} was not loaded within {_LOADING:g} s"}
        told = late if first is None else json.loads(first)
        if "error" in told:
            self.close()
            raise ConfigError(f"grpo.rewards names {place!r}, and {told['error']}; correct it")

    def __call__(self, answer: str, about: dict[str, Any]) -> tuple[float | None, str]:
        """The value and "", or None and the reason; a process that is late is ended, the next call has a new one."""
        line = self._ask(json.dumps({"answer": answer, "about": about}, default=str).encode() + b"\n")
        if line is None:
            self.close()
            return None, f"{self.name} gave no answer within {self.seconds:g} s, or its process ended"
        reply = json.loads(line)
        if "error" in reply:
            return None, reply["error"]
        if not math.isfinite(reply["value"]):
            return None, f"{self.name} gave {reply['value']}, which is no reward"
        return float(reply["value"]), ""

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> bytes | None:
        """The first line of a new process."""
        command = [sys.executable, str(_WORKER), str(self.path), self.name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        return _line_within(_pipe(self._process.stdout), _LOADING)

    def _ask(self, line: bytes) -> bytes | None:
        if self._process is None:
            self._start()
        assert self._process is not None
        stdin, stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        try:
            stdin.write(line)
        except BrokenPipeError:
            return None
        return _line_within(stdout, self.seconds)

    def __del__(self) -> None:
        self.close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _line_within(stream: IO[bytes], seconds: float) -> bytes | None:
    """A whole line, or None where it does not come in time."""
    until, found = time.monotonic() + seconds, b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not found.endswith(b"\n"):
            if not selector.select(max(0.0, until - time.monotonic())) or not (part := os.read(stream.fileno(), 65536)):
                return None
            found += part
    return found
