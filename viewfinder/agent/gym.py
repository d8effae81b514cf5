"""Worlds with the interface of gymnasium: `reset(seed=) -> (observation, info)`, `step(action) -> (observation, reward,
terminated, truncated, info)`. gymnasium itself is not needed; arrays and dictionaries are what it expects.

An action is an `Action`, or a tool call's text in pixels of the screen. Reward is 1 when the task becomes done.
"""

from typing import Any, ClassVar

import numpy as np

from viewfinder.errors import ViewfinderError
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import Action, parse_action


class WorldEnv:
    """One world.

    Args:
        world: any `World`.
        max_steps: steps after which an episode is cut off (truncated).
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"]}
    render_mode: ClassVar[str] = "rgb_array"

    def __init__(self, world: Any, max_steps: int = 30) -> None:
        self.world, self.max_steps = world, max_steps
        self._steps, self._over = 0, True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start the instance of a seed; the observation is the screen, (height, width, 3) uint8."""
        observation = self.world.reset(seed)
        self._steps, self._over = 0, False
        return observation.picture.pixels, {"task": self.world.task, "where": observation.where}

    def step(self, action: Action | str) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Do one action. An impossible one changes nothing and is named in `info["note"]`."""
        assert not self._over, "the episode is over; call reset"
        self._steps += 1
        note, ended = "", False
        try:
            if isinstance(action, str):
                size = self.world.observe().size
                action = parse_action(action, Transform.identity(size))
            ended = action.name == "terminate"
            if not ended:
                note = self.world.act(action).note
        except ViewfinderError as problem:
            note = str(problem)
        done = bool(self.world.success())
        terminated, truncated = done or ended, self._steps >= self.max_steps
        self._over = terminated or truncated
        observation = self.world.observe()
        info = {"task": self.world.task, "where": observation.where, "note": note, "success": done}
        return observation.picture.pixels, float(done), terminated, truncated and not terminated, info

    def render(self) -> np.ndarray:
        """The screen, (height, width, 3) uint8."""
        return self.world.observe().picture.pixels

    def close(self) -> None:
        self.world.close()
