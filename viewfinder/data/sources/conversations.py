"""Files of rows for fine-tuning: a JSON list or one row a line, in any layout of `fields`.

    [{"image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat is this?"},
                                          {"from": "gpt", "value": "A cat."}]}]

Places in turns are pixels of the original picture unless the file's are those of the resized one.
"""

from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.data.sources.fields import DESCRIBE, RowReader, check_pictures
from viewfinder.data.sources.keys import read_json, read_object
from viewfinder.data.sources.rows import RowSource
from viewfinder.errors import DataError
from viewfinder.media.image import IMAGE_SUFFIXES
from viewfinder.outputs.json_lines import read_lines, read_text


class ConversationSource(RowSource):
    """A file of conversations, media relative to it (or to `media`).

    Args:
        coordinates: "original" or "model": which pixels places are in.
        task: of every row without one of its own.
        ignore: keys that are left out on purpose, as "score,license".
    """

    name = "conversations"

    def __init__(
        self,
        path: str,
        media: str | None = None,
        coordinates: str = "original",
        task: str = "chat",
        ignore: str = "",
        **about: Any,
    ) -> None:
        super().__init__(read_rows(path), **about)
        self.path = Path(path)
        self.reader = RowReader(Path(media or self.path.parent), coordinates, task, "", self.language, ignore)

    def make(self, row: Any, number: int) -> Sample:
        return check_pictures(self.reader(read_object(row)))


def read_rows(path: str | Path) -> list[Any]:
    """The rows of a `.json` list, or the lines of a `.jsonl` as they stand.

    Raises:
        DataError: no such file, or not of that form.
    """
    path = Path(path)
    try:
        rows = read_lines(path) if path.suffix == ".jsonl" else read_json(read_text(path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no file of conversations ({error}); give a JSON list or JSON lines") from error
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path} holds no rows; expected a list of objects with 'conversations' or 'messages'")
    return rows  # pyright: ignore[reportUnknownVariableType]


PICTURES = tuple(sorted(IMAGE_SUFFIXES))


class FolderSource(RowSource):
    """Every picture below a folder, in order of path; one without a caption is set aside."""

    name = "folder"

    def __init__(self, path: str, prompt: str = DESCRIBE, ignore: str = "", **about: Any) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise DataError(f"{path} is no folder; give the folder of pictures")
        super().__init__(self._list(), **about)
        self.reader = RowReader(self.path, "original", "chat", prompt, self.language, ignore)

    def _list(self) -> list[Any]:
        metadata, captions = self.path / "metadata.jsonl", self.path / "captions.json"
        if metadata.is_file():
            return read_lines(metadata)
        if captions.is_file():
            named = read_json(read_text(captions))
            return [{"file_name": name, "caption": caption} for name, caption in sorted(named.items())]
        found = list_files(self.path, PICTURES)
        if not found:
            raise DataError(f"{self.path} holds no pictures ({', '.join(PICTURES)}); give another folder")
        return [str(path.relative_to(self.path)) for path in found]

    def make(self, row: Any, number: int) -> Sample:
        if isinstance(row, str) and not row.lstrip().startswith("{"):
            words = (self.path / row).with_suffix(".txt")
            if not words.is_file():
                raise DataError(f"{row} has no caption; write it to {words.name}, or all to metadata.jsonl")
            row = {"file_name": row, "caption": read_text(words)}
        return check_pictures(self.reader(read_object(row)))

    def describe(self, number: int) -> str:
        row = self.rows[number]
        if isinstance(row, str) and not row.lstrip().startswith("{"):
            return row
        return row["file_name"] if isinstance(row, dict) else f"row {number + 1} of metadata.jsonl"


def list_files(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The file itself, or all files of these suffixes below a folder, in order of path."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes and file.is_file())
