"""The kind "shapes": a conversation about one scene of named shapes and text lines."""

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import number
from viewfinder.data.synth.fonts import find_families
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.questions import TASKS, Turn, conversation, make_turn
from viewfinder.data.synth.scene import make_scene
from viewfinder.data.synth.scene_style import SceneStyle

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
