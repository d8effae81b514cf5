"""Two scores side by side: what was done differently, and whether the difference could be chance.

Questions are paired by id. Values of 0 and 1 get McNemar's exact test, others a permutation of signs; the difference
gets a bootstrap interval over the pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viewfinder.errors import EvaluationError
from viewfinder.eval import manifest as manifests
from viewfinder.eval.manifest import Score
from viewfinder.eval.metrics.intervals import Interval, bootstrap_mean, mcnemar, paired_permutation
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.eval.session import BASELINES, open_data
from viewfinder.eval.source import Files
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.eval.tasks import find_task
from viewfinder.messages import Sampling
from viewfinder.outputs.json_lines import read_values

_RESULTS = ("scores", "by", "interval", "gap", "hash", "run", "tokens", "failures", "cut")
"""Parts of a manifest that follow from the run and are no settings."""


@dataclass(frozen=True)
class Comparison:
    """B against A.

    Attributes:
        task: both scores' task.
        scores: headline numbers of A and B.
        changed: settings that differ, by dotted path, as (A, B).
        pairs: questions that both answered.
        difference: mean of the paired differences of values, B - A, and its interval.
        p: probability of a difference as large by chance.
        test: which test gave it.
        better, worse: ids of questions that B does better or worse on.
    """

    task: str
    scores: tuple[float, float]
    changed: dict[str, tuple[Any, Any]]
    pairs: int
    difference: float
    interval: Interval
    p: float
    test: str
    better: list[str]
    worse: list[str]

    @property
    def significant(self) -> bool:
        return self.p < 0.05

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "interval": list(self.interval), "significant": self.significant}

    def sentence(self) -> str:
        """The result in words."""
        lines = [f"{self.task}: {self.scores[0]:.2f} -> {self.scores[1]:.2f}"]
        verdict = "significant" if self.significant else "could be chance"
        lines.append(
            f"paired over {self.pairs} questions: mean value {self.difference:+.4f} "
            f"[{self.interval.low:+.4f}, {self.interval.high:+.4f}], p = {self.p:.4g} ({self.test}): {verdict}"
        )
        lines.append(f"better on {len(self.better)}, worse on {len(self.worse)}")
        lines += [f"changed  {name}: {a!r} -> {b!r}" for name, (a, b) in self.changed.items()]
        return "\n".join(lines if self.changed else [*lines, "nothing else changed"])


def compare(first: Path, second: Path, seed: int = 0) -> Comparison:
    """Compare two runs by their folders.

    Raises:
        EvaluationError: a folder holds no finished run, or they are of two tasks, or share no question.
    """
    a, b = manifests.read(first), manifests.read(second)
    if a["task"] != b["task"]:
        raise EvaluationError(f"{first} is a run of {a['task']} and {second} of {b['task']}; compare runs of one task")
    before, after = _values(first), _values(second)
    shared = [i for i in before if i in after]
    if not shared:
        raise EvaluationError(f"{first} and {second} have no question in common; run them with the same limit and seed")
    x, y = [before[i] for i in shared], [after[i] for i in shared]
    differences = [q - p for p, q in zip(x, y, strict=True)]
    binary = set(x) | set(y) <= {0.0, 1.0}
    p = mcnemar([v > 0 for v in x], [v > 0 for v in y]) if binary else paired_permutation(x, y, seed=seed)
    return Comparison(
        task=a["task"],
        scores=(a["scores"]["score"], b["scores"]["score"]),
        changed=manifests.differences(settings_of(a), settings_of(b)),
        pairs=len(shared),
        difference=sum(differences) / len(shared),
        interval=bootstrap_mean(differences, seed=seed),
        p=p,
        test="McNemar, exact" if binary else "paired permutation",
        better=[i for i, d in zip(shared, differences, strict=True) if d > 0],
        worse=[i for i, d in zip(shared, differences, strict=True) if d < 0],
    )


def settings_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The parts of a manifest that were settled before the run."""
    return {k: v for k, v in manifest.items() if k not in _RESULTS}


def _values(run: Path) -> dict[str, float]:
    folder = run if run.is_dir() else run.parent
    path = folder / "predictions.jsonl"
    if not path.is_file():
        raise EvaluationError(f"{folder} has no predictions.jsonl, which pairs questions; keep it beside the manifest")
    return {line["id"]: float(line["value"]) for line in read_values(path)}


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
