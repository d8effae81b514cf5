"""Several sets as one stream by weights, resumable at any position without having kept anything.

Which set gives sample k depends on the seed and k alone, and how often each was chosen before k is counted
anew in a fraction of a second per ten million. A set that ends begins again, newly shuffled.

    {"seed": 0, "stages": {"pretrain": {"shards/pages": 2, "shards/text": 1}, "sft": {...}}}
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viewfinder.data.sample import Sample
from viewfinder.data.shards import ShardReader
from viewfinder.errors import DataError
from viewfinder.storage.atomic import write_whole

_BLOCK = 4096
SPEC_FORMAT = "viewfinder-mixture"


class Mixture:
    """Sets and weights (by samples). `samples(start=k)` continues exactly where k samples were taken."""

    def __init__(self, weights: Mapping[str, float], seed: int = 0, root: str | Path = ".") -> None:
        """Open the sets.

        Args:
            weights: of each set's directory, relative to `root`; any positive numbers.
            seed: of the choices and of every shuffle.

        Raises:
            DataError: no sets, a weight that is not positive, an empty set, or one that is not finished.
        """
        if not weights or min(weights.values()) <= 0:
            raise DataError(
                f"a mixture needs sets with positive weights, found {dict(weights)}; leave out what weighs nothing"
            )
        self.names = tuple(weights)
        self.readers = tuple(ShardReader(Path(root) / name) for name in self.names)
        for name, reader in zip(self.names, self.readers, strict=True):
            if not len(reader):
                raise DataError(f"{name} holds no samples, so it cannot be mixed in; leave it out")
        shares = np.array(list(weights.values()), float)
        self.shares: NDArray[np.float64] = shares / shares.sum()
        self.seed = seed

    def choices(self, block: int) -> NDArray[np.int64]:
        """Which set gives each of the samples of one block of 4,096."""
        draws = np.random.default_rng((self.seed, block)).random(_BLOCK)
        return np.searchsorted(np.cumsum(self.shares)[:-1], draws, side="right")

    def positions(self, start: int) -> list[int]:
        """How many samples of each set come before `start`."""
        counts = np.zeros(len(self.names), np.int64)
        for block in range(start // _BLOCK):
            counts += np.bincount(self.choices(block), minlength=len(counts))
        rest = self.choices(start // _BLOCK)[: start % _BLOCK]
        return (counts + np.bincount(rest, minlength=len(counts))).tolist()

    def samples(self, start: int = 0) -> Iterator[Sample]:
        """Samples `start`, `start + 1`, ... without end."""
        streams = [
            reader.samples(position, seed=self.seed * 1000 + i, epochs=None)
            for i, (reader, position) in enumerate(zip(self.readers, self.positions(start), strict=True))
        ]
        block, at = divmod(start, _BLOCK)
        while True:
            for choice in self.choices(block)[at:]:
                yield next(streams[choice])
            block, at = block + 1, 0


def write_mixture(path: Path, stages: Mapping[str, Mapping[str, float]], seed: int = 0) -> None:
    """Keep weights by stage as a file, sets named relative to it."""
    content = {"format": SPEC_FORMAT, "seed": seed, "stages": {stage: dict(w) for stage, w in stages.items()}}
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def open_mixture(path: str | Path, stage: str | None = None) -> Mixture:
    """The mixture of one stage of a file (its only stage when none is named).

    Raises:
        DataError: not such a file, or no such stage.
    """
    path = Path(path)
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as a mixture ({error}); write one with `viewfinder data mix`"
        ) from error
    stages = content.get("stages", {}) if content.get("format") == SPEC_FORMAT else {}
    if stage is None and len(stages) == 1:
        stage = next(iter(stages))
    if stage not in stages:
        raise DataError(f"{path} has the stages {', '.join(stages) or 'none'}, not {stage!r}; name one of them")
    return Mixture(stages[stage], content.get("seed", 0), path.parent)
