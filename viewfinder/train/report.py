"""The page of a run: what was trained, how its figures went, what was refused. One HTML file, no scripts."""

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from viewfinder.outputs.json_lines import read_kept

WIDTH, HEIGHT = 360, 150
_HIDDEN = ("step", "seconds")
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2em auto;padding:0 1em;color:#222}
figure{display:inline-block;margin:.5em;vertical-align:top}figcaption{font-size:13px;color:#555}
table{border-collapse:collapse}td{padding:.15em 1em .15em 0;border-bottom:1px solid #eee}
pre{background:#f6f6f6;padding:1em;overflow:auto;max-height:24em}svg{background:#fafafa}"""


def write_report(out: Path) -> Path:
    """Write `report.html` from the files of a run."""
    rows = read_kept(out / "metrics.jsonl")
    config = json.loads((out / "config.json").read_text()) if (out / "config.json").exists() else {}
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
{_refused([row for path in sorted(out.glob("quarantine*.jsonl")) for row in read_kept(path)])}
<h2>Settings</h2><pre>{escape(json.dumps(config, indent=1, ensure_ascii=False))}</pre></html>
"""
    partial = out / ".report.html.part"
    partial.write_text(page, encoding="utf-8")
    partial.replace(out / "report.html")
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


def _refused(rows: Sequence[dict[str, str]]) -> str:
    if not rows:
        return "<h2>Refused rows</h2><p>None.</p>"
    kinds = Counter(row["reason"] for row in rows)
    items = "".join(f"<tr><td>{escape(row['row'])}<td>{escape(row['reason'])}" for row in rows[:50])
    more = f"<p>The first 50 of {len(rows)}, {len(kinds)} different reasons.</p>" if len(rows) > 50 else ""
    return f"<h2>Refused rows</h2>{more}<table>{items}</table>"
