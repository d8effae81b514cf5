"""The data card of a set: what it holds, how it was made, under which licenses, and what was set aside."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from viewfinder.storage.atomic import write_whole


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
