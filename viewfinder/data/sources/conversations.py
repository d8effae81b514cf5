"""Files of rows for fine-tuning: a JSON list or one row a line, in any layout of `fields`.

    [{"image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat is this?"},
                                          {"from": "gpt", "value": "A cat."}]}]

Places in turns are pixels of the original picture unless the file's are those of the resized one.
"""

from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.data.sources.fields import RowReader, check_pictures
from viewfinder.data.sources.keys import read_json, read_object
from viewfinder.data.sources.rows import RowSource
from viewfinder.errors import DataError
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

    def describe(self, number: int) -> str:
        return f"row {number + 1} of {self.path.name}"


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
