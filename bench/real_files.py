"""Real files out of public packages, opened by this package beside Pillow, poppler, FFmpeg, lxml and warcio.

    python bench/real_files.py --cache FOLDER [--most N] [--kinds KIND ...] [--report FILE]

Each file is opened in a process of its own, whose peak memory is measured. A file is "the same" as with the other
reader, or the row says what differs; each kind of difference is a row of the table with its count and one file.
Needs pdftoppm and pdftotext (poppler-utils); the packages are in `real_packages`.
"""

import argparse
import io
import os
import pickle
import re
import resource
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.real_packages import fetch_all
from viewfinder.data.sources.html_blocks import Words, read_page
from viewfinder.data.sources.warc import WarcSource
from viewfinder.errors import DataError, MediaError
from viewfinder.media.document import open_document
from viewfinder.media.image import IMAGE_SUFFIXES, load_image
from viewfinder.media.resize import MAX_PIXELS
from viewfinder.media.scale import FrameScaler
from viewfinder.media.source import DEFAULT_LIMITS
from viewfinder.media.video import load_video

KINDS = {
    "picture": tuple(IMAGE_SUFFIXES),
    "pdf": (".pdf",),
    "clip": (".mp4", ".avi", ".mpg", ".mpeg", ".webm", ".mov", ".mkv", ".ogv", ".wmv", ".flv"),
    "page": (".html", ".htm"),
    "archive": (".warc", ".warc.gz"),
}
PAGES = 3  # of each PDF: the first, the middle one, the last
SECONDS = 60


def picture(path: Path) -> list[str]:
    """Beside Pillow: upright, on white, in RGB."""
    try:
        ours = load_image(path)
    except MediaError as error:
        return [f"refused ({_reason(error)}); Pillow {'opens it' if _pillow(path) is not None else 'refuses it too'}"]
    theirs = _pillow(path)
    if theirs is None:
        return ["opened, and refused by Pillow's plain way"]
    if theirs.size != ours.size:
        return [f"another size: {ours.notes}"]
    far = float(np.abs(ours.pixels.astype(np.int16) - np.asarray(theirs, dtype=np.int16)).max())
    return ["the same" if far <= 1 else f"other pixels: {'; '.join(ours.notes) or 'no note'}"]


def _pillow(path: Path) -> Image.Image | None:
    try:
        image = Image.open(path)
        if image.width * image.height > DEFAULT_LIMITS.max_pixels:
            return None
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16") or image.mode in ("I", "F"):
            return image.convert("RGB")
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    except Exception:
        return None


def pdf(path: Path) -> list[str]:
    """Beside poppler: pages at 72 dpi, and the words of their layer."""
    try:
        document = open_document(path)
    except MediaError as error:
        theirs = subprocess.run(["pdftotext", "-l", "1", path, "-"], capture_output=True, check=False).returncode == 0
        return [f"refused ({_reason(error)}); poppler {'opens it' if theirs else 'refuses it too'}"]
    with document:
        chosen = sorted({0, len(document) // 2, len(document) - 1})[:PAGES]
        return [result for number in chosen for result in _pdf_page(document, path, number)]


def _pdf_page(document: object, path: Path, number: int) -> list[str]:
    try:
        drawn = document.page(number, dpi=150, max_pixels=MAX_PIXELS)
        seen = document.words(number, drawn)
        small = document.page(number, dpi=72, max_pixels=4_000_000)
    except MediaError as error:
        return [f"page refused ({_reason(error)})"]
    if small.notes:
        return ["page drawn, too large to compare"]
    page = ["-f", str(number + 1), "-l", str(number + 1)]
    made = subprocess.run(["pdftoppm", "-r", "72", "-cropbox", *page, path], capture_output=True, check=False).stdout
    if not made:
        return ["page drawn, and not by poppler"]
    theirs = Image.open(io.BytesIO(made)).convert("L")
    if max(abs(a - b) for a, b in zip(theirs.size, small.size, strict=True)) > 1:
        return ["page of another size than poppler's"]
    theirs = theirs.resize(small.size)
    looks = _looks(small.image.convert("L"), theirs)
    text = subprocess.run(["pdftotext", "-cropbox", *page, path, "-"], capture_output=True, check=False).stdout
    a, b = Counter(_letters(word.text for word in seen)), Counter(_letters([text.decode(errors="replace")]))
    if not a and not b:
        return [looks, "no words in either"]
    share = 2 * sum((a & b).values()) / (sum(a.values()) + sum(b.values()))
    if share >= 0.98:
        return [looks, "the same letters"]
    more = "fewer letters than poppler" if sum(a.values()) < sum(b.values()) else "more letters than poppler"
    return [looks, more + (" (no visible text: a scan with a hidden layer)" if not a else "")]


def _looks(ours: Image.Image, theirs: Image.Image) -> str:
    """How two grey pages compare, at 72 dpi and at 9, where the smoothing of scans and thin lines is gone."""
    for size, say in ((ours.size, "page looks the same"), (None, "page looks the same at 9 dpi: smoothed otherwise")):
        size = size or (max(1, ours.width // 8), max(1, ours.height // 8))
        pair = [np.asarray(one.resize(size, Image.Resampling.BOX), np.int16) for one in (ours, theirs)]
        if np.abs(pair[0] - pair[1]).mean() < 8:
            return say
    return f"page looks different: ours is {pair[0].mean() - pair[1].mean():+.0f} levels brighter"


def _letters(texts: object) -> Iterator[str]:
    return (letter for text in texts for letter in text if letter.isalnum())


def clip(path: Path) -> list[str]:
    """Beside FFmpeg's frames, decoded from the start without seeking."""
    try:
        ours = load_video(path, nframes=8, max_pixels=200_000)
    except MediaError as error:
        return [f"refused ({_reason(error)})"]
    height, width = ours.frames.shape[1:3]
    with av.open(str(path)) as container:
        stream = max(
            container.streams.video, key=lambda s: (s.codec_context.width or 0) * (s.codec_context.height or 0)
        )
        frames = list(container.decode(stream))
        if any(frame.pts is None for frame in frames):
            return ["no times to compare by"]
        times = np.array([float(frame.pts * stream.time_base) for frame in frames])
        times.sort()  # FFmpeg gives frames in the order they are shown, and in AVI makes up times that may not be
        scaler, worst = FrameScaler((width, height), 0), 0.0
        for second, pixels in zip(ours.times, ours.frames, strict=True):
            at = second - ours.times[0]
            number = int(np.abs(times - times[0] - at).argmin())
            worst = max(worst, float(np.abs(scaler(frames[number]).astype(np.int16) - pixels).mean()))
    return ["the same frames" if worst < 1 else "other frames"]


def page(path: Path) -> list[str]:
    """Beside the source: how many of its words are kept."""
    from lxml import html

    data = path.read_bytes()
    try:
        ours = read_page(data)
    except DataError as error:
        return [f"refused ({_reason(error)})"]
    root = html.document_fromstring(data)
    for dropped in root.xpath("//script|//style|//head|//noscript|//template"):
        dropped.drop_tree()
    said = " ".join(" ".join(block.text.split()) for block in ours.blocks if isinstance(block, Words))
    a, b = len(re.findall(r"\w+", said)), len(re.findall(r"\w+", root.text_content()))
    if not b:
        return ["no words in the source"]
    share = a / b
    for least in (0.95, 0.8, 0.5):
        if share >= least:
            return [f"at least {least:.0%} of the words"]
    return ["under half of the words"]


def archive(path: Path) -> list[str]:
    """Beside warcio: every HTML page of status 200 that the archive holds."""
    from warcio.archiveiterator import ArchiveIterator

    try:
        with path.open("rb") as stream:
            pages = sum(
                record.rec_type == "response" and "html" in (record.http_headers.get_header("Content-Type") or "")
                for record in ArchiveIterator(stream)
                if record.http_headers
            )
    except Exception:
        pages = -1
    try:
        return [f"{'the same number of' if len(WarcSource(str(path)).rows) == pages else 'other'} pages"]
    except DataError as error:
        return [f"refused ({_reason(error)}); warcio finds {max(pages, 0)} pages"]


def _reason(error: Exception) -> str:
    text = re.sub(r"^\S+ |\d[\d,.x]*|b'.*?'|\(.*?\)", "", str(error))
    return " ".join(text.split())[:60]


READERS: dict[str, Callable[[Path], list[str]]] = {
    "picture": picture, "pdf": pdf, "clip": clip, "page": page, "archive": archive
}  # fmt: skip


def in_a_process(reader: Callable[[Path], list[str]], path: Path) -> tuple[list[str], int]:
    """What the reader says, and the peak memory of the process that ran it, in bytes."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        warnings.simplefilter("ignore")
        try:
            found = reader(path)
        except Exception as error:
            found = [f"ESCAPED {type(error).__name__}: {str(error)[:60]}"]
        os.write(write, pickle.dumps(found))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    _, status, usage = os.wait4(child, 0)
    return (pickle.loads(data) if data else [f"ENDED by signal {status & 127}"]), usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="packages are kept here")
    parser.add_argument("--most", type=int, default=1000, help="files of one kind and package")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--report", type=Path, help="write the table here as well")
    options = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    examples: dict[tuple[str, str], str] = {}
    files: Counter[str] = Counter()
    peaks: dict[str, tuple[int, str]] = dict.fromkeys(KINDS, (0, ""))
    began = time.monotonic()
    for folder in fetch_all(options.cache):
        everything = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        for kind in options.kinds:
            endings = KINDS[kind]
            for path in [path for path in everything if path.name.lower().endswith(endings)][: options.most]:
                results, peak = in_a_process(READERS[kind], path)
                files[kind] += 1
                peaks[kind] = max(peaks[kind], (peak, f"{folder.name}: {path.name}"))
                for result in results:
                    counts[kind][result] += 1
                    examples.setdefault((kind, result), f"{folder.name}: {path.name}")
    lines = [f"{sum(files.values()):,} files in {time.monotonic() - began:.0f} s: {dict(files)}", ""]
    lines += [f"peak memory, {kind}: {size / 2**20:.0f} MiB ({name})" for kind, (size, name) in peaks.items() if size]
    lines += ["", "| kind | outcome | count | for example |", "|---|---|---|---|"]
    for kind, found in counts.items():
        lines += [f"| {kind} | {what} | {n} | {examples[kind, what]} |" for what, n in found.most_common()]
    print("\n".join(lines))
    if options.report:
        options.report.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
