"""The processes that decode: a fork server, and workers that read jobs from a pipe, answer on another, have no rights.

A message is a line of JSON (`bytes` says how much follows) and that many raw bytes, in both directions, so
that nothing a taken-over decoder sends can be more than numbers and text. Run by `sandbox_process.ForkServer`.
"""

import contextlib
import dataclasses
import io
import json
import os
import signal
import socket
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import pypdfium2
from PIL import Image

from viewfinder.errors import LimitError, MediaError
from viewfinder.media import confinement
from viewfinder.media.document import Word, chosen_pages, open_document
from viewfinder.media.image import Picture, count_pages, load_image
from viewfinder.media.opening import open_video
from viewfinder.media.plan import VideoSettings, plan_video
from viewfinder.media.resize import resize_picture
from viewfinder.media.source import Limits, UrlPolicy
from viewfinder.media.video import read_clip

Answer = tuple[dict[str, Any], list[memoryview]]


def main() -> None:
    """Fork a confined worker each time the server asks for one, and end them when told, until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server is stopped by it, and then closes our input
    given = json.loads(sys.argv[1])
    control = socket.socket(fileno=os.dup(0))
    _warm_up()
    workers: set[int] = set()
    while True:
        message, fds, _, _ = socket.recv_fds(control, 64, 2)
        if not message:
            break
        if fds:
            pid = os.fork()
            if pid == 0:
                control.close()
                _be_worker(fds[0], fds[1], given)
            for fd in fds:
                os.close(fd)
            workers.add(pid)
            control.send(str(pid).encode())
        else:
            _, pid, grace = message.split()
            control.send(str(_end(int(pid), float(grace)) if int(pid) in workers else 0).encode())
            workers.discard(int(pid))
    for pid in workers:
        _end(pid, 0.0)


def _end(pid: int, grace: float) -> int:
    """Wait for a child: the signal that ended it, by itself within `grace` seconds or by us."""
    deadline = time.monotonic() + grace
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None and time.monotonic() < deadline:
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):  # not yet the leader of its group
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _be_worker(job_fd: int, answer_fd: int, given: dict[str, Any]) -> NoReturn:
    """Confine this process, say so, and work until the input ends."""
    os.setsid()
    confinement.die_with_parent(signal.SIGKILL)
    os.dup2(job_fd, 0)
    os.close(job_fd)
    jobs, answers = os.fdopen(0, "rb"), os.fdopen(answer_fd, "wb")
    held = {"landlock": confinement.deny_files(_readable()), "seccomp": confinement.deny_system_calls()}
    confinement.limit_resources(given["memory_bytes"])
    try:
        write_message(answers, held, [])
        while (message := read_message(jobs)) is not None:
            confinement.allow_cpu_seconds(given["cpu_seconds"])
            write_message(answers, *_work(*message))
    finally:
        os._exit(0)


def _warm_up() -> None:
    """Load what would be loaded at the first picture, while files can still be read."""
    Image.init()
    pypdfium2.PdfDocument.new().close()


def _readable() -> list[Path]:
    """The interpreter and its libraries, this package, and fonts for PDFs that bring none."""
    prefixes = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), "/usr/lib", "/lib", "/lib64"}
    return [*map(Path, sorted(prefixes)), Path(__file__).resolve().parents[1], Path("/usr/share/fonts")]


def _work(header: dict[str, Any], data: bytes) -> Answer:
    limits = Limits(
        **header["limits"], max_bytes=max(1, len(data)), url_policy=UrlPolicy(allow=False), allow_files=False
    )
    try:
        return _JOBS[header["job"]](data, header["options"], limits)
    except LimitError as error:
        return {"error": "limit", "message": str(error)}, []
    except MediaError as error:
        return {"error": "media", "message": str(error)}, []
    except MemoryError:
        return {"error": "limit", "message": "this takes more memory to decode than one file may; make it smaller"}, []
    except Exception as error:
        what = f"it cannot be decoded ({type(error).__name__}: {str(error)[:100]}); get the file again"
        return {"error": "media", "message": what}, []


def _image(data: bytes, options: dict[str, Any], limits: Limits) -> Answer:
    picture = load_image(data, limits)
    if options.get("budget"):
        picture = resize_picture(picture, **options["budget"])
    header, pixels = _picture(picture)
    return header, [pixels]


def _pages(data: bytes, options: dict[str, Any], limits: Limits) -> Answer:
    """Pages drawn. Nothing is drawn when all together are over the cap on pixels, or when `measure` is set."""
    with _opened(data, options, limits) as (count, size_of, draw):
        numbers = _asked(count, options, limits)
        sizes = [_size_or_none(size_of, number) for number in numbers]
        total, most = sum(width * height for width, height in sizes), options["total_pixels"]
        if total > most:
            raise LimitError(
                f"{len(numbers)} pages of the document have {total:,} pixels together, over the {most:,} allowed in a "
                "request; name fewer (pages)"
            )
        if options.get("measure"):
            return {"count": count, "numbers": numbers, "sizes": sizes}, []
        headers, blobs = [], []
        for number in numbers:
            picture, words = draw(number)
            if options.get("budget"):
                picture = resize_picture(picture, **options["budget"])
            header, pixels = _picture(picture)
            headers.append({**header, "words": [dataclasses.asdict(word) for word in words], "number": number})
            blobs.append(pixels)
        return {"pages": headers, "count": count}, blobs


def _size_or_none(size_of: Callable[[int], tuple[int, int]], number: int) -> tuple[int, int]:
    try:
        return size_of(number)
    except MediaError:  # a broken page: whoever draws it is told
        return 0, 0


Draw = Callable[[int], tuple[Picture, tuple[Word, ...]]]


@contextlib.contextmanager
def _opened(
    data: bytes, options: dict[str, Any], limits: Limits
) -> Iterator[tuple[int, Callable[[int], tuple[int, int]], Draw]]:
    """How many pages there are, how large each would be in pixels, and how to draw one."""
    if b"%PDF-" not in data[:1024]:
        count = count_pages(data)
        with Image.open(io.BytesIO(data)) as image:
            size = image.size  # of the first page; each is checked against max_pixels when it is read
        yield count, lambda number: size, lambda number: (load_image(data, limits, number if count > 1 else None), ())
        return
    with open_document(data, limits, password=options.get("password"), name="the document") as document:
        given = {"dpi": options.get("dpi"), "max_pixels": options.get("max_pixels")}

        def draw(number: int) -> tuple[Picture, tuple[Word, ...]]:
            picture = document.page(number, **given)
            return picture, document.words(number, picture) if options.get("words") else ()

        yield len(document), lambda number: document.pixel_size(number, **given), draw


def _asked(count: int, options: dict[str, Any], limits: Limits) -> list[int]:
    numbers = options["pages"]
    if numbers is not None and len(set(numbers)) < len(numbers):
        raise MediaError("a page of the document is asked for more than once; name each page once (pages)")
    if options.get("only_existing") and numbers is not None:
        numbers = [number for number in numbers if 0 <= number < count]
    return chosen_pages(count, numbers, "the document", limits)


def _clip(data: bytes, options: dict[str, Any], limits: Limits) -> Answer:
    measure = options.pop("measure", False)
    plan = plan_video(data, VideoSettings(**options), limits)
    if measure:
        return {**dataclasses.asdict(plan.source.info), "times": plan.times, "seen": plan.transform.resized_size}, []
    clip = read_clip(plan)
    header = {
        "shape": clip.frames.shape,
        "transform": clip.transform.to_dict(),
        **{
            name: getattr(clip, name)
            for name in ("times", "duration", "second_per_grid_ts", "grid_times", "regular", "notes")
        },
    }
    return header, [np.ascontiguousarray(clip.frames).data.cast("B")]


def _probe(data: bytes, options: dict[str, Any], limits: Limits) -> Answer:
    return dataclasses.asdict(open_video(data, limits=limits).info), []


def _picture(picture: Picture) -> tuple[dict[str, Any], memoryview]:
    header = {"size": picture.size, "transform": picture.transform.to_dict(), "notes": picture.notes}
    return header, memoryview(picture.image.tobytes())


_JOBS: dict[str, Callable[[bytes, dict[str, Any], Limits], Answer]] = {
    "image": _image,
    "pages": _pages,
    "clip": _clip,
    "probe": _probe,
}


def read_message(source: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next message; None at the end."""
    line = source.readline()
    if not line:
        return None
    header = json.loads(line)
    data = source.read(header["bytes"])
    return (header, data) if len(data) == header["bytes"] else None


def write_message(sink: BinaryIO, header: dict[str, Any], blobs: list[memoryview]) -> None:
    sizes = [len(blob) for blob in blobs]
    sink.write(json.dumps({**header, "bytes": sum(sizes)}, default=float).encode() + b"\n")
    for blob in blobs:
        sink.write(blob)
    sink.flush()


if __name__ == "__main__":
    main()
