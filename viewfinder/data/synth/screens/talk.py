"""The kind "screens": finding, pointing at, listing and describing widgets, and the next action towards a goal."""

from collections.abc import Sequence

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, pick, weighted
from viewfinder.data.synth.exchange import Exchange, converse, one_or_two
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.screens.actions import act
from viewfinder.data.synth.screens.names import BUTTONS, SETTINGS
from viewfinder.data.synth.screens.screens import Screen, draw_screen
from viewfinder.data.synth.screens.widgets import Widget
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.points import Point, format_points


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A screen with an action to take, or one or two questions."""
    screen = draw_screen(rng, options)
    if chance(rng, 0.45):
        return act(rng, screen, options.difficulty)
    exchanges = one_or_two(rng, lambda: ask_screen(rng, screen), 0.35)
    return converse(exchanges, screen.image, lineage=("widgets",))


def ask_screen(rng: np.random.Generator, screen: Screen) -> Exchange:
    """One exchange about a screen."""
    task = weighted(
        rng, {"locate": 3.0, "point": 2.0, "list": 1.2, "state": 1.5, "caption": 0.8, "absent": 0.8, "region": 0.7}
    )
    alone = screen.alone()
    if task == "absent" or not alone:
        return _absent(rng, screen)
    widget = pick(rng, alone)
    if task == "list":
        boxes = [Box(*map(float, w.box), label=w.name, extra={"role": w.role}) for w in screen.widgets]
        question = "Locate every element of the interface, output the bbox coordinates, names and roles in JSON format."
        truth = {"boxes": [list(w.box) for w in screen.widgets], "labels": [w.name for w in screen.widgets]}
        return Exchange("elements", question, format_boxes(boxes, screen.frame), "boxes", truth=truth)
    if task == "state":
        return _state(rng, screen) or _located(f"the {widget.called}", [widget], screen)
    if task == "caption":
        return describe(rng, screen)
    if task == "region":
        place = ", ".join(str(v) for v in widget.box)
        question = f"Which element is in the region [{place}]?"
        return Exchange("region", question, widget.called, question_form="inline", truth={"answer": widget.called})
    if task == "point":
        return _pointed(f"the {widget.called}", [widget], screen)
    return _located(f"the {widget.called}", [widget], screen)


def _located(phrase: str, found: Sequence[Widget], screen: Screen) -> Exchange:
    boxes = [Box(*map(float, w.box), label=w.called) for w in found]
    truth = {"boxes": [list(w.box) for w in found]}
    return Exchange("locate", prompts.locate_prompt(phrase), format_boxes(boxes, screen.frame), "boxes", truth=truth)


def _pointed(phrase: str, found: Sequence[Widget], screen: Screen) -> Exchange:
    points = [Point(*w.press, label=w.called) for w in found]
    truth = {"boxes": [list(w.box) for w in found]}
    return Exchange("point", prompts.point_prompt(phrase), format_points(points, screen.frame), "points", truth=truth)


def _absent(rng: np.random.Generator, screen: Screen) -> Exchange:
    here = {w.name for w in screen.widgets}
    role, pool = pick(rng, (("button", BUTTONS), ("switch", SETTINGS), ("checkbox", SETTINGS)))
    name = pick(rng, [n for n in pool if n not in here])
    if chance(rng, 0.5):
        return _pointed(f"the {name} {role}", [], screen)
    return _located(f"the {name} {role}", [], screen)


def _state(rng: np.random.Generator, screen: Screen) -> Exchange | None:
    """Whether something is on, or what is in a field."""
    known = [w for w in screen.alone() if w.checked is not None or w.role in ("text field", "dropdown", "slider")]
    if not known:
        return None
    widget = pick(rng, known)
    if widget.checked is not None:
        on = "selected" if widget.role in ("radio button", "tab") else "on" if widget.role == "switch" else "checked"
        answer = "Yes" if widget.checked else "No"
        return Exchange("ask", f"Is the {widget.called} {on}?", answer, truth={"answer": answer})
    answer = widget.value or "It is empty."
    question = (
        f"What is in the {widget.called}?" if widget.role == "text field" else f"What is the {widget.called} set to?"
    )
    return Exchange("ask", question, answer, truth={"answer": widget.value})


def describe(rng: np.random.Generator, screen: Screen) -> Exchange:
    """The screen in words, from top to bottom."""
    told = [_told(w) for w in screen.widgets]
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}" if told else "nothing to press"
    what = "A phone's page" if screen.device == "mobile" else "A window"
    answer = f"{what} titled {screen.title} with {listed}."
    question = pick(rng, ("Describe this screenshot.", "What is on the screen?"))
    return Exchange("caption", question, answer, truth={"names": [w.name for w in screen.widgets]})


def _told(widget: Widget) -> str:
    words = f"the {widget.called}"
    if widget.checked is not None and widget.role in ("switch", "checkbox"):
        return f"{words} ({'on' if widget.checked else 'off'})"
    if widget.checked:
        return f"{words} (selected)"
    return f"{words} ({widget.value})" if widget.value else words
