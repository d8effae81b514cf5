"""AndroidControl: one step of a phone task, from the official TFRecord files; exact match of the action.

High level: the goal alone; low level: with the step's instruction. Earlier actions are given as text, earlier
screenshots are not, as the model was evaluated. A click is right inside the smallest element of the accessibility
tree that holds the true one.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from viewfinder.errors import ViewfinderError
from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.metrics import point_in_box
from viewfinder.eval.question import ModelAnswer, Question, Sight, expected_transform
from viewfinder.eval.source import Files
from viewfinder.eval.tasks.pointing import SETTINGS
from viewfinder.eval.tfrecord import Fields, read_example, read_message, read_records, signed
from viewfinder.messages import ImagePart, user
from viewfinder.outputs.actions import Action, format_action, parse_action, tool_schema
from viewfinder.outputs.place import Corners

_OPPOSITE = {"down": "up", "up": "down", "left": "right", "right": "left"}


def questions(files: Files, level: str) -> Iterator[Question]:
    """Steps of test episodes; `splits.json` names them, all count where it is missing."""
    splits = files.root / "splits.json"
    wanted = set(json.loads(splits.read_text())["test"]) if splits.is_file() else None
    for path in files.find("android_control*"):
        for record in read_records(path):
            episode = read_example(record)
            number = int(episode["episode_id"][0])
            if wanted is None or number in wanted:
                yield from _steps(number, episode, level)


def _steps(number: int, episode: dict[str, Any], level: str) -> Iterator[Question]:
    goal = episode["goal"][0].decode()
    done: list[str] = []
    for i, raw in enumerate(episode["actions"]):
        action = json.loads(raw)
        part = ImagePart(
            image=episode["screenshots"][i], min_pixels=SETTINGS.min_pixels, max_pixels=SETTINGS.max_pixels
        )
        progress = "".join(f"Step {n}: {text}; " for n, text in enumerate(done, 1))
        ask = f"The user query:  {goal}\n"
        if level == "low":
            ask += f"The current step: {episode['step_instructions'][i].decode()}\n"
        ask += f"Task progress (You have done the following operation on the current device): {progress}"
        truth: dict[str, Any] = {"action": action}
        if "x" in action:
            truth["element"] = element_at(episode["accessibility_trees"][i], action["x"], action["y"])
        tools = (tool_schema("mobile", *expected_transform(part).resized_size),)
        tags = {"type": action["action_type"], "episode": str(number)}
        yield Question(f"{number}/{i}", (user(ask, part),), truth, tags, tools=tools)
        done.append(_in_words(action))


def _in_words(action: dict[str, Any]) -> str:
    return json.dumps({("action" if k == "action_type" else k): v for k, v in action.items()})


def element_at(forest: bytes, x: float, y: float) -> Corners | None:
    """The smallest visible element around a place; None where there is none.

    Field numbers are those of android_env's `a11y` protocol buffers: forest.windows 1, window.tree 11, tree.nodes 1,
    node.bounds 2 and visible 23, rect left, top, right, bottom 1 to 4.
    """
    best: Corners | None = None
    for window in _inner(read_message(forest), 1):
        for tree in _inner(window, 11):
            for node in _inner(tree, 1):
                box = _bounds(node)
                if node.get(23) != [1] or box is None or not point_in_box((x, y), box):
                    continue
                if best is None or _area(box) < _area(best):
                    best = box
    return best


def _inner(fields: Fields, number: int) -> list[Fields]:
    return [read_message(value) for value in fields.get(number, ()) if isinstance(value, bytes)]


def _bounds(node: Fields) -> Corners | None:
    rectangles = _inner(node, 2)
    if not rectangles:
        return None
    left, top, right, bottom = (float(signed(rectangles[0].get(i, [0])[0])) for i in (1, 2, 3, 4))
    return left, top, right, bottom


def _area(box: Corners) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _read(answer: ModelAnswer, question: Question) -> dict[str, Any] | None:
    try:
        return parse_action(answer.text, answer.sight.transforms[0]).to_dict()
    except ViewfinderError:
        return None


def score(prediction: dict[str, Any] | None, question: Question) -> float:
    """1 where the action is the true one, its place, text or direction included."""
    if prediction is None:
        return 0.0
    gold = question.truth["action"]
    name, kind = prediction["action"], gold["action_type"]
    if kind in ("click", "long_press"):
        return float(name == kind and _near(prediction.get("coordinate"), gold, question.truth.get("element")))
    if kind == "scroll":
        return float(name == "swipe" and _direction(prediction) == _OPPOSITE[gold["direction"]])
    if kind in ("input_text", "open_app"):
        said, true = prediction.get("text") or "", gold.get("text") or gold.get("app_name") or ""
        return float(
            name == {"input_text": "type", "open_app": "open"}[kind] and said.strip().lower() == true.strip().lower()
        )
    if kind in ("navigate_back", "navigate_home"):
        button = {"navigate_back": "Back", "navigate_home": "Home"}[kind]
        return float(name == "system_button" and prediction.get("button") == button)
    return float(name == kind)


def _near(place: Sequence[float] | None, gold: dict[str, Any], element: Sequence[float] | None) -> bool:
    """In the element; where the tree has none there, within 14 % of a 1080-pixel screen (AITW's distance)."""
    if place is None:
        return False
    if element is not None:
        return bool(point_in_box((place[0], place[1]), (element[0], element[1], element[2], element[3])))
    return ((place[0] - gold["x"]) ** 2 + (place[1] - gold["y"]) ** 2) ** 0.5 <= 0.14 * 1080


def _direction(prediction: dict[str, Any]) -> str:
    """Where the finger goes: `up` scrolls the page down."""
    (x1, y1), (x2, y2) = prediction["coordinate"], prediction["coordinate2"]
    if abs(x2 - x1) > abs(y2 - y1):
        return "right" if x2 > x1 else "left"
    return "down" if y2 > y1 else "up"


def _write(question: Question, sight: Sight) -> str:
    gold = question.truth["action"]
    transform = sight.transforms[0]
    width, height = transform.original_size
    kind = gold["action_type"]
    if kind in ("click", "long_press"):
        time = 2.0 if kind == "long_press" else None
        return format_action(Action("mobile", kind, coordinate=(gold["x"], gold["y"]), time=time), transform)
    if kind == "scroll":
        start = (width / 2, height / 2)
        moved = {"up": (0, -0.3), "down": (0, 0.3), "left": (-0.3, 0), "right": (0.3, 0)}[_OPPOSITE[gold["direction"]]]
        end = (start[0] + moved[0] * width, start[1] + moved[1] * height)
        return format_action(Action("mobile", "swipe", coordinate=start, coordinate2=end), transform)
    if kind in ("input_text", "open_app"):
        name = {"input_text": "type", "open_app": "open"}[kind]
        return format_action(Action("mobile", name, text=gold.get("text") or gold.get("app_name")), transform)
    if kind in ("navigate_back", "navigate_home"):
        button = {"navigate_back": "Back", "navigate_home": "Home"}[kind]
        return format_action(Action("mobile", "system_button", button=button), transform)
    return format_action(Action("mobile", "wait", time=2.0), transform)


def _guess(question: Question, sight: Sight, rng: Any) -> str:
    width, height = sight.transforms[0].original_size
    place = (rng.uniform(0, width), rng.uniform(0, height))
    return format_action(Action("mobile", "click", coordinate=place), sight.transforms[0])


FORM = AnswerFormat("mobile-action/1", _read, _write, _guess)
