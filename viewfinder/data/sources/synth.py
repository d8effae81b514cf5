"""Generated samples: kinds by weight, each row decided by the seed and its number alone."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.data.sources.rows import guarded
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
        """
        if not kinds or min(kinds.values()) <= 0:
            raise DataError(f"kinds need positive weights, found {dict(kinds)}; leave out what weighs nothing")
        for name in kinds:
            find_kind(name)
        given = dict(options or {})
        for key in ("languages", "objects"):
            given[key] = tuple(given.get(key) or ())
        self.kinds, self.count, self.seed = dict(sorted(kinds.items())), count, seed
        self.options = Options(**given)

    def __len__(self) -> int:
        return self.count

    def read(self, start: int, stop: int) -> Iterator[Sample | Bad]:
        names = list(self.kinds)
        edges = np.cumsum(list(self.kinds.values())) / sum(self.kinds.values())
        for row in range(start, stop):
            draw = np.random.default_rng((self.seed, row)).random()
            name = names[min(int(np.searchsorted(edges, draw, side="right")), len(names) - 1)]
            yield guarded(lambda name=name, row=row: make(name, self.seed, row, self.options), f"{name} {row}")
