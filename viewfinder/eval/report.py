"""A page of one or several runs: every picture with the answer, the truth and drawn boxes, sortable by error.

One self-contained HTML file: small pictures are inside it, so it can be sent or kept in a repository. What the
model said is drawn in red, the truth in green.
"""

import base64
import hashlib
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageDraw

from viewfinder.errors import ViewfinderError
from viewfinder.eval.manifest import Score
from viewfinder.eval.question import Question
from viewfinder.eval.task import Scored
from viewfinder.media.image import load_image
from viewfinder.media.video import load_video
from viewfinder.messages import ImagePart, Reply, TextPart

SIDE = 240
"""Longest side of a picture in the page, pixels."""


@dataclass
class Gallery:
    """Collects what a page shows while a run goes on; `most` questions, the worst kept."""

    most: int = 400
    rows: list[tuple[Scored, str, str]] = field(default_factory=list)

    def add(self, question: Question, scored: Scored, reply: Reply | None) -> None:
        """For `RunOptions.on_scored`."""
        if len(self.rows) >= self.most:
            best = max(range(len(self.rows)), key=lambda i: self.rows[i][0].value)
            if self.rows[best][0].value <= scored.value:
                return
            del self.rows[best]
        asked = "".join(p.text for m in question.messages for p in m.parts if isinstance(p, TextPart))
        self.rows.append((scored, asked, picture_of(question, scored)))


def picture_of(question: Question, scored: Scored) -> str:
    """The question's media as one small JPEG in a data URI, places drawn; "" where there is none."""
    frames: list[Image.Image] = []
    for part in question.media[:4]:
        try:
            if isinstance(part, ImagePart):
                frames.append(load_image(part.image).image)
            elif isinstance(part.video, list):
                frames += [part.video[i] for i in sorted({0, len(part.video) // 2, len(part.video) - 1})]
            else:
                clip = load_video(part.video, nframes=4, min_pixels=28 * 28, max_pixels=SIDE * SIDE)
                frames += [Image.fromarray(f) for f in clip.frames]
        except ViewfinderError:
            continue
    if not frames:
        return ""
    if len(question.media) == 1 and isinstance(question.media[0], ImagePart):
        frames = [_drawn(frames[0], scored)]
    sheet = _side_by_side(frames)
    sink = io.BytesIO()
    sheet.save(sink, "JPEG", quality=70, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(sink.getvalue()).decode()


def _drawn(image: Image.Image, scored: Scored) -> Image.Image:
    """Truth in green below, the prediction in red on top; at the size of the page, so that lines stay sharp."""
    zoom = SIDE / max(image.size)
    canvas = image.convert("RGB").resize((round(image.width * zoom), round(image.height * zoom)))
    pen = ImageDraw.Draw(canvas)
    for values, color in ((scored.truth, (0, 150, 60)), (scored.prediction, (225, 0, 40))):
        for place in places_in(values):
            scaled = [v * zoom for v in place]
            if len(place) == 4 and place[0] <= place[2] and place[1] <= place[3]:
                pen.rectangle(scaled, outline=color, width=2)
            elif len(place) == 2:
                x, y = scaled
                pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=color, outline="white")
    return canvas


def places_in(value: Any) -> list[list[float]]:
    """Boxes (four numbers) and points (two) in a prediction or truth of any form."""
    if isinstance(value, dict):
        keys = ("box", "boxes", "points", "coordinate", "element")
        return [place for key in keys if key in value for place in places_in(value[key])]
    if not isinstance(value, (list, tuple)) or not value:
        return []
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in value):
        return [[float(v) for v in value]] if len(value) in (2, 4) else []
    return [place for item in value for place in places_in(item)]


def _side_by_side(frames: Sequence[Image.Image]) -> Image.Image:
    small = []
    for frame in frames:
        copy = frame.convert("RGB")
        copy.thumbnail((SIDE, SIDE))
        small.append(copy)
    sheet = Image.new("RGB", (sum(f.width + 2 for f in small), max(f.height for f in small)), "white")
    x = 0
    for frame in small:
        sheet.paste(frame, (x, 0))
        x += frame.width + 2
    return sheet


def page(
    runs: Sequence[tuple[Score, Gallery]], title: str, beside: Mapping[str, Mapping[str, Score]] | None = None
) -> str:
    """The whole page: a table of scores, then the questions of each run; `beside` has other models' scores of a task
    by the model's name."""
    beside = beside or {}
    names = list(dict.fromkeys(name for others in beside.values() for name in others))
    summary = "".join(_summary_row(score, beside.get(score.manifest["task"], {}), names) for score, _ in runs)
    rows = "".join(_row(score.manifest["task"], *row) for score, gallery in runs for row in gallery.rows)
    breakdowns = "".join(_breakdown(score) for score, _ in runs)
    return _PAGE.format(
        title=html.escape(title),
        policy=_POLICY,
        script=_SCRIPT,
        summary=summary,
        beside="".join(f"<th>{html.escape(name)}</th>" for name in names),
        breakdowns=breakdowns,
        rows=rows,
        tasks="".join(f"<option>{html.escape(score.manifest['task'])}</option>" for score, _ in runs),
    )


def _summary_row(score: Score, others: Mapping[str, Score], names: Sequence[str]) -> str:
    m = score.manifest
    low, high, _ = m["interval"]
    reported = ", ".join(f"{size} {value:g}" for size, value in m["reported"].items())
    rest = ", ".join(f"{k} {v:.4g}" for k, v in m["scores"].items() if k != "score")
    cells = [
        m["task"],
        m["title"],
        f"{score.value:.2f}",
        f"{low:.2f} to {high:.2f}",
        *(f"{others[name].value:.2f}" if name in others else "" for name in names),
        score.n,
        reported,
        rest,
        m["hash"][:12],
    ]
    return "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _breakdown(score: Score) -> str:
    parts = []
    for tag, groups in score.manifest["by"].items():
        cells = "".join(
            f"<td>{html.escape(k or '-')}<br><b>{v:.1f}</b> <i>n={n}</i></td>" for k, (v, n) in groups.items()
        )
        parts.append(f"<tr><th>{html.escape(tag)}</th>{cells}</tr>")
    name = html.escape(score.manifest["task"])
    return f"<h3>{name}</h3><div class=wide><table>{''.join(parts)}</table></div>" if parts else ""


def _row(task: str, scored: Scored, asked: str, picture: str) -> str:
    image = f'<img loading="lazy" src="{picture}" alt="">' if picture else ""
    tags = ", ".join(f"{k}: {v}" for k, v in scored.tags.items())
    sure = "" if scored.confidence is None else f"{scored.confidence:.2f}"
    cells = [
        f"<td>{html.escape(task)}<br><small>{html.escape(scored.id)}</small></td>",
        f"<td>{image}</td>",
        f"<td>{html.escape(asked[:600])}</td>",
        f"<td>{html.escape(scored.text[:600])}</td>",
        f"<td>{html.escape(json.dumps(scored.truth, ensure_ascii=False)[:300])}</td>",
        f"<td data-v={scored.value:.4f}>{scored.value:.3f}</td>",
        f"<td data-v={sure or 0}>{sure}</td>",
        f"<td><small>{html.escape(tags[:300])}</small></td>",
    ]
    return f'<tr data-task="{html.escape(task)}">{"".join(cells)}</tr>\n'


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }}
table {{ border-collapse: collapse }} td, th {{ padding: .3rem .6rem; vertical-align: top; text-align: left;
border-bottom: 1px solid #ddd; overflow-wrap: anywhere; max-width: 22rem }}
th[data-sort] {{ cursor: pointer; text-decoration: underline }} small, i {{ color: #666 }}
.wide {{ overflow-x: auto }} img {{ max-width: 520px }} label {{ margin-right: 1rem }}
td[data-v], th[data-sort] {{ white-space: nowrap; overflow-wrap: normal }}
.scores td, .scores th {{ overflow-wrap: normal }}
summary {{ font-size: 1.3em; margin: 1rem 0; cursor: pointer }}
</style>
<h1>{title}</h1>
<p>Scores are in the unit of the report, intervals are 95 % bootstrap. In pictures the truth is green and the answer
red. A click on an underlined heading sorts; worst answers come first.</p>
<div class="wide"><table class="scores"><tr><th>task</th><th></th><th>score</th><th>95 %</th>{beside}<th>n</th>
<th>report</th><th>more</th><th>manifest</th></tr>{summary}</table></div>
<details><summary>By kind</summary>{breakdowns}</details>
<h2>Questions</h2>
<p><label>Task <select id="task"><option value="">all</option>{tasks}</select></label>
<label>Find <input id="find" type="search"></label></p>
<div class="wide"><table id="rows"><thead><tr><th>task</th><th>picture</th><th>asked</th><th>answer</th><th>truth</th>
<th data-sort="5">value</th><th data-sort="6">confidence</th><th>tags</th></tr></thead><tbody>
{rows}</tbody></table></div>
<script>{script}</script></html>
"""

_SCRIPT = """
const body = document.querySelector('#rows tbody'), task = document.querySelector('#task');
const find = document.querySelector('#find');
let up = true;
function sort(column) {
  const value = row => parseFloat(row.children[column].dataset.v);
  [...body.rows].sort((a, b) => (up ? 1 : -1) * (value(a) - value(b))).forEach(row => body.append(row));
  up = !up;
}
function filter() {
  const words = find.value.toLowerCase();
  for (const row of body.rows)
    row.hidden = (task.value && row.dataset.task !== task.value) || !row.textContent.toLowerCase().includes(words);
}
document.querySelectorAll('th[data-sort]').forEach(h => h.onclick = () => sort(+h.dataset.sort));
task.onchange = find.oninput = filter;
sort(5);
"""
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    f"script-src 'sha256-{base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()}'"
)
"""What the page may do: pictures inside it, and the one script above, whatever a model's words hold."""
