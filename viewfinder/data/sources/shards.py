"""A set that was written before, as a source again: to filter, mix or measure it."""

from collections.abc import Iterator

from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.data.shards import ShardReader


class ShardSource:
    """Samples of a finished set in the order they were written."""

    def __init__(self, path: str) -> None:
        """Open the set; raises as `ShardReader` does."""
        self._reader = ShardReader(path)

    def __len__(self) -> int:
        return len(self._reader)

    def read(self, start: int, stop: int) -> Iterator[Sample | Bad]:
        for row in range(start, stop):
            yield self._reader[row]
