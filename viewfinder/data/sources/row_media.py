"""The pictures and clips of a row, and the marks in its turns that say where they stand.

Pictures are in `images`, `image`, `img`, `file_name`, `jpg`, `png` or `image_1`, `image_2`, ..., clips in `videos`,
`video` or `mp4`: a path, an address, bytes, or `{"bytes": ..., "path": ...}`, one or a list. A mark is `<image>`,
`<video>`, `<image 2>` (the second), or a part `{"type": "image"}`. Marks and files must match in number; without any
mark the files stand before the first question.
"""

import re
from pathlib import Path
from typing import Any

from viewfinder.data.sources.keys import Keys, absent
from viewfinder.errors import DataError
from viewfinder.messages import ImagePart, Part, TextPart, VideoPart

_KEYS = {
    "image": ("images", "image", "img", "file_name", "jpg", "jpeg", "png", "webp"),
    "video": ("videos", "video", "mp4"),
}
_WORSE = {kind: tuple(f"rejected_{name}" for name in names) for kind, names in _KEYS.items()}
_NUMBERED = re.compile(r"(?:rejected_)?image_(\d+)\Z")
_MARK = re.compile(
    r"<(?P<kind>image|video)>\n?|<\|vision_start\|><\|(?P<pad>image|video)_pad\|><\|vision_end\|>"
    r"|<\|?image[ _]?(?P<number>\d+)\|?>"
)
_FOREIGN = re.compile(
    r"<audio>|<ImageHere>|<\|image\|>|<\|(?:image|video)_pad\|>|<img>[^<\n]{0,300}</img>|\[IMG\]|<__media__>"
)


def picture_source(source: Any, folder: Path | None, key: str = "image") -> Any:
    """A medium as `load_image` and `load_video` take it, from bytes, a path, an address or `{"bytes", "path"}`.

    Args:
        folder: of relative paths; None where rows carry their bytes.

    Raises:
        DataError: nothing is there.
    """
    if isinstance(source, bytes) and source:
        return source
    if isinstance(source, dict):
        source = source.get("bytes") or source.get("path") or source.get("url")
    if source is None or source == "":
        raise DataError(f"key {key!r} is empty; give the medium's bytes or a path")
    if isinstance(source, bytes):
        return source
    if not isinstance(source, str):
        raise DataError(f"key {key!r} holds a {type(source).__name__}, expected a path, bytes, or a list of these")
    if "://" in source[:12] or source.startswith("data:"):
        return source
    if folder is None:
        raise DataError(f"key {key!r}: {source[:80]!r} is a path, and these rows carry their files; give its bytes")
    path = folder / source
    try:
        found = path.is_file()
    except OSError:  # a name too long for a file: base64 without its data: head
        found = False
    if not found:
        raise DataError(f"key {key!r}: {source[:80]!r} is missing: there is no {str(path)[:200]}")
    return str(path)


class RowMedia:
    """The files of one row, and which of them a conversation has placed.

    Args:
        keys: of the row; those of media are read.
        folder: of relative paths.
        prefix: "rejected_" for the files of the worse answer.
    """

    def __init__(self, keys: Keys, folder: Path | None, prefix: str = "") -> None:
        self.folder = folder
        self.files: dict[str, list[Part]] = {"image": [], "video": []}
        for kind, names in (_KEYS if not prefix else _WORSE).items():
            if key := keys.find(*names):
                value = keys.take(key)
                sources = value if isinstance(value, (list, tuple)) else (value,)
                self.files[kind] += [self.part(kind, source, key) for source in sources if not absent(source)]
        numbered = [key for key in keys.values if key.startswith(f"{prefix}image_") and _NUMBERED.match(key)]
        for key in sorted(numbered, key=lambda key: int(key.rpartition("_")[2])):
            self.files["image"].append(self.part("image", keys.take(key), key))
        self.restart()

    def __len__(self) -> int:
        return sum(map(len, self.files.values()))

    def restart(self) -> "RowMedia":
        """Nothing is placed: for another conversation about the same files."""
        self.marks, self.given = 0, 0
        self.left = {kind: list(range(len(files))) for kind, files in self.files.items()}
        return self

    def without_files(self) -> "RowMedia":
        """For turns that may show nothing."""
        return RowMedia(Keys({}), None)

    def part(self, kind: str, source: Any, key: str) -> Part:
        """A medium as a part."""
        if kind == "image":
            return ImagePart(image=picture_source(source, self.folder, key))
        if isinstance(source, list | tuple):
            raise DataError(f"key {key!r} holds a list of frames without their times; give a clip, or the pictures")
        return VideoPart(video=picture_source(source, self.folder, key))

    def place(self, kind: str, number: int | None = None) -> list[Part]:
        """The next file of a kind, or the one of a number from 0, where a mark stands."""
        self.marks += 1
        left = self.left[kind]
        if number is None and left:
            number = left[0]
        if number is None or (number not in left and not 0 <= number < len(self.files[kind])):
            return []  # counted, and told of in `finish`
        if number not in left:
            raise DataError(f"{kind} {number + 1} has two marks in the turns; give one for each file")
        left.remove(number)
        return [self.files[kind][number]]

    def parts_of(self, text: str) -> list[Part]:
        """Text and the media whose marks stand in it."""
        if "<" not in text and "[IMG]" not in text:
            return [TextPart(text=text)]
        if _FOREIGN.search(text) and (foreign := _FOREIGN.search(_MARK.sub("", text))):
            raise DataError(f"a turn holds {foreign[0][:60]!r}, which this program does not read; write <image> for it")
        parts: list[Part] = []
        at = 0
        for mark in _MARK.finditer(text):
            if text[at : mark.start()]:
                parts.append(TextPart(text=text[at : mark.start()]))
            number = int(mark["number"]) - 1 if mark["number"] else None
            parts += self.place(mark["kind"] or mark["pad"] or "image", number)
            at = mark.end()
        return [*parts, TextPart(text=text[at:])] if text[at:] or not parts else parts

    def finish(self) -> list[Part]:
        """All files, where the turns have no mark and the files stand before the first question; else none are left.

        Raises:
            DataError: marks and files do not match in number.
        """
        unplaced = sum(map(len, self.left.values()))
        if self.marks == len(self) and not unplaced:
            return []
        if self.marks or self.given:
            names = ", ".join(f"{len(files)} {kind} files" for kind, files in self.files.items() if files)
            raise DataError(
                f"the turns have {self.marks} <image> or <video> tags for {len(self)} files ({names or 'none'}"
                f"{f', and {self.given} in the turns themselves' if self.given else ''}); give one for each"
            )
        return [*self.files["image"], *self.files["video"]]


def has_marks(text: str) -> bool:
    """Whether a text has a mark of a medium."""
    return ("<" in text or "[IMG]" in text) and bool(_MARK.search(text) or _FOREIGN.search(text))
