"""The solver: from a world's hint to one action on its screen, with the place that counts. Knows the truth, so it
is the upper end of every table and the source of training samples; it sees no pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from viewfinder.agent.scripted import ScriptedModel, say
from viewfinder.agent.worlds.app import Hint
from viewfinder.media.image import Picture
from viewfinder.media.transform import Box
from viewfinder.messages import Message
from viewfinder.outputs.actions import Action


@dataclass(frozen=True)
class Move:
    """What the solver would do now.

    Attributes:
        thought: one sentence.
        action: in pixels of the screen.
        box: what the action is to hit, pixels of the screen; None for keys, text and the end.
        id: of the widget.
    """

    thought: str
    action: Action
    box: Box | None = None
    id: str = ""


def next_move(world: Any) -> Move:
    """The next action in a `Staged` world."""
    hint: Hint | None = world.app.hint()
    if world.success():
        return Move("The task is done.", Action(world.device, "terminate", status="success"))
    widget = world.view().find(hint.id) if hint else None
    if hint is None or widget is None:
        return Move("This can no longer be done.", Action(world.device, "terminate", status="failure"))
    boxes = world.boxes()
    if hint.value is not None and (option := f"{hint.id}={hint.value}") in boxes:
        return _press(world, boxes[option], f"The list is open, so I choose {hint.value}.", option)
    if widget.kind == "field" and world.focus() == hint.id:
        return _write(world, widget.value, hint)
    box = boxes[hint.id]
    if hint.at is not None:
        x, y, radius = hint.at
        width, height = box[2] - box[0], box[3] - box[1]
        r = radius * min(width, height)
        x, y = box[0] + x * width, box[1] + y * height
        box = (x - r, y - r, x + r, y + r)
    first = {"field": "First I click into the field.", "choice": "First I open the list."}.get(widget.kind, "")
    return _press(world, box, f"{hint.thought} {first}".strip(), hint.id)


def _press(world: Any, box: Box, thought: str, id: str) -> Move:
    width, height = world.screen_size
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if not 0 <= y < height:
        return _scroll(world, y - height / 2, (width, height))
    box = max(0.0, box[0]), max(0.0, box[1]), min(width, box[2]), min(height, box[3])
    return Move(thought, Action(world.device, "click" if world.touch else "left_click", coordinate=(x, y)), box, id)


def _scroll(world: Any, down: float, size: tuple[int, int]) -> Move:
    """`down` is how far what is wanted lies below the middle, in pixels."""
    where = "below" if down > 0 else "above"
    thought = f"What I need is not on the screen, so I look {where}."
    if not world.touch:
        return Move(thought, Action("computer", "scroll", pixels=-float(round(down))))
    reach = max(-0.6 * size[1], min(0.6 * size[1], down))
    begin = size[1] / 2 + reach / 2
    x = size[0] - 4.0  # beside buttons
    return Move(thought, Action("mobile", "swipe", coordinate=(x, begin), coordinate2=(x, begin - reach)))


def _write(world: Any, there: str, hint: Hint) -> Move:
    assert hint.value is not None
    if there and not hint.value.startswith(there):
        clear = Action("mobile", "key", text="clear") if world.touch else Action("computer", "key", keys=("ctrl", "a"))
        return Move("The field holds something else, so I select it to write over it.", clear, id=hint.id)
    return Move(hint.thought, Action(world.device, "type", text=hint.value[len(there) :]), id=hint.id)


def solver(world: Any) -> ScriptedModel:
    """The solver as a model: it answers with its next move, in pixels of the picture that it is shown."""

    def speak(messages: Sequence[Message], picture: Picture) -> str:
        move = next_move(world)
        return say(move.thought, move.action, picture)

    return ScriptedModel(speak)
