"""Trajectories on disk: one JSON line a step beside the screens, readable even when a run was cut off.

    DIR/trajectory.jsonl    first line "start", one "step" each, last line "end"
    DIR/screens/0001.png    the screen that the step's answer was about

Everything passes through the vault's `scrub` before it is written. See `viewer` for people.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from viewfinder.agent.environment import Observation
from viewfinder.agent.secrets import Vault
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import load_image
from viewfinder.outputs.actions import Action
from viewfinder.outputs.json_lines import append_values, read_kept
from viewfinder.storage.atomic import replacing

VERSION = 1
_FILE = "trajectory.jsonl"
_SCREEN = re.compile(r"screens/\d+\.png")


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        index: from 1.
        screen: path of the picture, relative to the trajectory; the look on which the answer rests.
        where: URL or window then.
        reply: the model's whole text.
        thought: its words before the call.
        action: in pixels of the screen; None when the answer held none.
        transform: from the screen to what the model saw.
        verdict: allow, confirmed, declined, refuse, dry run, changed, malformed, repeated.
        kinds: the policy's reasons to be careful.
        target: role, label and place of what the action hit, as far as known.
        done: whether it was carried out.
        note: what the model was told about it.
        seconds: of the whole step; `tokens` of prompt and answer.
    """

    index: int
    screen: str
    where: str = ""
    reply: str = ""
    thought: str = ""
    action: dict[str, Any] | None = None
    transform: dict[str, Any] | None = None
    verdict: str = "allow"
    kinds: tuple[str, ...] = ()
    target: dict[str, Any] = field(default_factory=dict)
    done: bool = False
    note: str = ""
    seconds: float = 0.0
    tokens: int = 0

    def read_action(self) -> Action | None:
        """The action as a value."""
        return action_from_dict(self.action) if self.action else None


_STEP = TypeAdapter(Step)


@dataclass(frozen=True)
class Trajectory:
    """A run as read from disk. `end` is empty for a run that was cut off."""

    directory: Path
    start: dict[str, Any]
    steps: tuple[Step, ...]
    end: dict[str, Any]

    @property
    def task(self) -> str:
        return str(self.start.get("task", ""))

    @property
    def succeeded(self) -> bool:
        """Checked by the world where there is a check, else what the model said of itself."""
        checked = self.end.get("checked")
        return bool(self.end.get("reason") == "success" if checked is None else checked)

    def screen(self, step: Step) -> Any:
        """The picture of a step, as a `Picture` whose original is the screen."""
        return load_image(self.directory / step.screen)


class Recorder:
    """Writes a run to a directory, line by line.

    Raises:
        ViewfinderError: the directory already holds a run.
    """

    def __init__(self, directory: str | Path, vault: Vault | None = None) -> None:
        self.directory = Path(directory)
        self._vault = vault or Vault()
        self._file = self.directory / _FILE
        if self._file.exists():
            raise ViewfinderError(f"{self.directory} already holds a run, which would be lost; name another directory")
        (self.directory / "screens").mkdir(parents=True, exist_ok=True)

    def start(self, **about: Any) -> None:
        self._write({"kind": "start", "version": VERSION, **about})

    def screen(self, index: int, observation: Observation) -> str:
        """Save a screen; gives its path relative to the directory."""
        name = f"screens/{index:04d}.png"
        with replacing(self.directory / name) as partial:
            observation.picture.image.save(partial, compress_level=3)
        return name

    def step(self, step: Step) -> None:
        values = {key: value for key, value in vars(step).items() if value not in (None, "", (), {})}
        self._write({"kind": "step", **values})

    def end(self, **how: Any) -> None:
        self._write({"kind": "end", **how})

    def _write(self, line: dict[str, Any]) -> None:
        clean = _scrubbed(line, self._vault)
        append_values(self._file, [clean])


def load_trajectory(directory: str | Path) -> Trajectory:
    """Read a run; lines that are damaged or cut off are left out and named in the log.

    Raises:
        ViewfinderError: no run there, or lines that are none of it.
    """
    directory = Path(directory)
    if not (directory / _FILE).is_file():
        raise ViewfinderError(f"{directory} holds no {_FILE}, so there is no run to read; name a run's directory")
    items = read_kept(directory / _FILE, "kind")
    if not items or items[0].get("kind") != "start":
        raise ViewfinderError(f"{directory / _FILE} does not begin with a start line; it is no run of an agent")
    try:
        steps = tuple(_step(item) for item in items if item["kind"] == "step")
    except (TypeError, KeyError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ViewfinderError(f"{directory / _FILE} holds no step of a run ({reason}); the file is damaged") from None
    end = items[-1] if items[-1]["kind"] == "end" else {}
    return Trajectory(directory, items[0], steps, end)


def _step(item: dict[str, Any]) -> Step:
    values = {key: value for key, value in item.items() if key != "kind"}
    step = _STEP.validate_python(values, strict=False)
    if step.screen and not _SCREEN.fullmatch(step.screen):
        raise TypeError(f"the screen {step.screen[:60]!r} is none of the run's")
    return step


def action_from_dict(raw: dict[str, Any]) -> Action:
    """The inverse of `Action.to_dict`."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    return Action(device=values.pop("device"), name=values.pop("action"), **values)


def _scrubbed(value: Any, vault: Vault) -> Any:
    if isinstance(value, str):
        return vault.scrub(value)
    if isinstance(value, dict):
        return {vault.scrub(str(key)): _scrubbed(item, vault) for key, item in value.items()}
    if isinstance(value, (list, tuple, frozenset, set)):
        return [_scrubbed(item, vault) for item in value]
    return value
