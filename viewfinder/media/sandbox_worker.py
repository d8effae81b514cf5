"""The process that decodes: reads jobs from standard input, answers on standard output, has no rights.

A message is a line of JSON (`bytes` says how much follows) and that many raw bytes, in both directions, so
that nothing a taken-over decoder sends can be more than numbers and text. Run by `sandbox.Sandbox`.
"""

import dataclasses
import json
import os
import signal
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import pypdfium2
from PIL import Image

from viewfinder.errors import LimitError, MediaError
from viewfinder.media import confinement
from viewfinder.media.document import chosen_pages, open_document
from viewfinder.media.image import Picture, count_pages, load_image
from viewfinder.media.opening import open_video
from viewfinder.media.plan import VideoSettings, plan_video
from viewfinder.media.resize import resize_picture
from viewfinder.media.source import Limits, UrlPolicy
from viewfinder.media.video import read_clip

Answer = tuple[dict[str, Any], list[memoryview]]


def main() -> None:
    """Confine this process, say so, and work until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server is stopped by it, and then closes our input
    given = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    _warm_up()
    held = {
        "landlock": confinement.deny_files(_readable()),
        "seccomp": confinement.deny_system_calls(),
    }
    confinement.limit_resources(given["memory_bytes"])
    os.dup2(silence, 2)
    write_message(answers, held, [])
    while (message := read_message(sys.stdin.buffer)) is not None:
        confinement.allow_cpu_seconds(given["cpu_seconds"])
        write_message(answers, *_work(*message))


def _warm_up() -> None:
    """Load what would be loaded at the first picture, while files can still be read."""
    Image.init()
    pypdfium2.PdfDocument.new().close()
    av.codec.codecs_available  # noqa: B018


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
    headers, blobs = [], []
    if b"%PDF-" not in data[:1024]:
        count = count_pages(data)
        for number in _asked(count, options, limits):
            header, pixels = _picture(load_image(data, limits, number if count > 1 else None))
            headers.append({**header, "words": [], "number": number})
            blobs.append(pixels)
        return {"pages": headers, "count": count}, blobs
    with open_document(data, limits, password=options.get("password"), name="the document") as document:
        for number in _asked(len(document), options, limits):
            picture = document.page(number, dpi=options.get("dpi"), max_pixels=options.get("max_pixels"))
            words = document.words(number, picture) if options.get("words") else ()
            header, pixels = _picture(picture)
            headers.append({**header, "words": [dataclasses.asdict(word) for word in words], "number": number})
            blobs.append(pixels)
        return {"pages": headers, "count": len(document)}, blobs


def _asked(count: int, options: dict[str, Any], limits: Limits) -> list[int]:
    numbers = options["pages"]
    if options.get("only_existing"):
        numbers = [number for number in numbers if 0 <= number < count]
    return chosen_pages(count, numbers, "the document", limits)


def _clip(data: bytes, options: dict[str, Any], limits: Limits) -> Answer:
    clip = read_clip(plan_video(data, VideoSettings(**options), limits))
    header = {
        "shape": clip.frames.shape,
        "transform": clip.transform.to_dict(),
        **{
            name: getattr(clip, name)
            for name in ("times", "duration", "second_per_grid_ts", "grid_times", "regular", "notes")
        },
    }
    return header, [memoryview(np.ascontiguousarray(clip.frames)).cast("B")]


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
