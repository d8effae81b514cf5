"""WebDataset tars of others: files of one key make a row, such as `0001.jpg` with `0001.txt` or `0001.json`.

The key is the name up to the first dot, as WebDataset has it, so `22.05.png` has the key `22` and the suffix `05.png`.
A picture is the one file `KEY.png` (jpg, ...); `images="left.png,right.png"` names others, in their order. A suffix
that is not read (`seg.png`, `cls`) and a name that stands twice are refused, or left out where `ignore` names them.
The name of a picture inside the JSON is the one it had before it was packed.
"""

import tarfile
from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.data.sources.conversations import PICTURES, list_files
from viewfinder.data.sources.fields import DESCRIBE, RowReader, check_pictures
from viewfinder.data.sources.keys import listed, read_object
from viewfinder.data.sources.rows import RowSource
from viewfinder.errors import DataError

_Member = tuple[str, int, int]
_TEXTS = ("txt", "text", "caption")
_CLIPS = ("mp4", "mkv", "webm", "mov", "avi")


class WebDatasetSource(RowSource):
    """A tar, or all tars below a folder. Each is scanned once for where its files lie; rows are read in any order.

    Args:
        prompt: the user's words before a caption.
        images: suffixes of pictures beside the plain ones, as "left.png,right.png".
        ignore: suffixes and keys of the JSON that are left out on purpose, as "seg.png,cls,score".
    """

    name = "webdataset"

    def __init__(self, path: str, prompt: str = DESCRIBE, images: str = "", ignore: str = "", **about: Any) -> None:
        files = list_files(Path(path), (".tar",))
        if not files:
            raise DataError(f"{path} holds no tar; give a file or a folder of them")
        super().__init__([row for file in files for row in _scan(file)], **about)
        self.images, self.ignore = [name.strip() for name in images.split(",") if name.strip()], listed(ignore)
        self.reader = RowReader(None, "original", "chat", prompt, self.language, ignore)

    def make(self, row: tuple[str, str, dict[str, list[_Member]]], number: int) -> Sample:
        path, key, members = row
        fields: dict[str, Any] = {}
        captions: list[str] = []
        found: dict[str, list[bytes]] = {"images": [], "videos": []}
        with open(path, "rb") as file:  # noqa: PTH123 - a Path for each row takes a twentieth of the time
            for suffix in self._in_order(members):
                name, offset, size = members[suffix][0]
                if len(members[suffix]) > 1:
                    raise DataError(f"{name} stands {len(members[suffix])} times in the tar; keep one")
                file.seek(offset)
                data = file.read(size)
                if suffix == "json":
                    fields = read_object(data.decode("utf-8-sig"))
                elif suffix in _TEXTS:
                    captions.append(data.decode("utf-8-sig").strip())
                elif suffix in _CLIPS:
                    found["videos"].append(data)
                elif suffix in self.images or f".{suffix}" in PICTURES:
                    found["images"].append(data)
                else:
                    raise DataError(
                        f"key {suffix!r} of {name} is not read (a key ends at the first dot of a name); rename the "
                        "file, name a picture in 'images', or what is not needed in 'ignore'"
                    )
        return check_pictures(self.reader(_joined(key, fields, captions, found)))

    def _in_order(self, members: dict[str, list[_Member]]) -> list[str]:
        """Suffixes that are read, pictures that `images` names in its order."""
        kept = [suffix for suffix in members if suffix not in self.ignore]
        order = {suffix: i for i, suffix in enumerate(self.images)}
        return sorted(kept, key=lambda suffix: (order.get(suffix, -1), suffix))

    def describe(self, number: int) -> str:
        path, key, _ = self.rows[number]
        return f"row {key} of {Path(path).name}"


def _joined(key: str, fields: dict[str, Any], captions: list[str], found: dict[str, list[bytes]]) -> dict[str, Any]:
    """One row of the JSON's fields, the captions and the media of a key.

    Raises:
        DataError: the JSON names more pictures than are there, or says another caption.
    """
    row = {"id": key, **fields}
    for kind, files in found.items():
        named = row.pop(kind, None) or row.pop(kind.removesuffix("s"), None)
        names = named if isinstance(named, list) else [named] if named else []
        if files and names and len(names) != len(files):
            raise DataError(f"key {kind!r} of the JSON names {len(names)} files and the tar holds {len(files)}")
        if not files and names:
            raise DataError(f"key {kind!r} of the JSON names {names[0]!r}, and the tar holds no such file for this row")
        row |= {kind: files} if files else {}
    said = [*captions, *([str(row.pop("caption")).strip()] if captions and isinstance(row.get("caption"), str) else [])]
    if len(set(said)) > 1:
        raise DataError(f"the row has {len(set(said))} captions that differ; keep one")
    return {**row, "caption": said[0]} if said else row


def _scan(file: Path) -> list[tuple[str, str, dict[str, list[_Member]]]]:
    """(tar, key, files by suffix) of each key."""
    rows: dict[str, dict[str, list[_Member]]] = {}
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                if member.isfile():
                    folder, _, name = member.name.rpartition("/")
                    key, _, suffix = name.partition(".")
                    files = rows.setdefault(f"{folder}/{key}" if folder else key, {})
                    files.setdefault(suffix.lower(), []).append((member.name, member.offset_data, member.size))
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{file} is no plain tar ({error}); unpack compressed ones first") from error
    return [(str(file), key, members) for key, members in rows.items()]
