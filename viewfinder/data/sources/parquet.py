"""Rows of parquet files, with pictures as bytes or paths (the layout that Hugging Face data sets have)."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.data.sources.conversations import list_files
from viewfinder.data.sources.fields import DESCRIBE, RowReader, check_pictures
from viewfinder.data.sources.rows import RowSource
from viewfinder.errors import DataError


class ParquetSource(RowSource):
    """A file, or all `.parquet` below a folder; row groups are read as they are needed.

    Args:
        columns: other names of fields, as "caption=TEXT,image=picture".
        prompt: the user's words before a caption.
        ignore: columns that are left out on purpose, as "score,license".
        coordinates: "original" or "model": which pixels places are in.
    """

    name = "parquet"

    def __init__(
        self,
        path: str,
        columns: str = "",
        prompt: str = DESCRIBE,
        ignore: str = "",
        coordinates: str = "original",
        **about: Any,
    ) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = Path(path)
        self.columns = dict(pair.split("=", 1) for pair in columns.split(",") if pair)
        rows: list[tuple[str, int, int]] = []
        for file in list_files(self.path, (".parquet",)):
            try:
                groups = pq.ParquetFile(file).metadata
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"{file} is no parquet file ({error})") from error
            for group in range(groups.num_row_groups):
                rows += [(str(file), group, i) for i in range(groups.row_group(group).num_rows)]
        if not rows:
            raise DataError(f"{path} holds no parquet rows; give a file or a folder of them")
        super().__init__(rows, **about)
        folder = self.path if self.path.is_dir() else self.path.parent
        self.reader = RowReader(folder, coordinates, "chat", prompt, self.language, ignore)

    def make(self, row: tuple[str, int, int], number: int) -> Sample:
        path, group, index = row
        fields = _group(path, group).slice(index, 1).to_pylist()[0]
        for ours, theirs in self.columns.items():
            if theirs not in fields:
                raise DataError(f"there is no column {theirs!r} for {ours!r}; columns are {', '.join(fields)}")
            fields[ours] = fields.pop(theirs)
        return check_pictures(self.reader(fields))

    def describe(self, number: int) -> str:
        path, group, index = self.rows[number]
        return f"row {index + 1} of row group {group + 1} of {Path(path).name}"


@lru_cache(maxsize=2)
def _group(path: str, group: int) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read_row_group(group)
