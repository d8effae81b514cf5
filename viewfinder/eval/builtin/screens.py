"""Point at the named element of a rendered screen: inside the element. Held-out names, layouts and fonts."""

import numpy as np

from viewfinder.eval.answer_format import point
from viewfinder.eval.builtin.drawing import builtin, first_turn, has, held_out
from viewfinder.eval.question import Question
from viewfinder.eval.scores import inside
from viewfinder.eval.task import Task


def click(rng: np.random.Generator, number: int) -> Question | None:
    """One element by what it is called; what is not there is not asked for."""
    sample = held_out("screens", rng, "point", min_side=196, max_side=336)
    if sample is None:
        return None
    asked, _, truth = first_turn(sample)
    return Question(f"{number}", (asked,), {"boxes": truth["boxes"]}) if len(truth["boxes"]) == 1 else None


TASKS: tuple[Task, ...] = ()
if has("screens"):
    TASKS = (
        builtin(
            "click",
            "Click the named element of a screen, inside it",
            click,
            point,
            inside,
            max_new_tokens=128,
        ),
    )
