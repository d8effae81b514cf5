"""Files from outside are decoded in other processes, which are limited and replaceable.

A `Sandbox` keeps a few workers (`sandbox_worker`) with caps on memory, processor time and time; they have no
network and write no file. A worker that dies costs the request it worked for, and a new one takes its place; none
works for two tenants. Bytes go in, `Picture`s and `Clip`s come out, equal to those of `load_image` and `load_video`.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.document import Word
from viewfinder.media.frames import VideoInfo
from viewfinder.media.image import Picture
from viewfinder.media.sandbox_process import DecodeWorker
from viewfinder.media.sandbox_process import SandboxLimits as SandboxLimits
from viewfinder.media.sandbox_process import WorkerLostError as WorkerLostError
from viewfinder.media.sandbox_queue import CalledOffError as CalledOffError
from viewfinder.media.sandbox_queue import DecodeQueue, Job
from viewfinder.media.sandbox_queue import DecoderBusyError as DecoderBusyError
from viewfinder.media.source import DEFAULT_LIMITS, Limits
from viewfinder.media.transform import Transform
from viewfinder.media.video import Clip

MOST_PIXELS = 400_000_000
"""Of all pages of one job together, unless told otherwise."""
_ENLARGED = 2**26
"""Pixels that a small picture or page may get by a budget, and frames beyond theirs."""


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
        self.tenant = ""
        self._queue = DecodeQueue(self.limits)
        self._mine: set[Job] = set()
        self._called_off = False

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def for_tenant(self, tenant: str) -> "Sandbox":
        """The same workers for one request of a tenant, which `call_off` ends."""
        view = copy.copy(self)
        view.tenant, view._mine = tenant, set()
        return view

    def call_off(self) -> None:
        """End what this object has asked for and refuse what it will ask."""
        self._called_off = True
        self._queue.call_off(list(self._mine))

    @property
    def jobs(self) -> int:
        """Files decoded, or tried."""
        return self._queue.jobs

    @property
    def lost(self) -> int:
        """Workers that died over a job, or were stopped."""
        return self._queue.lost

    def start(self) -> dict[str, Any]:
        """Start all workers now; how they are held ({"landlock": ..., "seccomp": ...})."""
        return {name: self._queue.start()[0].held[name] for name in ("landlock", "seccomp")}

    def close(self) -> None:
        """End the workers; jobs that still run are lost."""
        self._queue.close()

    @property
    def pids(self) -> list[int]:
        """Process ids of idle workers."""
        return self._queue.pids

    def image(self, data: bytes, limits: Limits = DEFAULT_LIMITS, budget: dict[str, Any] | None = None) -> Picture:
        """As `load_image`, and `resize_picture` with the arguments `budget` where given. Errors as there.

        Raises:
            WorkerLostError: the worker was killed from outside.
        """
        header, blob = self._run("image", data, {"budget": budget}, limits, max(limits.max_pixels, _ENLARGED))
        return _picture(header, blob)

    def pages(
        self,
        data: bytes,
        limits: Limits = DEFAULT_LIMITS,
        *,
        pages: tuple[int, ...] | None = None,
        total_pixels: int = MOST_PIXELS,
        **options: Any,
    ) -> list[SafePage]:
        """Pages of a PDF, as `Document.page` draws them, or of a picture; errors as there and in `open_document`.

        Args:
            total_pixels: of all pages together as they would be drawn; more are refused before any is drawn.
            options: `dpi`, `max_pixels`; `words` (with the text layer); `password`; `budget` (arguments of
                `resize_picture` for each page); `only_existing` (leave out numbers that the document does not have).
        """
        given = {"only_existing": False, **options}
        return self.some_pages(data, limits, pages=pages, total_pixels=total_pixels, **given)[0]

    def some_pages(
        self, data: bytes, limits: Limits = DEFAULT_LIMITS, *, total_pixels: int = MOST_PIXELS, **options: Any
    ) -> tuple[list[SafePage], int]:
        """As `pages`, numbers that do not exist left out unless `only_existing` is false; and how many there are."""
        given = {"pages": None, "total_pixels": total_pixels, "only_existing": True, **options}
        header, blob = self._run("pages", data, given, limits, total_pixels + _ENLARGED)
        return _pages(header, blob), header["count"]

    def measure_pages(
        self,
        data: bytes,
        limits: Limits = DEFAULT_LIMITS,
        *,
        pages: tuple[int, ...] | None = None,
        total_pixels: int = MOST_PIXELS,
        **options: Any,
    ) -> tuple[int, dict[int, int]]:
        """How many pages there are, and the pixels of each that `pages` would draw with the same arguments."""
        given = {"pages": pages, "total_pixels": total_pixels, "measure": True, **options}
        header, _ = self._run("pages", data, given, limits)
        return header["count"], {n: w * h for n, (w, h) in zip(header["numbers"], header["sizes"], strict=True)}

    def clip(self, data: bytes, limits: Limits = DEFAULT_LIMITS, **settings: Any) -> Clip:
        """As `load_video` with the fields of `VideoSettings`; errors as there."""
        total = settings.get("total_pixels")  # counts each pair of frames once
        most = None if total is None else 2 * total + _ENLARGED
        header, blob = self._run("clip", data, settings, limits, most)
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

    def measure_clip(self, data: bytes, limits: Limits = DEFAULT_LIMITS, **settings: Any) -> dict[str, Any]:
        """The fields of `VideoInfo`, and of the frames that `clip` would give their `times` (seconds) and size
        (`seen`); nothing is decoded."""
        return self._run("clip", data, {**settings, "measure": True}, limits)[0]

    def probe(self, data: bytes, limits: Limits = DEFAULT_LIMITS) -> VideoInfo:
        """As `probe_video`."""
        header, _ = self._run("probe", data, {}, limits)
        fields = {name: header[name] for name in VideoInfo.__dataclass_fields__}
        return VideoInfo(**{**fields, "size": tuple(fields["size"]), "notes": tuple(fields["notes"])})

    def _run(
        self, kind: str, data: bytes, options: dict[str, Any], limits: Limits, most_pixels: int | None = 0
    ) -> tuple[dict[str, Any], memoryview]:
        """The answer to a job, of at most so many pixels (None: as much as a worker may have)."""
        caps = ("max_pixels", "max_pages", "max_seconds", "max_frames")
        header = {"job": kind, "options": options, "limits": {name: getattr(limits, name) for name in caps}}
        most = self.limits.memory_bytes if most_pixels is None else 3 * most_pixels
        job = Job(self.tenant, called_off=self._called_off)
        self._mine.add(job)
        try:
            answer, blob = self._ask(job, header, data, min(most, self.limits.memory_bytes))
        finally:
            self._mine.discard(job)
        if "error" in answer:
            raise (LimitError if answer["error"] == "limit" else MediaError)(str(answer["message"])[:500])
        return answer, blob

    def _ask(self, job: Job, header: dict[str, Any], data: bytes, most: int) -> tuple[dict[str, Any], memoryview]:
        while True:
            worker: DecodeWorker | None = self._queue.enter(job)
            assert worker is not None
            alive = False
            try:
                answer = worker.ask(header, data, most)
                alive = True
                return answer
            except Exception:
                if job.called_off:
                    raise CalledOffError("the request was called off") from None
                if not job.preempted:
                    self._queue.lost += 1
                    raise
            finally:
                if not alive:
                    worker.close()
                self._queue.leave(job, worker if alive else None)


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
    width, height = header["size"]
    if width * height * 3 != len(blob):
        raise MediaError("a decoder answered nonsense for this file; get the file again")
    image = Image.frombytes("RGB", (width, height), blob)
    return Picture(image, Transform.from_dict(header["transform"]), tuple(header["notes"]))
