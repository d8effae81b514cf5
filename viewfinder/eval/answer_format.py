"""Forms of answers: how each is read, what a perfect model would say, and what one that sees nothing may say.

A task names one form; the readers take what models really write and give JSON-ready predictions, places in pixels
of the original. The writers make the perfect and the guessing model (`baselines.py`) possible for every task.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from viewfinder.eval.metrics.choices import choice_letter, yes_or_no
from viewfinder.eval.question import ModelAnswer, Question, Sight
from viewfinder.media.transform import Transform
from viewfinder.messages import ToolCall
from viewfinder.outputs import grammars
from viewfinder.outputs.boxes import Box, format_boxes, parse_boxes
from viewfinder.outputs.counts import parse_count
from viewfinder.outputs.places import find_places
from viewfinder.outputs.points import Point, format_points, parse_points
from viewfinder.outputs.spans import Span, format_moments, parse_spans
from viewfinder.outputs.tool_calls import format_tool_call

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class AnswerFormat:
    """`read` an answer to a prediction; `write` the perfect answer; `guess` one by chance; `blind` the one that a
    model gives which never looks (where no choices are offered).

    `name` says which parser it is, for manifests. `constraint` gives `grammar` or `schema` for a request, where the
    typed jobs (`locate`, `count` ...) have one.
    """

    name: str
    read: Callable[[ModelAnswer, Question], Any]
    write: Callable[[Question, Sight], str]
    guess: Callable[[Question, Sight, random.Random], str]
    blind: Callable[[Question, Sight], str] = lambda question, sight: ""
    constraint: Callable[[Question, Sight], dict[str, Any]] | None = None


def _read_letter(answer: ModelAnswer, question: Question) -> str | None:
    """The letter chosen; where none is named, the one option whose words are the answer, as VLMEvalKit infers."""
    letters = [choice for choice in question.choices if len(choice) == 1] or list(LETTERS[: len(question.choices)])
    found = choice_letter(answer.text, "".join(letters) or "ABCD")
    if found is not None:
        return found
    said = answer.text.strip().strip(".").lower()
    named = zip(letters, question.options, strict=False)
    equal = [letter for letter, option in named if option.strip().strip(".").lower() == said]
    return equal[0] if len(equal) == 1 else None


def _first_choice(question: Question, sight: Sight, rng: random.Random) -> str:
    return rng.choice(question.choices or ("A",))


letter = AnswerFormat("choice-letter/2", _read_letter, lambda q, _: str(q.truth), _first_choice)
"""Multiple choice; `truth` is the letter and `choices` are the letters offered."""


yes_no = AnswerFormat(
    "yes-no/2",
    lambda answer, q: yes_or_no(answer.text),
    lambda q, _: str(q.truth),
    lambda q, s, rng: rng.choice(("Yes", "No")),
)
"""`truth` is "Yes" or "No"; what is stated as the answer, else the first of the two words, counts."""


def _read_text(answer: ModelAnswer, question: Question) -> str:
    return answer.text.strip()


def _best_text(question: Question, sight: Sight) -> str:
    truth = question.truth["answers"] if isinstance(question.truth, dict) else question.truth
    if isinstance(truth, (list, tuple)):
        return str(max(truth, key=list(truth).count))
    return str(truth)


text = AnswerFormat("text/1", _read_text, _best_text, lambda q, s, rng: rng.choice(q.choices or ("unknown",)))
"""Free text; `truth` is the answer, a list of accepted ones, or `{"answers": ...}`; the commonest is the ideal."""


def _read_count(answer: ModelAnswer, question: Question) -> int | None:
    said = parse_count(answer.text)
    return None if said is None else said.value


def _frame(sight: Sight) -> Transform:
    return sight.transforms[0]


def _bounded(grammar: Callable[..., str], **options: Any) -> Callable[[Question, Sight], dict[str, Any]]:
    """A grammar of places, bounded by the first picture as the model sees it."""
    return lambda question, sight: {"grammar": grammar(*_frame(sight).resized_size, **options)}


number = AnswerFormat(
    "count/1",
    _read_count,
    lambda q, _: f"There are {q.truth} in total.",
    lambda q, s, rng: str(rng.randint(1, 10)),
    constraint=_bounded(grammars.count_grammar, places="points"),
)
"""How many: a number, or a list of places with or without one."""


def _boxes_of(question: Question) -> list[Box]:
    """`truth` is one box, a list of boxes, or `{"boxes": ..., "labels": ...}`; x1, y1, x2, y2 of the original."""
    truth = question.truth
    labels: Sequence[str] = ()
    if isinstance(truth, dict):
        truth, labels = truth["boxes"], truth.get("labels", ())
    if truth and isinstance(truth[0], (int, float)):
        truth = [truth]
    labels = labels or [question.tags.get("label", "target")] * len(truth)
    return [Box(*map(float, box), label=label) for box, label in zip(truth, labels, strict=True)]


def _read_boxes(answer: ModelAnswer, question: Question) -> list[dict[str, Any]]:
    return [
        {"box": list(b.xyxy), "label": b.label or b.text or ""} for b in parse_boxes(answer.text, _frame(answer.sight))
    ]


def _read_box(answer: ModelAnswer, question: Question) -> list[float] | None:
    found = _read_boxes(answer, question)
    return found[0]["box"] if found else None


def _random_box(question: Question, sight: Sight, rng: random.Random) -> str:
    width, height = _frame(sight).original_size
    xs, ys = sorted(rng.uniform(0, width) for _ in "ab"), sorted(rng.uniform(0, height) for _ in "ab")
    return format_boxes([Box(xs[0], ys[0], xs[1], ys[1], "guess")], _frame(sight))


def _write_boxes(question: Question, sight: Sight) -> str:
    return format_boxes(_boxes_of(question), _frame(sight))


def _whole_picture(question: Question, sight: Sight) -> str:
    width, height = _frame(sight).original_size
    return format_boxes([Box(0, 0, width, height, "everything")], _frame(sight))


box = AnswerFormat(
    "first-box/1", _read_box, _write_boxes, _random_box, _whole_picture, _bounded(grammars.boxes_grammar)
)
"""One box: the first that the answer gives, in pixels of the original."""
boxes = AnswerFormat(
    "boxes/1", _read_boxes, _write_boxes, _random_box, _whole_picture, _bounded(grammars.boxes_grammar)
)
"""All boxes with their labels."""


def _read_point(answer: ModelAnswer, question: Question) -> list[float] | None:
    """The first place: a point, a click, or the middle of a box."""
    frame = _frame(answer.sight)
    found = find_places(answer.text, "point")
    if not found:
        return None
    x1, y1, x2, y2 = found[0].bounds
    return list(frame.to_original(frame.clamp_model(((x1 + x2) / 2, (y1 + y2) / 2))))


def _target(question: Question) -> tuple[float, float]:
    return _boxes_of(question)[0].center


def _write_point(question: Question, sight: Sight) -> str:
    return format_points([Point(*_target(question), "target")], _frame(sight))


def _random_point(question: Question, sight: Sight, rng: random.Random) -> str:
    width, height = _frame(sight).original_size
    return format_points([Point(rng.uniform(0, width), rng.uniform(0, height), "guess")], _frame(sight))


def _middle(question: Question, sight: Sight) -> str:
    width, height = _frame(sight).original_size
    return format_points([Point(width / 2, height / 2, "middle")], _frame(sight))


point = AnswerFormat(
    "first-point/2", _read_point, _write_point, _random_point, _middle, _bounded(grammars.points_grammar)
)
"""One place: a point, a click, or the middle of a box; `truth` is the target's box."""


def _write_click(question: Question, sight: Sight) -> str:
    x, y = (round(value) for value in _frame(sight).to_model(_target(question)))
    return format_tool_call(ToolCall(name="computer_use", arguments={"action": "left_click", "coordinate": [x, y]}))


click = AnswerFormat("click/2", _read_point, _write_click, _random_point, _middle)
"""As `point`, but asked as a call to `computer_use`."""


def _read_points(answer: ModelAnswer, question: Question) -> list[list[float]]:
    return [list(p.xy) for p in parse_points(answer.text, _frame(answer.sight))]


def _write_points(question: Question, sight: Sight) -> str:
    if isinstance(question.truth, dict) and "points" in question.truth:
        places = [Point(x, y, "target") for x, y in question.truth["points"]]
    else:
        places = [Point(*b.center, b.label) for b in _boxes_of(question)]
    return format_points(places, _frame(sight))


points = AnswerFormat(
    "points/1", _read_points, _write_points, _random_point, _middle, _bounded(grammars.points_grammar)
)
"""Every place; `truth` has the boxes, or `points`."""


def _read_span(answer: ModelAnswer, question: Question) -> list[float] | None:
    duration = next((d for d in answer.sight.durations if d), None) or question.truth["duration"]
    spans = parse_spans(answer.text, duration, fps=question.truth.get("fps"))
    found = [span for span in spans if span.seconds > 0]  # a moment is no answer
    return [found[0].start, found[0].end] if found else None


def _write_span(question: Question, sight: Sight) -> str:
    start, end = question.truth["span"]
    return format_moments([Span(start, end)], question.truth["duration"])


def _random_span(question: Question, sight: Sight, rng: random.Random) -> str:
    start, end = sorted(rng.uniform(0, question.truth["duration"]) for _ in "ab")
    return format_moments([Span(start, end)], question.truth["duration"])


def _whole_clip(question: Question, sight: Sight) -> str:
    return format_moments([Span(0.0, question.truth["duration"])], question.truth["duration"])


def _moments(question: Question, sight: Sight) -> dict[str, Any]:
    duration = next((d for d in sight.durations if d), None) or question.truth["duration"]
    return {"grammar": grammars.moments_grammar(duration)}


span = AnswerFormat("first-span/2", _read_span, _write_span, _random_span, _whole_clip, _moments)
"""When: `truth` is `{"span": [start, end], "duration": ...}` in seconds of the original."""
