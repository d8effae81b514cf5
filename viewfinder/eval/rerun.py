"""A score made again from its manifest: same questions, settings, seed; the number must be the same.

Where it is not, the settings that differ (packages, data, weights, code) are named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viewfinder.eval import manifest as manifests
from viewfinder.eval.compare import settings_of
from viewfinder.eval.errors import EvaluationError
from viewfinder.eval.manifest import Score
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.eval.session import BASELINES, open_data
from viewfinder.eval.source import Files
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.eval.tasks import find_task
from viewfinder.messages import Sampling


@dataclass(frozen=True)
class Repeated:
    """The number then and now. `same_hash` means that everything else is the same too; `changed` names what is not."""

    task: str
    before: float
    score: Score
    same_hash: bool
    changed: dict[str, tuple[Any, Any]]

    @property
    def same(self) -> bool:
        return round(self.score.value, 6) == self.before

    def to_dict(self) -> dict[str, Any]:
        now = {"before": self.before, "now": round(self.score.value, 6), "same": self.same}
        return {"task": self.task, **now, "same_hash": self.same_hash, "changed": self.changed}

    def sentence(self) -> str:
        verdict = "the same number" if self.same else "ANOTHER number"
        lines = [f"{self.task}: {self.before:.4f} then, {self.score.value:.4f} now: {verdict}"]
        if self.same_hash:
            lines.append("and the same manifest hash")
        return "\n".join([*lines, *(f"changed  {k}: {a!r} -> {b!r}" for k, (a, b) in self.changed.items())])


def check(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest at `path`, and where its run came from, its `model` a checkpoint's, a server's or a baseline's name.

    Raises:
        EvaluationError: no manifest, an edited one, or one that does not say which model it asked.
    """
    manifest = manifests.read(path)
    origin = dict(manifest["run"]["origin"])
    if "model" not in origin:
        raise EvaluationError(f"{path} does not say which model was asked, so it cannot be made again from here")
    name = manifest["model"]["name"]
    if name in BASELINES:
        origin |= {"model": name, "server": None}
    elif name == "untrained" or name.endswith(", blank pictures"):
        raise EvaluationError(f"{path} is of a model beside another; make the other again with the same --beside")
    return manifest, origin


def repeat(
    manifest: dict[str, Any],
    subject: Callable[[Task, Files, RunOptions], Subject],
    judge: Subject | None = None,
    out: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Repeated:
    """Ask everything again; nothing is taken from an earlier run's cache.

    Raises:
        EvaluationError: `out` holds a run already.
    """
    if out is not None and out.exists() and any(out.iterdir()):
        raise EvaluationError(f"{out} is not empty, and a rerun asks everything anew; name a new folder")
    task = find_task(manifest["task"])
    origin = manifest["run"]["origin"]
    data = origin.get("data")
    files = open_data(task, Path(data) if data else None)
    options = RunOptions(
        out=out,
        limit=manifest["limit"],
        seed=manifest["seed"],
        settings=MediaSettings(**manifest["settings"]),
        sampling=Sampling(**manifest["sampling"]),
        constrained=manifest["constrained"],
        judge=judge,
        progress=progress,
        origin=origin,
    )
    score = run(task, files, subject(task, files, options), options)
    changed = manifests.differences(settings_of(manifest), settings_of(score.manifest))
    return Repeated(task.name, manifest["scores"]["score"], score, score.hash == manifest["hash"], changed)
