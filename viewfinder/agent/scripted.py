"""Doubles that are part of the package: a screen made of pictures, and a model that says what it is told.

`ScriptedModel` shows in a few lines what any `ChatModel` must do for the loop; `ScriptedScreen` what any
environment must.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.agent.environment import Observation, StepResult, Target
from viewfinder.media.image import Picture
from viewfinder.media.transform import Box, Transform
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


@dataclass
class ScriptedScreen:
    """Pictures, and boxes on them that lead from one to another.

    Attributes:
        pictures: by name; `start` is shown first.
        goal: the picture that counts as success.
        links: of each picture, boxes in its pixels and the picture that a click there leads to.
        targets: what a box is to a policy; plain buttons where nothing is said.
    """

    pictures: dict[str, Image.Image]
    links: dict[str, list[tuple[Box, str]]] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    start: str = "start"
    goal: str = "goal"
    device: Device = "computer"
    done: list[Action] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.current = self.start

    def reset(self, seed: int | None = None) -> Observation:
        self.current = self.start
        self.done.clear()
        return self.observe()

    def observe(self) -> Observation:
        image = self.pictures[self.current]
        return Observation(Picture(image, Transform.identity(image.size)), where=self.current)

    def target(self, xy: tuple[float, float] | None) -> Target:
        leads = self._leads_to(xy) if xy else None
        plain = Target(role="button" if leads else "", label=leads or "", where=self.current, identity=leads or "")
        return self.targets.get(leads or self.current, plain)

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        self.done.append(action)
        leads = self._leads_to(action.coordinate) if action.coordinate else None
        self.current = leads or self.current
        return StepResult()

    def state(self) -> dict[str, Any]:
        return {"current": self.current}

    def success(self) -> bool:
        return self.current == self.goal

    def close(self) -> None:
        pass

    def _leads_to(self, xy: tuple[float, float]) -> str | None:
        for (x0, y0, x1, y1), name in self.links.get(self.current, []):
            if x0 <= xy[0] < x1 and y0 <= xy[1] < y1:
                return name
        return None


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
