"""Models that need no weights: one that says what it is told, and one that clicks anywhere.

`ScriptedModel` shows in a few lines what any `ChatModel` must do for the loop.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from viewfinder.media.image import Picture
from viewfinder.messages import ImagePart, Message, Reply, Sampling, Usage
from viewfinder.outputs.actions import Action, Device, format_action

Speaker = Callable[[Sequence[Message], Picture], str]
"""From the conversation and the picture of its last turn to the answer's text."""


class ScriptedModel:
    """Answers by a list of texts, or by a function. Remembers its requests."""

    def __init__(self, script: Sequence[str] | Speaker) -> None:
        self._script = script
        self.requests: list[Sequence[Message]] = []

    def chat(self, messages: Sequence[Message], *, sampling: Sampling | None = None, **options: Any) -> Reply:
        self.requests.append(messages)
        if callable(self._script):
            text = self._script(messages, last_picture(messages))
        else:
            text = self._script[min(len(self.requests), len(self._script)) - 1]
        return Reply(text=text, usage=Usage(prompt_tokens=len(messages), completion_tokens=len(text.split())))

    def stream(self, messages: Sequence[Message], **options: Any) -> Iterator[str | Reply]:
        reply = self.chat(messages, **options)
        yield reply.text
        yield reply


def last_picture(messages: Sequence[Message]) -> Picture:
    """The screen of the last turn, at the size for the model."""
    parts = [part for message in messages for part in message.parts if isinstance(part, ImagePart)]
    assert parts, "the conversation holds no screen"
    return parts[-1].image


def say(thought: str, action: Action, picture: Picture) -> str:
    """A thought and a call as a model writes them, the action's places in pixels of the screen."""
    return f"{thought}\n{format_action(action, picture.transform)}"


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
