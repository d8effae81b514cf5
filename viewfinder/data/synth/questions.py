"""Questions about a scene, with their exact answers in the canonical form of `outputs`.

Each function makes one `Turn`. About half of the questions of a task are the very words that the typed
jobs use (`outputs.prompts`), the rest are other official wordings and plain speech.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import number, pick
from viewfinder.data.synth.fonts import find_families
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.queries import Query, make_query, thing_label
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.words import make_line
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, Message, TextPart, user
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.counts import format_count
from viewfinder.outputs.points import Point, format_points

_NONE_TO_COUNT = 0.1
"""Share of counts whose answer is 0."""


@dataclass(frozen=True)
class Turn:
    """A question, its answer, the task it belongs to, and the answer as values."""

    task: str
    question: str
    answer: str
    truth: dict[str, Any] = field(default_factory=dict)


def conversation(scene: Scene, turns: list[Turn]) -> tuple[Message, ...]:
    """The picture stands before the first question."""
    picture = ImagePart(image=scene.image, resized_width=scene.image.width, resized_height=scene.image.height)
    messages = []
    for i, turn in enumerate(turns):
        messages.append(user(picture, turn.question) if i == 0 else user(turn.question))
        messages.append(Message(role="assistant", parts=(TextPart(text=turn.answer),)))
    return tuple(messages)


def _boxes(query: Query) -> list[Box]:
    return [Box(*map(float, t.box), label=thing_label(t)) for t in query.things]


def _points(query: Query) -> list[Point]:
    return [Point(*t.center, label=thing_label(t)) for t in query.things]


def _phrase(rng: np.random.Generator, query: Query) -> str:
    """The query as people write it: with or without a determiner, one or many."""
    if not query.plural:
        return f"the {query.noun}"
    if len(query.things) <= 1 and rng.random() < 0.5:
        return f"the {query.noun}"
    forms = (f"every {query.noun}", query.noun, query.plural, f"all {query.plural}", f"all the {query.plural}")
    return pick(rng, (forms[0], *forms))


def locate(rng: np.random.Generator, scene: Scene) -> Turn:
    """Boxes of what fits, from top to bottom; an empty list where nothing does."""
    query = make_query(rng, scene)
    phrase = _phrase(rng, query)
    asked = prompts.with_determiner(phrase)
    question = _wording(
        rng,
        prompts.locate_prompt(phrase),
        f"Locate {asked}, output the bbox coordinates using JSON format.",
        f"Outline the position of {asked} and output all the coordinates in JSON format.",
        f"Locate {asked}, report the bbox coordinates in JSON format.",
        f"Find {asked}.",
        f"Where is {asked}?",
    )
    boxes = _boxes(query)
    return Turn("locate", question, format_boxes(boxes, _frame(scene)), {"boxes": [b.xyxy for b in boxes]})


def point(rng: np.random.Generator, scene: Scene) -> Turn:
    """Centres of what fits, from top to bottom."""
    query = make_query(rng, scene)
    phrase = _phrase(rng, query)
    asked = prompts.with_determiner(phrase)
    question = _wording(rng, prompts.point_prompt(phrase), f"Point to {asked}.", f"Point at {asked} in the image.")
    truth = {"boxes": [t.box for t in query.things]}
    return Turn("point", question, format_points(_points(query), _frame(scene)), truth)


def count(rng: np.random.Generator, scene: Scene) -> Turn:
    """Points first, then the number."""
    query = _counted(rng, scene)
    noun = query.noun if len(query.things) == 1 else query.plural
    phrase = pick(rng, (query.plural, query.plural, f"every {query.noun}", f"all {query.plural}", query.noun))
    answer = format_count(_points(query), noun, _frame(scene))
    if not query.things:
        answer = f"{format_points([], _frame(scene))}\n\nThere are 0 {noun} in the image."
    return Turn("count", prompts.count_prompt(phrase), answer, {"count": len(query.things)})


def _counted(rng: np.random.Generator, scene: Scene) -> Query:
    """A name that has a plural: one that fits nothing, or of up to six the one that fits most.

    A name drawn at random fits one thing or two, even in a crowd: numbers from five on would hardly ever be learnt.
    """
    absent = not scene.things or rng.random() < _NONE_TO_COUNT
    drawn = [make_query(rng, scene, absent=float(absent)) for _ in range(1 if absent else int(rng.integers(1, 7)))]
    found = [query for query in drawn if query.plural]
    return max(found, key=lambda query: len(query.things)) if found else _counted(rng, scene)


def read(rng: np.random.Generator, scene: Scene) -> Turn:
    """All text from top to bottom; an empty answer where there is none."""
    question = _wording(
        rng,
        prompts.read_prompt(),
        "Read all the text in the image.",
        "Recognise all texts in the image, output in lines.",
        "What does the text say?",
        "Read the text.",
    )
    text = "\n".join(line.text for line in scene.lines)
    return Turn("read", question, text, {"text": text})


def spot(rng: np.random.Generator, scene: Scene) -> Turn:
    """Every line with its box."""
    boxes = [Box(*map(float, line.box), label="", text=line.text) for line in scene.lines]
    truth = {"boxes": [b.xyxy for b in boxes], "texts": [line.text for line in scene.lines]}
    return Turn("spot", prompts.spotting_prompt(), format_boxes(boxes, _frame(scene)), truth)


def locate_text(rng: np.random.Generator, scene: Scene) -> Turn:
    """The box of a given line of text, or its middle; sometimes of one that is not there."""
    if not scene.lines:
        return read(rng, scene)
    there = [line.text for line in scene.lines]
    text = pick(rng, there)
    if rng.random() < _TEXT_ABSENT and (other := make_line(rng, len(text))) not in "\n".join(there):
        text = other
    phrase = pick(rng, (f'the text "{text}"', f'the word "{text}"', f'"{text}"'))
    same = [Box(*map(float, line.box), label=line.text) for line in scene.lines if line.text == text]
    truth = {"boxes": [b.xyxy for b in same]}
    if rng.random() < _TEXT_POINTED:
        middles = [Point((b.x1 + b.x2) / 2, (b.y1 + b.y2) / 2, label=b.label) for b in same]
        return Turn("point", prompts.point_prompt(phrase), format_points(middles, _frame(scene)), truth)
    return Turn("locate_text", prompts.locate_prompt(phrase), format_boxes(same, _frame(scene)), truth)


_TEXT_ABSENT, _TEXT_POINTED = 0.12, 0.35


def ask(rng: np.random.Generator, scene: Scene) -> Turn:
    """A short question with a short answer."""
    generator = _ASKS[int(rng.integers(len(_ASKS)))]
    asked = generator(rng, scene) or _how_many(rng, scene)
    truth = {"answer": asked[1]} | ({"at": asked[2]} if len(asked) > 2 else {})
    return Turn("ask", asked[0], asked[1], truth)


_Pair = tuple[str, str] | tuple[str, str, tuple[float, float]]
"""Question, answer, and where that is which it is about."""


def _how_many(rng: np.random.Generator, scene: Scene) -> _Pair:
    query = make_query(rng, scene)
    noun = query.plural or "shapes"
    number = len(query.things) if query.plural else len(scene.things)
    return f"How many {noun} are there?", str(number)


def _is_there(rng: np.random.Generator, scene: Scene) -> _Pair:
    query = make_query(rng, scene, absent=0.5)
    article = "an" if query.noun[0] in "aeiou" else "a"
    if not query.plural:
        return _how_many(rng, scene)
    return f"Is there {article} {query.noun} in the image?", "Yes" if query.things else "No"


def _what_color(rng: np.random.Generator, scene: Scene) -> _Pair | None:
    unique = [t for t in scene.things if sum(o.shape == t.shape for o in scene.things) == 1]
    if not unique:
        return None
    thing = unique[int(rng.integers(len(unique)))]
    return f"What color is the {thing.shape}?", thing.color, thing.center


def _what_shape(rng: np.random.Generator, scene: Scene) -> _Pair | None:
    unique = [t for t in scene.things if sum(o.color == t.color for o in scene.things) == 1]
    if not unique:
        return None
    thing = unique[int(rng.integers(len(unique)))]
    return f"What shape is the {thing.color} object?", thing.shape, thing.center


def _background(rng: np.random.Generator, scene: Scene) -> _Pair:
    return "What color is the background?", scene.background


def _text_color(rng: np.random.Generator, scene: Scene) -> _Pair | None:
    if len(scene.lines) != 1:
        return None
    line = scene.lines[0]
    return "What color is the text?", line.color, ((line.box[0] + line.box[2]) / 2, line.middle)


def _describe(rng: np.random.Generator, scene: Scene) -> _Pair:
    names = [thing_label(t) for t in scene.things] + [f'the text "{line.text}"' for line in scene.lines]
    return "What is in the image?", ", ".join(names) if names else f"Nothing but a {scene.background} background"


_ASKS: tuple[Callable[[np.random.Generator, Scene], _Pair | None], ...] = (
    *(_how_many, _is_there, _what_color, _what_shape, _what_color, _what_shape),
    *(_background, _text_color, _describe),
)

TASKS: dict[str, Callable[[np.random.Generator, Scene], Turn]] = {
    "locate": locate,
    "point": point,
    "count": count,
    "read": read,
    "spot": spot,
    "locate_text": locate_text,
    "ask": ask,
}
"""Functions that make a turn, by task."""


def make_turn(rng: np.random.Generator, scene: Scene, weights: Mapping[str, float]) -> Turn:
    """A turn of a task drawn by weight; text tasks are drawn only where there is text (but for a few)."""
    names = [n for n in weights if scene.lines or n not in ("read", "spot", "locate_text") or rng.random() < 0.1]
    names = [n for n in names if scene.things or n not in ("locate", "point", "count") or rng.random() < 0.3] or ["ask"]
    shares = np.array([weights.get(n, 1.0) for n in names])
    return TASKS[names[int(rng.choice(len(names), p=shares / shares.sum()))]](rng, scene)


def _frame(scene: Scene) -> Transform:
    return Transform.identity(scene.image.size)


def _wording(rng: np.random.Generator, main: str, *others: str) -> str:
    return main if rng.random() < 0.5 else others[int(rng.integers(len(others)))]


_FORMS = {"locate": "boxes", "point": "points", "count": "points", "spot": "boxes", "locate_text": "boxes"}


def make(rng: np.random.Generator, options: Options) -> Sample:
    """One to three turns about a scene."""
    hard = options.difficulty
    style = SceneStyle(
        things=(1, 2 + round(8 * hard)),
        lines=(0, 1 + round(3 * hard)),
        thing_size=(0.24 - 0.16 * hard, 0.5),
        pairs="train" if options.split == "train" else "held_out",
        families=find_families(options.fonts, held_out=options.split == "held_out"),
    )
    scene = make_scene(rng, options.size(rng), style)
    turns: dict[str, Turn] = {}
    for _ in range(number(rng, 1, 3)):
        turn = make_turn(rng, scene, dict.fromkeys(TASKS, 1.0))
        turns.setdefault(turn.question, turn)
    messages = conversation(scene, list(turns.values()))
    first = messages[0]
    picture = first.parts[0].model_copy(update={"resized_height": None, "resized_width": None})
    forms = tuple(form for turn in turns.values() for form in ("", _FORMS.get(turn.task, "")))
    return Sample(
        messages=(first.model_copy(update={"parts": (picture, *first.parts[1:])}), *messages[1:]),
        task="+".join(turn.task for turn in turns.values()),
        truth={"turns": [turn.truth for turn in turns.values()]},
        forms=forms,
    )
