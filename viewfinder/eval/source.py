"""Official data, where they lie and in which files: a local folder or a snapshot of the hub, in one layout.

Rows come as dictionaries from Parquet, JSON, JSON lines, TSV and CSV, whatever the suffix; media are bytes of a
row, or files that may also stand inside zip archives of the folder. Knows no benchmark.
"""

import base64
import csv
import glob
import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from viewfinder.errors import EvaluationError
from viewfinder.outputs.json_lines import read_text, read_values

_MOST_BYTES = 2 << 30
"""Of one file in an archive: longer than any clip of the benchmarks. zipfile writes no more than is declared."""


@dataclass(frozen=True)
class Data:
    """A data set of the hub: `repo` (owner/name), the files needed (`files`, glob patterns), and its license."""

    repo: str
    files: tuple[str, ...]
    license: str = ""
    revision: str = "main"

    def open(self, folder: Path | None) -> "Files":
        """The files in `folder`, laid out as the repository is; fetched from the hub when None.

        Raises:
            EvaluationError: no such folder, or the hub cannot be reached.
        """
        if folder is not None:
            if not folder.is_dir():
                raise EvaluationError(f"{folder} is no folder; download {self.repo} (a data set of the hub) into one")
            return Files(folder, self.repo)
        from huggingface_hub import snapshot_download

        try:
            root = snapshot_download(
                self.repo, repo_type="dataset", revision=self.revision, allow_patterns=list(self.files)
            )
        except Exception as error:  # the hub client raises many unrelated kinds
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            raise EvaluationError(
                f"{self.repo} could not be fetched from the hub ({reason}); check the connection, or download it and "
                "name its folder with --data"
            ) from error
        return Files(Path(root), self.repo)


class Files:
    """A folder of official data."""

    def __init__(self, root: Path, name: str = "") -> None:
        self.root = root
        self.name = name or str(root)

    def rows(self, *patterns: str) -> Iterator[dict[str, Any]]:
        """Rows of all files that match, files in order of name.

        Raises:
            EvaluationError: nothing matches, or a file is not what its suffix says.
        """
        for path in self.find(*patterns):
            try:
                yield from _READERS[path.suffix](path)
            except (ValueError, KeyError, OSError) as error:
                raise EvaluationError(
                    f"{path} cannot be read as {path.suffix[1:]} ({error}); fetch it again"
                ) from error

    def find(self, *patterns: str) -> list[Path]:
        """Files that match, in order of name."""
        found = sorted({path for pattern in patterns for path in self.root.glob(pattern) if path.is_file()})
        if not found:
            raise EvaluationError(
                f"{self.root} has no {' or '.join(patterns)}; it should be laid out as {self.name} on the hub is"
            )
        return found

    def media(self, name: str, *folders: str, any_suffix: bool = False) -> str:
        """Path of a picture or clip by its name in the data, looked for in the folder, in `folders` (globs)
        below it, and in zip archives, from which it is unpacked; with `any_suffix` the name is that of a loose file
        whose suffix the data does not say.

        Raises:
            EvaluationError: it is nowhere.
        """
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise EvaluationError(f"the data name {name!r}, which is not below {self.root}; fetch the data again")
        pattern = glob.escape(name) + ("*" if any_suffix else "")
        for folder in ("", *folders):
            found = sorted(self.root.glob(f"{folder}/{pattern}" if folder else pattern))
            if found:
                return str(found[0])
        archive = self._archived.get(name) or self._archived.get(Path(name).name)
        if archive is None:
            raise EvaluationError(f"{self.root} holds no {name}, loose or in a zip; get the media of {self.name} too")
        target = self.root / ".unpacked" / archive[0].stem
        with zipfile.ZipFile(archive[0]) as zipped:
            if (size := zipped.getinfo(archive[1]).file_size) > _MOST_BYTES:
                raise EvaluationError(
                    f"{archive[0]} holds {name} of {size:,} bytes, over {_MOST_BYTES:,}; unpack it by hand"
                )
            return zipped.extract(archive[1], target)  # zipfile strips what would leave the target

    @cached_property
    def _archived(self) -> dict[str, tuple[Path, str]]:
        members: dict[str, tuple[Path, str]] = {}
        for path in sorted(self.root.rglob("*.zip")):
            with zipfile.ZipFile(path) as zipped:
                for member in zipped.namelist():
                    members.setdefault(member, (path, member))
                    members.setdefault(Path(member).name, (path, member))
        return members


def picture(value: Any) -> Any:
    """The bytes (or path) of a picture as data sets store it: `{"bytes", "path"}`, base64, bytes, or a path."""
    if isinstance(value, dict):
        return value.get("bytes") or value.get("path")
    if isinstance(value, str) and len(value) > 256:
        return base64.b64decode(value)
    return value


def require(row: dict[str, Any], *names: str) -> None:
    """Stop where a row lacks columns of the official schema."""
    missing = [name for name in names if name not in row]
    if missing:
        raise EvaluationError(f"a row lacks {', '.join(missing)} and has {', '.join(row)}; is this the official data?")


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq  # slow to import, and an extra

    for batch in pq.ParquetFile(path).iter_batches(batch_size=16):
        yield from batch.to_pylist()


def _json(path: Path) -> Iterator[dict[str, Any]]:
    content = json.loads(read_text(path))
    yield from content if isinstance(content, list) else [content]


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    yield from read_values(path)


def _table(path: Path) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines, delimiter="\t" if path.suffix == ".tsv" else ",")


_READERS = {".parquet": _parquet, ".json": _json, ".jsonl": _json_lines, ".tsv": _table, ".csv": _table}
