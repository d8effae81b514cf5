"""`own`: any file of conversations as it is used for fine-tuning, scored by what its answers are.

    viewfinder eval run own --data held-out.json --model run

The first question of each row is asked. What its answer is decides what a right one is: boxes (F1 of those that
overlap by half with equal labels), points (F1 of those nearer than 5 % of the diagonal), a time span (overlap), a JSON
object (F1 of its fields), a few words (equal but for case and space), longer text (1 - edit distance over the longer
length).
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.data.sources.conversations import ConversationSource
from viewfinder.errors import EvaluationError, ViewfinderError
from viewfinder.eval.answer_format import AnswerFormat, boxes, points, span, text
from viewfinder.eval.metrics import box_f1, field_f1, iou, normalized_edit_distance, temporal_iou
from viewfinder.eval.metrics.assignment import assign
from viewfinder.eval.question import ModelAnswer, Question, Sight
from viewfinder.eval.source import Data, Files
from viewfinder.eval.task import MediaSettings, Scored, Task
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.messages import VideoPart
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.loose_json import find_value
from viewfinder.outputs.points import parse_points
from viewfinder.outputs.spans import parse_spans

_FORMATS = {"boxes": boxes, "points": points, "span": span, "text": text}
_SHORT = 40
"""Characters of an answer that is to be met exactly."""
_NEAR = 0.05


@dataclass(frozen=True)
class OwnData(Data):
    """A file named with `--data`."""

    def open(self, folder: Path | None) -> Files:
        if folder is None or not folder.is_file():
            raise EvaluationError(f"own is scored on a file of yours, and {folder} is none; give --data held-out.json")
        return Files(folder, folder.name)


def questions(files: Files) -> Iterator[Question]:
    source = ConversationSource(str(files.root))
    for number in range(len(source.rows)):
        try:
            yield question_of(source.make(source.rows[number], number), f"row-{number + 1}")
        except ViewfinderError as error:
            raise EvaluationError(
                f"{source.describe(number)}: {error}; `viewfinder data check {files.root}` lists all rows that fail"
            ) from error


def question_of(sample: Sample, id: str) -> Question:
    """The first question of a conversation, its answer as truth."""
    at = next(i for i, message in enumerate(sample.messages) if message.role == "assistant")
    truth, kind = _truth(sample, at)
    return Question(id, sample.messages[:at], truth, {"answer": kind})


def _truth(sample: Sample, at: int) -> tuple[Any, str]:
    said = sample.messages[at].text
    videos = [part for part in sample.media if isinstance(part, VideoPart)]
    if videos:
        from viewfinder.media.video import probe_video

        info = probe_video(videos[0].video)
        found = [one for one in parse_spans(said, info.duration, fps=info.fps) if one.seconds > 0]
        if len(found) == 1:
            return {"span": [found[0].start, found[0].end], "duration": info.duration, "fps": info.fps}, "span"
    elif sample.media and sample.form_of(at):
        size = load_image(sample.media[0].image).size  # type: ignore[union-attr]
        frame = Transform.identity(size)
        if found := parse_boxes(said, frame):
            return {"boxes": [list(b.xyxy) for b in found], "labels": [b.label or b.text or "" for b in found]}, "boxes"
        if found := parse_points(said, frame):
            return {"points": [list(p.xy) for p in found], "near": _NEAR * math.hypot(*size)}, "points"
    value = find_value(said) if said.strip().startswith(("{", "```")) else None
    return ({"answers": said, "value": value}, "json") if isinstance(value, dict) else (said, "text")


def _read(answer: ModelAnswer, question: Question) -> Any:
    if question.tags["answer"] == "json":
        return find_value(answer.text)
    return _FORMATS[question.tags["answer"]].read(answer, question)


def _write(question: Question, sight: Sight) -> str:
    if question.tags["answer"] == "json":
        return json.dumps(question.truth["value"], ensure_ascii=False)
    return _FORMATS[question.tags["answer"]].write(question, sight)


FORM = AnswerFormat("own/1", _read, _write, lambda question, sight, rng: "")


def measures(prediction: Any, truth: Any, kind: str) -> dict[str, float]:
    """What applies to a kind of answer, each 0..1, the one that is its score first."""
    match kind:
        case "boxes":
            true = [(tuple(box), label) for box, label in zip(truth["boxes"], truth["labels"], strict=True)]
            said = [(tuple(one["box"]), one["label"]) for one in prediction or ()]
            best = [max((iou(box, other) for other, _ in said), default=0.0) for box, _ in true]
            return {"f1": box_f1(said, true).f1, "iou": sum(best) / len(best)}
        case "points":
            return {"f1": _points_f1(prediction or (), truth["points"], truth["near"])}
        case "span":
            return {"iou": temporal_iou(tuple(prediction), tuple(truth["span"])) if prediction else 0.0}
        case "json":
            return {"f1": field_f1(prediction, truth["value"]).f1, "exact": float(prediction == truth["value"])}
        case _:
            exact = float(_folded(prediction) == _folded(truth))
            edit = 1 - normalized_edit_distance(prediction or "", truth)
            named = {"exact": exact, "edit": edit}
            return named if len(truth) <= _SHORT else {"edit": edit, "exact": exact}


def _points_f1(said: Sequence[Sequence[float]], true: Sequence[Sequence[float]], near: float) -> float:
    import numpy as np

    hits = np.array([[math.dist(a, b) <= near for b in true] for a in said], dtype=np.float64)
    hits = hits.reshape(len(said), len(true))
    return 2 * sum(float(hits[i, j]) for i, j in assign(-hits)) / (len(said) + len(true))


def _folded(words: str | None) -> str:
    return " ".join((words or "").casefold().split())


def score(prediction: Any, question: Question) -> float:
    return next(iter(measures(prediction, question.truth, question.tags["answer"]).values()))


def total(scored: Sequence[Scored]) -> dict[str, float]:
    """The mean score in percent, and the mean of each measure over the answers that it applies to."""
    found: dict[str, list[float]] = {"score": [one.value for one in scored]}
    for one in scored:
        for name, value in measures(one.prediction, one.truth, one.tags["answer"]).items():
            found.setdefault(name, []).append(value)
    return {name: 100 * sum(values) / len(values) for name, values in found.items() if values}


TASK = Task(
    name="own",
    title="Your own rows, scored by what their answers are",
    data=OwnData("a file of yours", ()),
    questions=questions,
    form=FORM,
    score=score,
    total=total,
    settings=MediaSettings(),
    max_new_tokens=1024,
    family="own",
)
