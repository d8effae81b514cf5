"""Samples as a page that a person can check: truth drawn on the picture, what is trained in color.

What is drawn is read from the sample's own texts by their forms, with the parsers that read a model's answers; so the
page shows what the sample teaches, not what its generator meant.
"""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from viewfinder.data.sample import Sample
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.media.video import load_video, probe_video
from viewfinder.messages import ImagePart, VideoPart
from viewfinder.outputs.actions import parse_action
from viewfinder.outputs.boxes import Box, parse_boxes
from viewfinder.outputs.document.document import Page
from viewfinder.outputs.draw import caption, data_uri, draw
from viewfinder.outputs.points import Point, parse_points
from viewfinder.outputs.spans import parse_spans
from viewfinder.outputs.timeline import timeline
from viewfinder.processor.chat_template import render
from viewfinder.storage.atomic import write_whole

STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:1rem;background:#fafafa;color:#222}
section{display:flex;gap:1rem;align-items:flex-start;background:#fff;border:1px solid #ddd;border-radius:6px;
padding:.7rem;margin:.7rem 0}
.media{flex:0 0 46%}.media img{max-width:100%;display:block;margin-bottom:.4rem}
pre{white-space:pre-wrap;word-break:break-word;margin:0;font:12px/1.45 ui-monospace,monospace}
.trained{background:#d6f5d6}.mark{color:#999}.worse{background:#f9d6d6}
small{color:#666}h2{margin:1.6rem 0 .2rem}nav{display:flex;flex-wrap:wrap;gap:.1rem .8rem}
"""
_INLINE = re.compile(r"\[(\d+), (\d+)(?:, (\d+), (\d+))?\]")
_DRAWN = 0x180
"""Letters below this (Latin and its accents) are in the font that pictures are labelled with."""
Shown = Box | Point


def truth_of(sample: Sample, medium: int, transform: Transform) -> list[Shown]:
    """Everything that the texts of a sample place in one medium, in original pixels."""
    found: list[Shown] = []
    for i, message in enumerate(sample.messages):
        name, _, number = sample.form_of(i).partition("@")
        if name and (int(number) if number else 0) == medium:
            found += read_places(name, message.text, transform)
    return list(dict.fromkeys(found))


def _legible(places: Sequence[Shown]) -> list[Shown]:
    """Words that the drawing's font has no letters for become numbers, in the order of the answers."""
    return [
        place if all(ord(c) < _DRAWN for c in caption(place)) else replace(place, label=f"#{i}")
        for i, place in enumerate(places, 1)
    ]


def read_places(form: str, text: str, transform: Transform) -> list[Shown]:
    """Boxes and points of a text of that form."""
    if form in ("boxes", "plain boxes"):
        return [*parse_boxes(text, transform)]
    if form in ("points", "points xml"):
        return [*parse_points(text, transform)]
    if form == "html":
        return [*Page.from_html(text, transform).boxes()]
    if form == "action":
        try:
            action = parse_action(text, transform)
        except ViewfinderError:
            return []
        places = (action.coordinate, action.coordinate2)
        return [Point(*place, label=action.name) for place in places if place is not None]
    found: list[Shown] = []
    for match in _INLINE.finditer(text):
        numbers = [float(n) for n in match.groups() if n is not None]
        x, y, *corner = numbers
        found.append(Box(x, y, corner[0], corner[1]) if corner else Point(x, y))
    return found


def draw_medium(sample: Sample, medium: int) -> Image.Image:
    """One picture with its truth, or a clip as a sheet of frames with its events."""
    part = sample.media[medium]
    if isinstance(part, ImagePart):
        picture = load_image(part.image)
        return draw(picture, _legible(truth_of(sample, medium, picture.transform)), min_side=480)
    assert isinstance(part, VideoPart)
    options = part.model_dump(exclude={"type", "video"}, exclude_none=True)
    clip = load_video(part.video, **options)
    duration = max(sample.truth.get("duration") or 0.0, clip.duration, 0.1)
    fps = _frame_rate(sample, part)
    answers = [m.text for m in sample.messages if m.role == "assistant"]
    spans = [span for text in answers for span in parse_spans(text, duration, fps=fps)]
    step = max(1, len(clip.times) // 18)
    frames = [(time, Image.fromarray(frame)) for time, frame in zip(clip.times, clip.frames, strict=True)]
    return timeline(spans, duration, frames[::step], width=700)


def _frame_rate(sample: Sample, part: VideoPart) -> float | None:
    """What hour:minute:second:frame answers count in: the rate that the question names, else the clip's own."""
    said = re.search(r"(\d+(?:\.\d+)?) frames per second", " ".join(m.text for m in sample.messages))
    return float(said[1]) if said else probe_video(part.video).fps


def page(groups: Iterable[tuple[str, Sequence[Sample]]], title: str) -> str:
    """A web page of named groups of samples; one file that loads nothing."""
    groups = list(groups)
    links = "".join(f'<a href="#{html.escape(name)}">{html.escape(name)}</a>' for name, _ in groups)
    parts = [
        f"<h1>{html.escape(title)}</h1><nav>{links}</nav><p>Green is trained; boxes are read from the answers.</p>"
    ]
    for name, samples in groups:
        parts.append(f'<h2 id="{html.escape(name)}">{html.escape(name)}</h2>')
        parts += [_section(sample) for sample in samples]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n" + "\n".join(parts) + "\n</body></html>\n"


def _section(sample: Sample) -> str:
    images = "".join(f'<img src="{data_uri(draw_medium(sample, i), 900, 82)}">' for i in range(len(sample.media)))
    facts = [sample.id, sample.task, sample.language, sample.license, " → ".join(sample.lineage)]
    if sample.scores:
        facts.append(", ".join(f"{name} {value:.2f}" for name, value in sample.scores.items()))
    about = html.escape(" · ".join(fact for fact in facts if fact))
    media = f'<div class="media">{images}</div>' if images else ""
    return f"<section>{media}<div><small>{about}</small><pre>{conversation_html(sample)}</pre></div></section>"


def conversation_html(sample: Sample) -> str:
    """The whole prompt as the model gets it, with what carries loss marked."""
    spans: list[str] = []
    for segment in render(sample.messages, train=True).segments:
        kind = "trained" if segment.is_trained else "mark" if segment.is_token else ""
        text = html.escape(segment.text)
        spans.append(f'<span class="{kind}">{text}</span>' if kind else text)
    if sample.rejected is not None:
        spans.append(f'\nrejected: <span class="worse">{html.escape(sample.rejected.text)}</span>')
    return "".join(spans)


def save_page(path: Path, groups: Iterable[tuple[str, Sequence[Sample]]], title: str) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page(groups, title))
