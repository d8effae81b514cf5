"""Generated samples: kinds by weight, each row decided by the seed and its number alone."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.data.shards import ShardReader
from viewfinder.data.sources.rows import guarded
from viewfinder.data.synth.fonts import materials_name
from viewfinder.data.synth.kinds import Options, find_kind, make
from viewfinder.errors import DataError


class SynthSource:
    """`count` samples of the given kinds."""

    def __init__(
        self, kinds: Mapping[str, float], count: int, seed: int = 0, options: Mapping[str, Any] | None = None
    ) -> None:
        """Check the kinds.

        Raises:
            DataError: a kind or option that does not exist, or weights that are not positive.
            MissingMaterial: what a kind needs is not on this machine.
        """
        if not kinds or min(kinds.values()) <= 0:
            raise DataError(f"kinds need positive weights, found {dict(kinds)}; leave out what weighs nothing")
        given = dict(options or {})
        for key in ("languages", "objects", "fonts"):
            given[key] = tuple(given.get(key) or ())
        self.kinds, self.count, self.seed = dict(sorted(kinds.items())), count, seed
        self.options = Options(**given)
        for name in kinds:
            find_kind(name).check(self.options)
        self.materials = materials_name(self.options.fonts)
        names, weights = list(self.kinds), list(self.kinds.values())
        self._names, self._edges = names, np.cumsum(weights) / sum(weights)

    def __len__(self) -> int:
        return self.count

    def read(self, start: int, stop: int) -> Iterator[Sample | Bad]:
        for row in range(start, stop):
            name = self.kind_of(row)
            yield guarded(partial(make, name, self.seed, row, self.options), partial("{} {}".format, name, row))

    def kind_of(self, row: int) -> str:
        """The kind that a row is of."""
        draw = np.random.default_rng((self.seed, row)).random()
        return self._names[min(int(np.searchsorted(self._edges, draw, side="right")), len(self._names) - 1)]

    def check_result(self, ids: Iterable[str]) -> None:
        """See that each kind that had rows gave samples.

        Args:
            ids: of the samples that were made.

        Raises:
            DataError: a kind gave none.
        """
        made = {id.rsplit("-", 2)[0] for id in ids}
        for name in self.kinds:
            if name not in made and any(self.kind_of(row) == name for row in range(self.count)):
                raise DataError(
                    f"no sample of the kind {name!r} came through, so the set would be without it; quarantine.jsonl in "
                    "its folder says why each row was set aside; change the options, or leave the kind out"
                )


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
