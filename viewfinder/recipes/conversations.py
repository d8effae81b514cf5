"""Fine-tuning files as people have them, as rows of training; what a row may be is in `data.sources.conversations`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viewfinder.data.sources.conversations import read_rows
from viewfinder.data.sources.fields import RowReader
from viewfinder.data.sources.keys import read_object
from viewfinder.train.dataloader import Row


@dataclass(frozen=True)
class ConversationFile:
    """Rows of one file, each read only when it is asked for.

    Attributes:
        path: of the file, named in reports of bad rows.
        rows: as they stand there.
        reader: of a row.
    """

    path: Path
    rows: Sequence[Any]
    reader: RowReader

    @classmethod
    def open(cls, path: str | Path, media: str | Path | None = None, **options: str) -> "ConversationFile":
        """Read a `.json` list or a `.jsonl`.

        Raises:
            DataError: no such file, or not of that form.
        """
        path = Path(path)
        return cls(path, read_rows(path), RowReader(Path(media) if media else path.parent, **options))

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> Row:
        return Row(f"row {index + 1} of {self.path.name}", lambda: self.reader(read_object(self.rows[index])))
