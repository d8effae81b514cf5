"""Fine-tuning files as people have them, as rows of training; what a row may be is in `data.sources.conversations`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.data.sources.conversations import read_object, read_row, read_rows
from viewfinder.train.dataloader import Row


@dataclass(frozen=True)
class ConversationFile:
    """Rows of one file, each read only when it is asked for.

    Attributes:
        path: of the file, named in reports of bad rows.
        rows: as they stand there.
        media: folder of relative paths.
        coordinates: "original" or "model": which pixels answers name places in.
        task: of every row without one of its own.
    """

    path: Path
    rows: Sequence[Any]
    media: Path
    coordinates: str = "original"
    task: str = "chat"

    @classmethod
    def open(cls, path: str | Path, media: str | Path | None = None, **options: Any) -> "ConversationFile":
        """Read a `.json` list or a `.jsonl`.

        Raises:
            DataError: no such file, or not of that form.
        """
        path = Path(path)
        rows = read_rows(path)
        return cls(path, rows, Path(media) if media else path.parent, **options)

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> Row:
        return Row(f"{self.path.name} row {index + 1}", lambda: self._sample(index))

    def _sample(self, index: int) -> Sample:
        return read_row(read_object(self.rows[index]), self.media, self.coordinates, self.task)
