"""Players that need no model: the lower end of every table. The upper end is `worlds.solver` or `miniwob.oracle`."""

from collections.abc import Sequence

import numpy as np

from viewfinder.agent.scripted import ScriptedModel, say
from viewfinder.media.image import Picture
from viewfinder.messages import Message
from viewfinder.outputs.actions import Action, Device


def random_clicker(device: Device, seed: int = 0) -> ScriptedModel:
    """Clicks anywhere on the screen, forever."""
    rng = np.random.default_rng(seed)

    def speak(messages: Sequence[Message], picture: Picture) -> str:
        width, height = picture.transform.original_size
        place = float(rng.uniform(0, width)), float(rng.uniform(0, height))
        return say(
            "I try here.", Action(device, "click" if device == "mobile" else "left_click", coordinate=place), picture
        )

    return ScriptedModel(speak)
