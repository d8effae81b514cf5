"""A screen made of pictures: in a few lines what any environment of the agent must do."""

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from viewfinder.agent.environment import Observation, StepResult, Target
from viewfinder.media.image import Picture
from viewfinder.media.transform import Box, Transform
from viewfinder.outputs.actions import Action, Device


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
