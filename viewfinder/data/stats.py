"""What a set holds, as numbers and plots: tasks, languages, sizes of pictures, lengths of answers."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from viewfinder.data.shards import ShardReader
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart
from viewfinder.storage.atomic import write_whole


@dataclass(frozen=True)
class Stats:
    """Counts by name of each category, and all values of each measure."""

    samples: int
    counts: Mapping[str, Mapping[str, int]]
    values: Mapping[str, Sequence[float]]
    looked_at: int = 0
    notes: tuple[str, ...] = field(default=())

    def summary(self) -> dict[str, Any]:
        """JSON-ready: counts, and quantiles of each measure."""
        quantiles = {
            name: dict(zip(("min", "p10", "median", "p90", "max"), _quantiles(values), strict=True))
            for name, values in self.values.items()
            if len(values)
        }
        return {"samples": self.samples, "looked_at": self.looked_at, "counts": self.counts, "measures": quantiles}


def _quantiles(values: Sequence[float]) -> list[float]:
    return [round(float(q), 3) for q in np.quantile(np.array(values, float), (0, 0.1, 0.5, 0.9, 1))]


def measure_set(reader: ShardReader, most: int = 2000) -> Stats:
    """Counts over the whole index; sizes and lengths over `most` samples spread evenly."""
    index = reader.index
    tasks = Counter(part for task in index["task"] for part in task.split("+"))
    counts = {"task": dict(tasks.most_common())}
    for name in ("language", "domain", "license"):
        counts[name] = dict(Counter(index[name]).most_common())
    step = max(1, len(reader) // most)
    values: dict[str, list[float]] = {name: [] for name in ("width", "height", "answer characters", "turns", "media")}
    chosen = range(0, len(reader), step)
    for i in chosen:
        sample = reader[i]
        answers = [m for m in sample.messages if m.role == "assistant"]
        values["answer characters"] += [len(m.text) for m in answers]
        values["turns"].append(len(answers))
        values["media"].append(len(sample.media))
        for part in sample.media:
            if isinstance(part, ImagePart):
                width, height = load_image(part.image).size
                values["width"].append(width)
                values["height"].append(height)
    values["tokens"] = [float(t) for t in index["tokens"] if t >= 0]
    return Stats(len(reader), counts, values, len(chosen))


def plot(stats: Stats, path: Path) -> None:
    """Bars of the categories and histograms of the measures, as one picture (needs matplotlib)."""
    from matplotlib.figure import Figure

    measures = {name: values for name, values in stats.values.items() if len(values)}
    panels = len(stats.counts) + len(measures)
    figure = Figure(figsize=(14, 3.2 * (-(-panels // 3))), layout="constrained")
    axes = figure.subplots(-(-panels // 3), 3).ravel()
    for ax in axes[panels:]:
        ax.set_axis_off()
    for ax, (name, counts) in zip(axes, stats.counts.items(), strict=False):
        shown = dict(sorted(counts.items(), key=lambda item: -item[1])[:20])
        ax.barh(list(shown)[::-1], list(shown.values())[::-1], color="#3a7ca5")
        ax.set_ylim(-0.6, max(len(shown), 6) - 0.4)  # a single bar is no block
        ax.set_title(name)
        ax.tick_params(axis="y", labelsize=7)
    for ax, (name, values) in zip(axes[len(stats.counts) :], measures.items(), strict=False):
        whole = sorted({round(value) for value in values})
        few = whole[-1] - whole[0] < 12 and all(value == round(value) for value in values)
        ax.hist(values, bins=[v - 0.5 for v in range(whole[0], whole[-1] + 2)] if few else 40, color="#81a35c")
        if few:
            ax.set_xticks(range(whole[0], whole[-1] + 1))
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.set_title(name)
    figure.savefig(path, dpi=90)


def write_card(directory: Path, manifest: Mapping[str, Any], operators: Mapping[str, Mapping[str, float]]) -> None:
    """Write `README.md` beside the manifest."""
    counts = manifest["counts"]
    parts = [
        f"# {directory.name}",
        f"{manifest['samples']:,} samples in {len(manifest['shards'])} shards, {_size(manifest)}.",
        f"Hash `{manifest['hash'][:16]}`.",
        "Read it with `viewfinder.data.shards.ShardReader` or as WebDataset; see it with `viewfinder data inspect`.",
        _table("Tasks", counts["task"]),
        _table("Languages", counts["language"]),
        _table("Domains", counts["domain"]),
        _table("Licenses of the media", counts.get("license", counts.get("licence", {}))),
    ]
    if operators:
        rows = [f"| {name} | {c['taken']:,.0f} | {c['given']:,.0f} |" for name, c in operators.items()]
        parts.append("\n".join(["## Yield", "", "| step | samples in | out |", "|---|---|---|", *rows]))
    if manifest.get("quarantined"):
        parts.append(f"{manifest['quarantined']:,} rows were set aside; `quarantine.jsonl` says why.")
    if "plan" in manifest:
        parts.append("## Plan\n\n```json\n" + json.dumps(manifest["plan"], indent=1, ensure_ascii=False) + "\n```")
    write_whole(directory / "README.md", "\n\n".join(parts) + "\n")


def _size(manifest: Mapping[str, Any]) -> str:
    return f"{sum(shard['bytes'] for shard in manifest['shards']) / 1e6:,.1f} MB"


def _table(title: str, counts: Mapping[str, int], most: int = 30) -> str:
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"| {name} | {count:,} |" for name, count in rows[:most]]
    if len(rows) > most:
        lines.append(f"| {len(rows) - most} more | {sum(count for _, count in rows[most:]):,} |")
    return "\n".join([f"## {title}", "", "| | samples |", "|---|---|", *lines])
