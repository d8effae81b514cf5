"""Episodes: a model plays worlds; success rate with its interval, steps, and clicks that hit what they should.

    rows = play_worlds(lambda world, seed: model, ["mail", "shop"], seeds=range(50), make=make)
    print(table(rows))

A click counts as inside when it lies in the box that the solver would hit at that moment.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from viewfinder.agent.environment import Environment, StepResult, Target
from viewfinder.agent.loop import Agent
from viewfinder.agent.policy import Policy
from viewfinder.agent.settings import Settings
from viewfinder.agent.trajectory import Recorder
from viewfinder.agent.worlds.solver import next_move
from viewfinder.agent.worlds.stage import Staged
from viewfinder.errors import ViewfinderError
from viewfinder.media.transform import Box
from viewfinder.messages import ChatModel
from viewfinder.outputs.actions import Action
from viewfinder.storage.atomic import remove_partials, write_whole
from viewfinder.storage.lock import locked
from viewfinder.storage.system_errors import read_json

_PLAYED = "played.json"
PolicyFactory = Callable[[Any, int], ChatModel]
"""From the world and its seed to the model or baseline that acts in it."""


@dataclass(frozen=True)
class Played:
    """One episode: `clicks` of which `inside` hit their target; `reason` as the loop gives it."""

    world: str
    seed: int
    success: bool
    steps: int
    clicks: int
    inside: int
    reason: str
    seconds: float


@dataclass
class Row:
    """All episodes of one world."""

    world: str
    played: list[Played] = field(default_factory=list)

    @property
    def successes(self) -> int:
        return sum(one.success for one in self.played)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: rates with their 95 % intervals, and every episode."""
        count, clicks = len(self.played), sum(one.clicks for one in self.played)
        inside = sum(one.inside for one in self.played)
        return {
            "world": self.world,
            "n": count,
            "success": self.successes / max(1, count),
            "interval": wilson(self.successes, count),
            "steps": sum(one.steps for one in self.played) / max(1, count),
            "clicks": clicks,
            "inside": inside / max(1, clicks),
            "inside_interval": wilson(inside, clicks),
            "episodes": [asdict(one) for one in self.played],
        }


class Watched:
    """A world that counts clicks and those inside the target; the episode ends when the world has judged."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.clicks = self.inside = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        if action.coordinate and "click" in action.name:
            self.clicks += 1
            box = target_box(self._world)
            x, y = action.coordinate
            self.inside += bool(box and box[0] <= x < box[2] and box[1] <= y < box[3])
        return self._world.act(action, expected, confirmed=confirmed)


def target_box(world: Any) -> Box | None:
    """What is to be hit now, in pixels of the screen."""
    return next_move(world).box if isinstance(world, Staged) else world.target_box()


class _Over(ChatModel):
    """Says that it is over as soon as the world has judged, so that a policy without eyes stops too."""

    def __init__(self, model: ChatModel, world: Any) -> None:
        self._model, self._world = model, world

    def chat(self, messages: Any, **options: Any) -> Any:
        return self._model.chat(messages, **options)

    def stream(self, messages: Any, **options: Any) -> Any:
        if self._is_over():
            from viewfinder.agent.scripted import ScriptedModel, last_picture, say

            done = Action(self._world.device, "terminate", status="success")
            return ScriptedModel([say("It is over.", done, last_picture(messages))]).stream(messages)
        return self._model.stream(messages, **options)

    def _is_over(self) -> bool:
        over = getattr(self._world, "over", None)
        return bool(over() if over else self._world.success())


def play(
    model: ChatModel, world: Any, seed: int, settings: Settings | None = None, directory: Path | None = None
) -> Played:
    """One episode in a world that stands at its start; success is the world's own word, not the model's.

    Args:
        directory: where the run is recorded.
    """
    watched = Watched(world)
    policy = Policy(apps=("*",), domains=(f"{world.name}.test", "miniwob.test"), confirm=frozenset(), writes="any")
    recorder = Recorder(directory) if directory else None
    environment = cast(Environment, watched)  # what it has not itself is the world's
    agent = Agent(_Over(model, world), environment, policy, settings=settings or Settings(steps=15), recorder=recorder)
    about: dict[str, object] = world.about if isinstance(world, Staged) else {"page": world.name, "seed": seed}
    episode = agent.run(world.task, about=about)
    return Played(
        world.name,
        seed,
        world.success(),
        episode.steps,
        watched.clicks,
        watched.inside,
        episode.reason,
        episode.seconds,
    )


def play_worlds(
    policy_of: PolicyFactory,
    names: Iterable[str],
    seeds: Sequence[int],
    make: Callable[[str, int], Any],
    *,
    settings: Settings | None = None,
    record: Path | None = None,
    about: dict[str, Any] | None = None,
    on_episode: Callable[[Played], None] = lambda played: None,
) -> list[Row]:
    """Every world with every seed.

    Args:
        make: from name and seed to a world, which is reset for each further seed and closed at the end.
        record: a directory that gets a run for each episode; those that are finished there are not played again.
        about: what episodes depend on beside world and seed, such as the model.

    Raises:
        ViewfinderError: `record` has an episode of another `about`.
        OutputInUse: another process records there.
    """
    with locked(record) if record else nullcontext():
        return [_play_world(policy_of, name, seeds, make, settings, record, about or {}, on_episode) for name in names]


def _play_world(
    policy_of: PolicyFactory,
    name: str,
    seeds: Sequence[int],
    make: Callable[[str, int], Any],
    settings: Settings | None,
    record: Path | None,
    about: dict[str, Any],
    on_episode: Callable[[Played], None],
) -> Row:
    row = Row(name)
    world = make(name, seeds[0])
    try:
        for i, seed in enumerate(seeds):
            if i:
                world.reset(seed)
            directory = record / f"{name}-{seed}" if record else None
            played = _finished(directory, about) if directory else None
            if played is None:
                _note(directory, about, None)
                played = play(policy_of(world, seed), world, seed, settings, directory)
                _note(directory, about, played)
            row.played.append(played)
            on_episode(played)
    finally:
        world.close()
    return row


def _note(directory: Path | None, about: dict[str, Any], played: Played | None) -> None:
    """Mark a recorded episode as begun (None) or done."""
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(directory / _PLAYED, json.dumps({"about": about, "played": asdict(played) if played else None}))


def _finished(directory: Path, about: dict[str, Any]) -> Played | None:
    """The episode recorded in a directory; one of ours that a stop left half done is removed."""
    remove_partials(directory)
    if not (directory / _PLAYED).is_file():
        return None  # a run of anybody else there is refused by the recorder
    kept = read_json(directory / _PLAYED)
    if kept["about"] != about:
        raise ViewfinderError(
            f"{directory} has an episode of {kept['about']} and this one is of {about}, which would mix; name "
            "another folder"
        )
    if kept["played"] is None:
        shutil.rmtree(directory / "screens", ignore_errors=True)
        (directory / "trajectory.jsonl").unlink(missing_ok=True)  # the mark stays: this too may be stopped
        return None
    return Played(**kept["played"])


def wilson(successes: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate: 9 of 10 gives about (0.60, 0.98)."""
    if count == 0:
        return 0.0, 1.0
    rate, zz = successes / count, z * z
    middle = (rate + zz / (2 * count)) / (1 + zz / count)
    half = z / (1 + zz / count) * math.sqrt(rate * (1 - rate) / count + zz / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def table(rows: Sequence[Row]) -> str:
    """For people: a line a world and one for all."""
    total = Row("all", [one for row in rows for one in row.played])
    lines = [f"{'world':<20} {'n':>4} {'success':>8} {'95 % interval':>15} {'steps':>6} {'inside':>7}"]
    for row in [*rows, total]:
        d = row.to_dict()
        low, high = d["interval"]
        rates = f"{d['success']:>8.1%} {f'{low:.1%}..{high:.1%}':>15} {d['steps']:>6.1f} {d['inside']:>7.1%}"
        lines.append(f"{d['world']:<20} {d['n']:>4} {rates}")
    return "\n".join(lines)
