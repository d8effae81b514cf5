"""What a run says about itself: averages over steps and ranks, `metrics.jsonl`, TensorBoard, one line a while."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch.distributed as dist

from viewfinder.outputs.json_lines import append_values, read_kept
from viewfinder.train.learner import Metrics
from viewfinder.train.ranks import Ranks


class Meter:
    """Adds up sums and what they are sums over."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}

    def add(self, name: str, value: float, weight: float = 1.0) -> None:
        entry = self._sums.setdefault(name, [0.0, 0.0])
        entry[0] += value
        entry[1] += weight

    def add_all(self, metrics: Metrics) -> None:
        for name, (value, weight) in metrics.items():
            self.add(name, float(value), weight)

    def take_totals(self, names: tuple[str, ...]) -> dict[str, float]:
        """Plain sums over all ranks of some names, which are then no longer among the averages."""
        sums = [self._sums.pop(name, [0.0])[0] for name in names]
        if dist.is_initialized() and dist.get_world_size() > 1:
            parts: list[list[float]] = [[] for _ in range(dist.get_world_size())]
            dist.all_gather_object(parts, sums)
            sums = [sum(column) for column in zip(*parts, strict=True)]
        return dict(zip(names, sums, strict=True))

    def means(self) -> dict[str, float]:
        """Averages over all ranks, and an empty meter."""
        parts = [self._sums]
        if dist.is_initialized() and dist.get_world_size() > 1:
            parts = [{} for _ in range(dist.get_world_size())]
            dist.all_gather_object(parts, self._sums)
        total: dict[str, list[float]] = {}
        for part in parts:
            for name, (value, weight) in part.items():
                entry = total.setdefault(name, [0.0, 0.0])
                entry[0] += value
                entry[1] += weight
        self._sums = {}
        return {name: value / weight for name, (value, weight) in total.items() if weight}


class Journal:
    """The files of one run. Rows after `step` (of a killed run) are cut off.

    Figures are written by the first rank. Rows of data that were refused are written by the rank that found them:
    `quarantine.jsonl`, and `quarantine-1.jsonl` for data rank 1.
    """

    def __init__(self, out: Path, step: int, ranks: Ranks) -> None:
        self.path = out / "metrics.jsonl"
        number = f"-{ranks.data_rank}" if ranks.data_rank else ""
        self._quarantine = out / f"quarantine{number}.jsonl" if ranks.rank % ranks.tensor == 0 else None
        self._writes = ranks.rank == 0
        self._board: Any = None
        if self._writes:
            _cut(self.path, step + 1)
            self._board = _open_board(out / "tensorboard", step)
        if self._quarantine is not None:
            _cut(self._quarantine, step)  # steps are counted from 0 while they are made

    def write(self, row: Mapping[str, float]) -> None:
        if not self._writes:
            return
        append_values(self.path, [{k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}])
        if self._board is not None:
            for name, value in row.items():
                if name != "step":
                    self._board.add_scalar(name, value, int(row["step"]))
            self._board.flush()

    def refuse(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows that were left out: step, row and reason."""
        if rows and self._quarantine is not None:
            append_values(self._quarantine, rows)

    def picture(self, name: str, image: Any, text: str, step: int) -> None:
        """A sample picture (PIL) with words, for TensorBoard."""
        if self._board is None:
            return
        import numpy as np

        self._board.add_image(name, np.asarray(image.convert("RGB")), step, dataformats="HWC")
        self._board.add_text(name, text, step)

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


def _cut(path: Path, step: int) -> None:
    """Keep the rows before `step`."""
    if path.exists():
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        append_values(partial, [row for row in read_kept(path) if row["step"] < step])
        partial.replace(path)


def _open_board(directory: Path, step: int) -> Any:
    try:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an extra: metrics.jsonl holds everything it would show but the pictures
        return None
    return SummaryWriter(str(directory), purge_step=step + 1)


def progress_line(row: Mapping[str, float]) -> str:
    """What the terminal shows of a row."""
    shown = {k: v for k, v in row.items() if "dense/" not in k}
    return "  ".join(f"{k.removeprefix('accuracy/')} {v:.3g}" for k, v in shown.items())
