"""Do a recorded run again and compare: each screen pixel by pixel, and the end state.

Exact in worlds, where a seed makes everything; on real screens the report says where they part. The policy
holds as in the first run: what it refuses now is not done, and what it wants confirmed is asked again; that somebody
said yes in the recording counts for nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from viewfinder.agent.environment import Environment, StepResult, Target, World
from viewfinder.agent.loop import Confirm
from viewfinder.agent.policy import Decision, Policy
from viewfinder.agent.secrets import Vault
from viewfinder.agent.trajectory import Trajectory
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import Picture
from viewfinder.outputs.actions import Action


@dataclass(frozen=True)
class Replay:
    """What a replay showed.

    Attributes:
        steps: actions done again.
        differing: per screen (one a step, and the last), the share of pixels that differ.
        same_state: whether the world ended in the same state; None where no state is known.
        stopped: why it could not go on; "" when it did.
    """

    steps: int
    differing: tuple[float, ...]
    same_state: bool | None
    stopped: str = ""

    @property
    def identical(self) -> bool:
        """The same screens to the pixel, and the same end state."""
        return not self.stopped and self.same_state is not False and not any(self.differing)


def replay(
    trajectory: Trajectory,
    environment: Environment,
    policy: Policy | None = None,
    *,
    vault: Vault | None = None,
    confirm: Confirm | None = None,
    compare_screens: bool = True,
    wait: Callable[[], None] = lambda: None,
) -> Replay:
    """Carry out a run's actions in an environment that was reset to the same seed.

    Args:
        policy: judges each action again; None is for worlds alone, where nothing is real.
        confirm: asked for what the policy wants confirmed now; None declines.

    Raises:
        ViewfinderError: no policy, and the environment is no world.
        wait: called before each look, for screens that need time.
    """
    if policy is None and not isinstance(environment, World):
        raise ViewfinderError("a run on a real screen is replayed under a policy alone, so nothing was done; give one")
    vault = vault or Vault()
    differing: list[float] = []
    done, stopped = 0, ""
    for step in trajectory.steps:
        if compare_screens and step.screen:
            wait()
            differing.append(_difference(trajectory.screen(step), environment.observe().picture))
        action = step.read_action()
        if action is None or not step.done or action.name == "terminate":
            continue
        target = environment.target(action.coordinate)
        decision = policy.judge(action, target, vault) if policy is not None else Decision("allow")
        if decision.verdict == "refuse":
            stopped = f"step {step.index} is refused by the policy"
            break
        asks = decision.verdict == "confirm"
        if asks and not (confirm and confirm(decision, action, environment.observe())):
            stopped = f"step {step.index} was not confirmed"
            break
        outcome = _act(environment, action, target, vault, confirmed=asks)
        if not outcome.done:
            stopped = f"step {step.index} could not be done again: {outcome.note}"
            break
        done += 1
    if compare_screens and trajectory.end.get("screen") and not stopped:
        wait()
        last = replace(trajectory.steps[-1], screen=trajectory.end["screen"])
        differing.append(_difference(trajectory.screen(last), environment.observe().picture))
    return Replay(done, tuple(differing), _same_state(trajectory, environment), stopped)


def _act(environment: Environment, action: Action, target: Target, vault: Vault, *, confirmed: bool) -> StepResult:
    if action.name == "type" and action.text:
        action = replace(action, text=vault.reveal(action.text))
    try:
        return environment.act(action, target if action.coordinate else None, confirmed=confirmed)
    except ViewfinderError as problem:
        return StepResult(False, str(problem))


def _same_state(trajectory: Trajectory, environment: Environment) -> bool | None:
    recorded = trajectory.end.get("state")
    if recorded is None or not isinstance(environment, World):
        return None
    return bool(environment.state() == recorded)


def _difference(recorded: Picture, now: Picture) -> float:
    if recorded.size != now.size:
        return 1.0
    return float((recorded.pixels != now.pixels).any(axis=2).mean()) if np.any(recorded.pixels != now.pixels) else 0.0
