"""Contract 6, contained: strangers' files are decoded in other processes, which are limited and replaceable.

A `Sandbox` keeps a few workers (`sandbox_worker`) with caps on memory, processor time and time; they have no
network and write no file. A worker that dies costs the request it worked for, and a new one takes its place.
Bytes go in, `Picture`s and `Clip`s come out, equal to those of `load_image` and `load_video`.
"""

import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.errors import LimitError, MediaError, ViewfinderError
from viewfinder.media.document import Word
from viewfinder.media.frames import VideoInfo
from viewfinder.media.image import Picture
from viewfinder.media.source import DEFAULT_LIMITS, Limits
from viewfinder.media.transform import Transform
from viewfinder.media.video import Clip

_CHUNK = 1 << 20
_MOST_HEADER = 1 << 26


class WorkerLostError(ViewfinderError):
    """A decode worker was killed from outside while it worked for this request; nothing is known against the file."""


@dataclass(frozen=True)
class SandboxLimits:
    """Caps of one worker: bytes of memory, seconds of processor time and of time for one job."""

    workers: int = 2
    memory_bytes: int = 3 * 2**30
    cpu_seconds: float = 60.0
    seconds: float = 120.0


@dataclass(frozen=True)
class SafePage:
    """A page of a document: its picture, its number, and the words of its text layer (when they were wanted)."""

    picture: Picture
    number: int
    words: tuple[Word, ...] = ()


class Sandbox:
    """A pool of decode workers, for many threads. Close it when done, or use it as a context manager."""

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        self.limits = limits or SandboxLimits()
        self.lost = 0
        self.jobs = 0
        self._count = threading.Lock()
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(self.limits.workers):
            self._free.put(None)  # started when first needed

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> dict[str, Any]:
        """Start all workers now; how they are held ({"landlock": ..., "seccomp": ...})."""
        workers = [self._free.get() or _Worker(self.limits) for _ in range(self.limits.workers)]
        for worker in workers:
            self._free.put(worker)
        return workers[0].held

    def close(self) -> None:
        """End the workers; jobs that still run are lost."""
        workers = [self._free.get(timeout=self.limits.seconds) for _ in range(self.limits.workers)]
        for worker in workers:
            if worker is not None:
                worker.kill()
            self._free.put(None)

    @property
    def pids(self) -> list[int]:
        """Process ids of idle workers."""
        return [worker.pid for worker in list(self._free.queue) if worker is not None]

    def image(self, data: bytes, limits: Limits = DEFAULT_LIMITS, budget: dict[str, Any] | None = None) -> Picture:
        """As `load_image`, and `resize_picture` with the arguments `budget` where given. Errors as there.

        Raises:
            WorkerLostError: the worker was killed from outside.
        """
        header, blob = self._run("image", data, {"budget": budget}, limits)
        return _picture(header, blob)

    def pages(
        self,
        data: bytes,
        limits: Limits = DEFAULT_LIMITS,
        *,
        pages: tuple[int, ...] | None = None,
        dpi: float | None = None,
        max_pixels: int | None = None,
        words: bool = False,
        password: str | None = None,
    ) -> list[SafePage]:
        """Pages of a PDF, as `Document.page` draws them, or of a picture; errors as there and in `open_document`."""
        options = {"pages": pages, "dpi": dpi, "max_pixels": max_pixels, "words": words, "password": password}
        header, blob = self._run("pages", data, options, limits)
        return _pages(header, blob)

    def some_pages(
        self, data: bytes, limits: Limits = DEFAULT_LIMITS, *, pages: tuple[int, ...], dpi: float, max_pixels: int
    ) -> tuple[list[SafePage], int]:
        """As `pages` without words, numbers that do not exist left out; and how many pages there are in all."""
        options = {"pages": pages, "dpi": dpi, "max_pixels": max_pixels, "only_existing": True}
        header, blob = self._run("pages", data, options, limits)
        return _pages(header, blob), header["count"]

    def clip(self, data: bytes, limits: Limits = DEFAULT_LIMITS, **settings: Any) -> Clip:
        """As `load_video` with the fields of `VideoSettings`; errors as there."""
        header, blob = self._run("clip", data, settings, limits)
        return Clip(
            frames=np.frombuffer(blob, dtype=np.uint8).reshape(header["shape"]),
            times=tuple(header["times"]),
            duration=header["duration"],
            transform=Transform.from_dict(header["transform"]),
            second_per_grid_ts=header["second_per_grid_ts"],
            grid_times=tuple(header["grid_times"]),
            regular=header["regular"],
            notes=tuple(header["notes"]),
        )

    def probe(self, data: bytes, limits: Limits = DEFAULT_LIMITS) -> VideoInfo:
        """As `probe_video`."""
        header, _ = self._run("probe", data, {}, limits)
        fields = {name: header[name] for name in VideoInfo.__dataclass_fields__}
        return VideoInfo(**{**fields, "size": tuple(fields["size"]), "notes": tuple(fields["notes"])})

    def _run(self, job: str, data: bytes, options: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], memoryview]:
        caps = ("max_pixels", "max_pages", "max_seconds", "max_frames")
        header = {"job": job, "options": options, "limits": {name: getattr(limits, name) for name in caps}}
        worker = self._free.get()
        alive = False
        try:
            if worker is None or not worker.is_alive:
                worker = _Worker(self.limits)
            answer, blob = worker.ask(header, data)
            alive = True
        finally:
            if not alive and worker is not None:
                worker.kill()
            with self._count:
                self.jobs += 1
                self.lost += not alive
            self._free.put(worker if alive else None)
        if "error" in answer:
            raise (LimitError if answer["error"] == "limit" else MediaError)(str(answer["message"])[:500])
        return answer, blob


def _pages(header: dict[str, Any], blob: memoryview) -> list[SafePage]:
    result, at = [], 0
    for page in header["pages"]:
        size = page["size"][0] * page["size"][1] * 3
        picture = _picture(page, blob[at : at + size])
        layer = tuple(Word(word["text"], tuple(word["box"])) for word in page["words"])
        result.append(SafePage(picture, page["number"], layer))
        at += size
    return result


def _picture(header: dict[str, Any], blob: memoryview) -> Picture:
    image = Image.frombytes("RGB", tuple(header["size"]), bytes(blob))
    return Picture(image, Transform.from_dict(header["transform"]), tuple(header["notes"]))


@dataclass
class _Worker:
    """One process."""

    limits: SandboxLimits
    held: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = {"memory_bytes": self.limits.memory_bytes, "cpu_seconds": self.limits.cpu_seconds}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "viewfinder.media.sandbox_worker", json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in ("PATH", "LANG", "HOME", "VIRTUAL_ENV") if name in os.environ}
            | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdout is not None
        self._fd = self._process.stdout.fileno()
        self._rest = b""
        try:
            self.held, _ = self._answer(time.monotonic() + 60)
        except Exception:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was still to be written is of no use to the dead
                    continue

    def ask(self, header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], memoryview]:
        deadline = time.monotonic() + self.limits.seconds
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps({**header, "bytes": len(data)}).encode() + b"\n")
            stdin.write(data)
            stdin.flush()
        except OSError:
            raise self._death() from None
        return self._answer(deadline)

    def _answer(self, deadline: float) -> tuple[dict[str, Any], memoryview]:
        while b"\n" not in self._rest:
            if len(self._rest) > _MOST_HEADER:
                raise MediaError("a decoder answered nonsense for this file; get the file again")
            self._rest += self._read(deadline)
        line, _, body = self._rest.partition(b"\n")
        header = json.loads(line)
        size = header["bytes"]
        if not 0 <= size <= self.limits.memory_bytes:
            raise MediaError("a decoder answered nonsense for this file; get the file again")
        blob = bytearray(body)
        while len(blob) < size:
            blob += self._read(deadline)
        self._rest = bytes(blob[size:])
        return header, memoryview(blob)[:size]

    def _read(self, deadline: float) -> bytes:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise LimitError(
                f"decoding took over {self.limits.seconds:g} s, so it was stopped; send a smaller or simpler file"
            )
        chunk = os.read(self._fd, _CHUNK)
        if not chunk:
            raise self._death()
        return chunk

    def _death(self) -> ViewfinderError:
        """What ended the process: the file's doing, a cap, or somebody else."""
        try:
            code = -self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = 0
        if code == signal.SIGXCPU:
            return LimitError(
                f"decoding took over {self.limits.cpu_seconds:g} s of processor time, so it was stopped; "
                "send a smaller or simpler file"
            )
        if code in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGSYS):
            name = signal.Signals(code).name
            return MediaError(f"this file crashes its decoder ({name}), so it cannot be read; make it anew")
        return WorkerLostError("the process that decoded this file was ended from outside; send the request again")
