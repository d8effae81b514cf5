"""WebDataset tars of others: files of one key make a row, such as `0001.jpg` with `0001.txt` or `0001.json`."""

import json
import tarfile
from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.data.sources.fields import DESCRIBE, sample_of_fields
from viewfinder.data.sources.folder import PICTURES, list_files
from viewfinder.data.sources.rows import RowSource
from viewfinder.errors import DataError

_Member = tuple[str, int, int]


class WebDatasetSource(RowSource):
    """A tar, or all tars below a folder. Each is scanned once for where its files lie; rows are read in any order."""

    name = "webdataset"

    def __init__(self, path: str, prompt: str = DESCRIBE, **about: Any) -> None:
        files = list_files(Path(path), (".tar",))
        if not files:
            raise DataError(f"{path} holds no tar; give a file or a folder of them")
        self.prompt = prompt
        super().__init__([row for file in files for row in _scan(file)], **about)

    def make(self, row: tuple[str, str, dict[str, _Member]], number: int) -> Sample:
        path, key, members = row
        fields: dict[str, Any] = {"id": key}
        pictures: list[tuple[str, bytes]] = []
        with Path(path).open("rb") as file:
            for suffix, (_, offset, size) in members.items():
                file.seek(offset)
                data = file.read(size)
                last = "." + suffix.rpartition(".")[2]
                if last in PICTURES:
                    pictures.append((suffix, data))
                elif last == ".json":
                    fields |= json.loads(data)
                elif last in (".txt", ".text", ".caption"):
                    fields["caption"] = data.decode("utf-8")
        fields["images"] = [data for _, data in sorted(pictures)]
        fields.pop("image", None)
        return sample_of_fields(fields, None, self.prompt)

    def describe(self, number: int) -> str:
        path, key, _ = self.rows[number]
        return f"{Path(path).name} {key}"


def _scan(file: Path) -> list[tuple[str, str, dict[str, _Member]]]:
    """(tar, key, files by suffix) of each key; the key is the name up to the first dot, as WebDataset has it."""
    rows: dict[str, dict[str, _Member]] = {}
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                if member.isfile():
                    folder, _, name = member.name.rpartition("/")
                    key, _, suffix = name.partition(".")
                    rows.setdefault(f"{folder}/{key}" if folder else key, {})[suffix.lower()] = (
                        member.name, member.offset_data, member.size)  # fmt: skip
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{file} is no plain tar ({error}); unpack compressed ones first") from error
    return [(str(file), key, members) for key, members in rows.items()]
