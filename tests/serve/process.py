"""`viewfinder serve` as a process of its own, as users run it, and what it takes of the machine."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

import httpx

ROOT = Path(__file__).parents[2]


class Process:
    """The server of the built-in model with the given options, ready when it is entered. `errors` is what it said.

    `keys` are accepted, from the environment. `internet` has the ports of a `tests.serve.internet` to run it in. `root`
    is the folder of the build that serves.
    """

    def __init__(
        self,
        *arguments: str,
        seconds: float = 300.0,
        internet: tuple[str, ...] = (),
        keys: tuple[str, ...] = (),
        root: Path = ROOT,
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        module = ["tests.serve.internet", *internet] if internet else ["viewfinder"]
        self._command = [sys.executable, "-m", *module, "serve", "--port", str(self.port), *arguments]
        self._seconds, self._keys, self._root = seconds, keys, root

    def __enter__(self) -> "Process":
        # a file, not a pipe: a full pipe nobody reads would stop the server
        self._said = tempfile.TemporaryFile("w+")
        environment = os.environ | {"PYTHONPATH": str(self._root)}
        environment |= {"VIEWFINDER_API_KEYS": " ".join(self._keys)} if self._keys else {}
        self._process = subprocess.Popen(self._command, stderr=self._said, cwd=self._root, env=environment)
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if httpx.get(f"{self.url}/ready", timeout=2).status_code == 200:
                    return self
            except httpx.HTTPError:
                time.sleep(0.1)
        self.__exit__(None, None, None)
        raise AssertionError(f"the server was not ready within {self._seconds:g} s")

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._said.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def errors(self) -> str:
        self._said.seek(0)
        return self._said.read()

    def usage(self) -> tuple[int, int]:
        """Resident bytes and open file handles of the server and its decode workers together."""
        total = handles = 0
        for pid in [self.pid, *descendants(self.pid)]:
            try:
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
                handles += len(list(Path(f"/proc/{pid}/fd").iterdir()))
            except OSError:  # ended meanwhile
                continue
        return total, handles


def descendants(pid: int) -> list[int]:
    """Process ids of the fork server and of the decode workers."""
    try:
        own = [int(p) for t in Path(f"/proc/{pid}/task").iterdir() for p in (t / "children").read_text().split()]
    except OSError:
        return []
    return [*own, *(below for child in own for below in descendants(child))]
