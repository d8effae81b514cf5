"""One writer at a time: a lock on an output folder, or on an output file, which the kernel drops with its holder."""

import errno
import fcntl
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from viewfinder.errors import ViewfinderError
from viewfinder.storage.atomic import remove_partials

_LOG = logging.getLogger(__name__)
_UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


class OutputInUse(ViewfinderError):
    """Another process writes to the same folder or file."""


class OutputLock:
    """Held from construction until `release`; a process that ends in any way releases it.

    The lock file is `FOLDER/.lock`, or `.NAME.lock` beside a file, and is removed at release. Of a folder that is
    locked, partial files of killed processes are removed (`atomic.remove_partials`).

    Args:
        path: the output folder, which is made, or the output file.
        wait: seconds to wait for another holder; workers of a killed holder need a moment to end.

    Raises:
        OutputInUse: another process, or another holder in this one, has it.
    """

    def __init__(self, path: str | Path, wait: float = 1.0) -> None:
        path = Path(path)
        is_file = bool(path.suffix) and not path.is_dir()
        self.path, self._lock = path, path.with_name(f".{path.name}.lock") if is_file else path / ".lock"
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        self._process = os.getpid()  # a forked worker has a copy of this object, and does not own the lock
        self._handle = self._take(time.monotonic() + wait)
        if not is_file:
            remove_partials(path)

    def _take(self, end: float) -> int:
        while True:
            handle = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(handle, 1000, 0).decode(errors="replace").strip()
                os.close(handle)
                if error.errno in _UNSUPPORTED:
                    _LOG.warning("%s: this file system has no locks; let one process at a time write here", self.path)
                    return -1
                if time.monotonic() > end:
                    raise OutputInUse(
                        f"{self.path} is being written by {holder or 'another process'}, and the results of two would "
                        "mix; wait for its end, or name another output"
                    ) from None
                time.sleep(0.02)
                continue
            if self._is_current(handle):
                os.ftruncate(handle, 0)
                os.pwrite(handle, _describe_self().encode(), 0)
                return handle
            os.close(handle)  # its holder removed the file after we opened it

    def _is_current(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self._lock.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the lock back; nothing happens when it was given back before."""
        if self._handle >= 0 and self._process == os.getpid():
            self._lock.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = -1

    def __del__(self) -> None:
        if getattr(self, "_handle", -1) >= 0:
            self.release()


@contextmanager
def locked(path: str | Path, wait: float = 1.0) -> Iterator[None]:
    """An `OutputLock` for the time of a block."""
    lock = OutputLock(path, wait)
    try:
        yield
    finally:
        lock.release()


def _describe_self() -> str:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {os.uname().nodename} ({command}, since {since})"
