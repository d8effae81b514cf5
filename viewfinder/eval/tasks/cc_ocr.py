"""CC-OCR: four tracks of reading, from the official TSV files; the score is the mean of the tracks.

Multi-scene and multilingual text: bag-of-tokens F1. Document parsing: edit similarity of pages and formulas, TEDS of
tables. Key information: field F1 over a whole set. The score of a track is the mean over its sets.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from viewfinder.eval.metrics import bag_of_tokens_f1, field_f1, teds, text_distance
from viewfinder.eval.metrics.regions import F1
from viewfinder.eval.question import Question
from viewfinder.eval.source import Files, picture, require
from viewfinder.eval.task import Scored
from viewfinder.messages import ImagePart, user
from viewfinder.outputs.loose_json import find_value

TRACKS = ("multi_scene_ocr", "multi_lan_ocr", "doc_parsing", "kie")
_LANGUAGES = {"Arabic": "ar", "Japanese": "ja", "Korean": "ko"}


def questions(files: Files) -> Iterator[Question]:
    for path in files.find("*/**/*.tsv"):
        track, *inner, name = path.relative_to(files.root).parts
        for row in files.rows(str(path.relative_to(files.root))):
            require(row, "index", "image", "question", "answer")
            tags = {"track": track, "set": name.removesuffix(".tsv"), "group": inner[0] if inner else ""}
            messages = (user(ImagePart(image=picture(row["image"])), row["question"]),)
            yield Question(f"{tags['set']}/{row['index']}", messages, row["answer"], tags)


def score(prediction: str | None, question: Question) -> float:
    """By track; for key information the F1 of this document alone (its set's F1 is in the total)."""
    said, tags = prediction or "", question.tags
    if tags["track"] == "kie":
        return _fields(said, question.truth).f1
    if tags["track"] == "doc_parsing":
        return _page(said, question.truth, tags["group"])
    language = _LANGUAGES.get(tags["group"], "zh" if tags["set"].startswith("zh") else "en")
    scene = tags["track"] == "multi_scene_ocr" and language == "en"
    return bag_of_tokens_f1(said, question.truth, language, alphanumeric=scene).f1


def _page(said: str, truth: str, group: str) -> float:
    if group == "table":
        said = said.split("```html")[1] if "```html" in said else said
        return teds(said.replace("```", "").replace("，", ","), truth)
    if group == "molecular":
        said = re.sub(r"</?smiles>", "", said)
    fenced = said.split("```")
    said = fenced[1] if len(fenced) > 1 else said
    return 1 - text_distance(re.sub(r"\A(latex|markdown|html)\b", "", said), truth)


def _fields(said: str, truth: Any) -> F1:
    return field_f1(find_value(said) or {}, json.loads(truth) if isinstance(truth, str) else truth)


def total(scored: Sequence[Scored]) -> dict[str, float]:
    """Sets to tracks to the mean of tracks, percent. A key-information set adds its fields up first."""
    means: dict[str, list[float]] = {}
    for name in dict.fromkeys(s.tags["set"] for s in scored):
        items = [s for s in scored if s.tags["set"] == name]
        track = items[0].tags["track"]
        value = sum(s.value for s in items) / len(items)
        if track == "kie":
            fields = [_fields(s.prediction or "", s.truth) for s in items]
            value = F1(*(sum(column) for column in zip(*fields, strict=True))).f1
        means.setdefault(track, []).append(100 * value)
    tracks = {track: sum(values) / len(values) for track, values in means.items()}
    return {"score": sum(tracks.values()) / len(tracks) if tracks else 0.0, **tracks}
