"""What a run reports: averages over steps and ranks, `metrics.jsonl`, TensorBoard, a progress line, `report.html`."""

import base64
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import torch.distributed as dist
from PIL import Image

from viewfinder.outputs.json_lines import append_values, read_kept
from viewfinder.storage.atomic import replacing, write_whole
from viewfinder.storage.system_errors import read_json
from viewfinder.train.distributed import ParallelDims
from viewfinder.train.learner import Metrics


class Meter:
    """Accumulates sums and the numbers that they are sums over."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}
        self._peaks: dict[str, float] = {}

    def peak(self, name: str, value: float) -> None:
        """Keep the largest value."""
        self._peaks[name] = max(value, self._peaks.get(name, value))

    def add(self, name: str, value: float, weight: float = 1.0) -> None:
        entry = self._sums.setdefault(name, [0.0, 0.0])
        entry[0] += value
        entry[1] += weight

    def add_all(self, metrics: Metrics) -> None:
        for name, (value, weight) in metrics.items():
            self.add(name, float(value), weight)

    def take_totals(self, names: tuple[str, ...]) -> dict[str, float]:
        """Plain sums over all ranks of some names, which are removed from the averages."""
        sums = [self._sums.pop(name, [0.0])[0] for name in names]
        if dist.is_initialized() and dist.get_world_size() > 1:
            parts: list[list[float]] = [[] for _ in range(dist.get_world_size())]
            dist.all_gather_object(parts, sums)
            sums = [sum(column) for column in zip(*parts, strict=True)]
        return dict(zip(names, sums, strict=True))

    def means(self) -> dict[str, float]:
        """Averages (and largest values) over all ranks, and an empty meter."""
        parts = [(self._sums, self._peaks)]
        if dist.is_initialized() and dist.get_world_size() > 1:
            parts = [({}, {}) for _ in range(dist.get_world_size())]
            dist.all_gather_object(parts, (self._sums, self._peaks))
        total: dict[str, list[float]] = {}
        peaks: dict[str, float] = {}
        for sums, largest in parts:
            for name, (value, weight) in sums.items():
                entry = total.setdefault(name, [0.0, 0.0])
                entry[0] += value
                entry[1] += weight
            peaks |= {name: max(value, peaks.get(name, value)) for name, value in largest.items()}
        self._sums, self._peaks = {}, {}
        return {name: value / weight for name, (value, weight) in total.items() if weight} | peaks


class Journal:
    """The files of one run. Rows after `step` (of a killed run) are cut off.

    Figures are written by the first rank. Rows of data that were refused are written by the rank that found them:
    `quarantine.jsonl`, and `quarantine-1.jsonl` for data rank 1.
    """

    def __init__(self, out: Path, step: int, ranks: ParallelDims) -> None:
        self.path = out / "metrics.jsonl"
        number = f"-{ranks.data_rank}" if ranks.data_rank else ""
        self._quarantine = out / f"quarantine{number}.jsonl" if ranks.rank % ranks.tensor == 0 else None
        self._writes = ranks.rank == 0
        self._samples = out / "samples.jsonl"
        self._board: Any = None
        if self._writes:
            _cut(self.path, step + 1)
            _cut(self._samples, step + 1)
            self._board = _open_board(out / "tensorboard", step)
        if self._quarantine is not None:
            _cut(self._quarantine, step)  # steps are counted from 0 while they are made

    def write(self, row: Mapping[str, float]) -> None:
        if not self._writes:
            return
        append_values(self.path, [{k: _short(v) if isinstance(v, float) else v for k, v in row.items()}])
        if self._board is not None:
            for name, value in row.items():
                if name != "step":
                    self._board.add_scalar(name, value, int(row["step"]))
            self._board.flush()

    def refuse(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows that were left out: step, row and reason."""
        if rows and self._quarantine is not None:
            append_values(self._quarantine, rows)

    def sample(self, number: int, image: Image.Image, words: Mapping[str, str], step: int) -> None:
        """A held-out picture with its question, truth and the model's answer: for the report and TensorBoard."""
        if not self._writes:
            return
        append_values(self._samples, [{"step": step, "sample": number, "picture": _thumbnail(image), **words}])
        if self._board is None:
            return
        import numpy as np

        self._board.add_image(f"sample/{number}", np.asarray(image.convert("RGB")), step, dataformats="HWC")
        self._board.add_text(f"sample/{number}", "\n\n".join(f"{k}: {v}" for k, v in words.items()), step)

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


def _short(value: float) -> float:
    """Six places behind the point; numbers under a thousandth with four digits."""
    return round(value, 6) if abs(value) >= 1e-3 else float(f"{value:.4g}")


def _cut(path: Path, step: int) -> None:
    """Keep the rows before `step`."""
    if path.exists():
        with replacing(path) as partial:
            append_values(partial, [row for row in read_kept(path, "step") if row["step"] < step])


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
    """The line that the terminal shows of a row."""
    shown = {k: v for k, v in row.items() if "token_labels/" not in k}
    return "  ".join(f"{k.removeprefix('accuracy/')} {v:.3g}" for k, v in shown.items())


WIDTH, HEIGHT = 360, 150
_HIDDEN = ("step", "seconds")
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2em auto;padding:0 1em;color:#222}
figure{display:inline-block;margin:.5em;vertical-align:top}figcaption{font-size:13px;color:#555}
table{border-collapse:collapse}td{padding:.15em 1em .15em 0;border-bottom:1px solid #eee}
pre{background:#f6f6f6;padding:1em;overflow:auto;max-height:24em}svg{background:#fafafa}"""


def write_report(out: Path) -> Path:
    """Write `report.html` from the files of a run."""
    rows = read_kept(out / "metrics.jsonl", "step")
    config = read_json(out / "config.json") if (out / "config.json").exists() else {}
    names = list(dict.fromkeys(name for row in rows for name in row if name not in _HIDDEN))
    names.sort(key=lambda name: (name.count("/"), name != "loss"))
    curves = "\n".join(curve(name, [(row["step"], row[name]) for row in rows if name in row]) for name in names)
    latest = rows[-1] if rows else {}
    facts = {
        "recipe": config.get("recipe", "?"),
        "steps": f"{latest.get('step', 0):.0f} of {config.get('steps', '?')}",
        "loss, last": _last(rows, "loss"),
        "tokens per second, last": _last(rows, "tokens_per_second"),
        "share of the matrix-product peak (MFU), last": _last(rows, "mfu"),
        "steps skipped": str(sum(1 for row in rows if row.get("skipped"))),
    }
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(facts["recipe"])}</title>
<style>{_STYLE}</style><h1>Run of {escape(facts["recipe"])}</h1>
<table>{"".join(f"<tr><td>{escape(k)}<td>{escape(v)}" for k, v in facts.items())}</table>
<h2>Curves</h2>{curves}
{_sample_answers(read_kept(out / "samples.jsonl", "step"))}
{_refused([row for path in sorted(out.glob("quarantine*.jsonl")) for row in read_kept(path, "reason")])}
<h2>Settings</h2><pre>{escape(json.dumps(config, indent=1, ensure_ascii=False))}</pre></html>
"""
    write_whole(out / "report.html", page)
    return out / "report.html"


def _last(rows: Sequence[dict[str, float]], name: str) -> str:
    values = [row[name] for row in rows if name in row]
    return f"{values[-1]:.4g}" if values else "-"


def curve(name: str, points: Sequence[tuple[float, float]]) -> str:
    """One figure over steps as SVG; the axis runs from the least to the greatest value."""
    finite = [(x, y) for x, y in points if y == y and abs(y) != float("inf")]
    if not finite:
        return ""
    xs, ys = [x for x, _ in finite], [y for _, y in finite]
    low, high = min(ys), max(ys)
    wide, tall = max(max(xs) - min(xs), 1e-9), max(high - low, 1e-9)
    places = " ".join(
        f"{8 + (x - min(xs)) / wide * (WIDTH - 16):.1f},{HEIGHT - 8 - (y - low) / tall * (HEIGHT - 16):.1f}"
        for x, y in finite
    )
    caption = f"{name}: {ys[-1]:.4g} <small>({low:.4g} to {high:.4g})</small>"
    mark = (
        f'<circle cx="{places.split()[-1].split(",")[0]}" cy="{places.split()[-1].split(",")[1]}" r="2.5" fill="#06c"/>'
    )
    return (
        f'<figure><svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(name)}">'
        f'<polyline points="{places}" fill="none" stroke="#06c" stroke-width="1.5"/>{mark}</svg>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _thumbnail(image: Image.Image) -> str:
    small, sink = image.convert("RGB"), io.BytesIO()
    small.thumbnail((320, 320))
    small.save(sink, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(sink.getvalue()).decode()}"


def _sample_answers(rows: Sequence[dict[str, Any]]) -> str:
    """Held-out pictures with the truth and what the model said at its first and its last validation."""
    shown: list[str] = []
    for number in dict.fromkeys(row["sample"] for row in rows):
        asked = [row for row in rows if row["sample"] == number]
        said = {f"step {row['step']}": row["model"] for row in (asked[0], asked[-1]) if "model" in row}
        lines = {"question": asked[0]["question"], "truth": asked[0]["truth"], **said}
        listed = "".join(f"<tr><td>{escape(name)}<td>{escape(words)}" for name, words in lines.items())
        shown.append(f'<figure><img src="{asked[-1]["picture"]}" alt=""><table>{listed}</table></figure>')
    return f"<h2>Held-out samples</h2>{''.join(shown)}" if shown else ""


def _refused(rows: Sequence[dict[str, str]]) -> str:
    if not rows:
        return "<h2>Refused rows</h2><p>None.</p>"
    kinds = Counter(row["reason"] for row in rows)
    items = "".join(f"<tr><td>{escape(row['row'])}<td>{escape(row['reason'])}" for row in rows[:50])
    more = f"<p>The first 50 of {len(rows)}, {len(kinds)} different reasons.</p>" if len(rows) > 50 else ""
    return f"<h2>Refused rows</h2>{more}<table>{items}</table>"
