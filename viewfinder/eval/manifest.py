"""The manifest: everything a score depends on, so that it can be made again and set beside another.

Its `hash` covers all but `run` (times, paths), so equal hashes mean equal scores made in equal ways, wherever and
in how many sittings.
"""

import hashlib
import inspect
import json
import platform
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from viewfinder.errors import EvaluationError
from viewfinder.eval.metrics.intervals import Interval, bootstrap_mean, bootstrap_total
from viewfinder.eval.question import Question
from viewfinder.eval.task import MediaSettings, Scored, Task, mean_percent
from viewfinder.materials.shipped import set_name
from viewfinder.media.digest import digest
from viewfinder.messages import Reply, Sampling, TextPart
from viewfinder.storage.atomic import write_whole
from viewfinder.storage.system_errors import read_json

FORMAT = 1
_PACKAGES = ("viewfinder", "numpy", "Pillow", "av", "torch", "faster-coco-eval", "pyarrow")


@dataclass(frozen=True)
class Score:
    """A task's headline number in the report's unit, its interval, the number of questions, and its manifest."""

    value: float
    interval: Interval
    n: int
    manifest: dict[str, Any]

    @property
    def hash(self) -> str:
        return str(self.manifest["hash"])


@dataclass
class Account:
    """What a run adds up: the data's hash, the stamps seen, tokens, failures, one prompt as an example."""

    content: Any = field(default_factory=hashlib.sha256)
    stamps: Counter[str] = field(default_factory=Counter)
    prompt: str = ""
    tokens: Counter[str] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    cut: int = 0

    def add(self, content: str, question: Question, reply: Reply | None, failure: str) -> None:
        self.content.update(content.encode())
        self.prompt = self.prompt or _as_text(question)
        if reply is not None:
            self.stamps[reply.stamp or "unknown"] += 1
            self.tokens.update(reply.usage.model_dump())
            self.cut += reply.finish_reason != "stop"
        if failure:
            self.failures[question.id] = failure


def _as_text(question: Question) -> str:
    return "\n".join(
        f"{m.role}: " + "".join(p.text if isinstance(p, TextPart) else f"<{p.type}>" for p in m.parts)
        for m in question.messages
    )


def plan(task: Task, subject: Any, settings: MediaSettings, sampling: Sampling, options: Any) -> dict[str, Any]:
    """What is settled before the first request; two runs with equal plans ask the same."""
    judge = options.judge if task.judge is not None else None
    return {
        "format": FORMAT,
        "task": task.name,
        "model": {"name": subject.name, "fingerprint": subject.fingerprint},
        "settings": settings.to_dict(),
        "sampling": sampling.model_dump(mode="json"),
        "limit": options.limit,
        "seed": options.seed,
        "constrained": options.constrained,
        "judge": None if judge is None else {"name": judge.name, "fingerprint": judge.fingerprint},
        "origin": options.origin,
    }


def begin(out: Path, wanted: dict[str, Any]) -> None:
    """Open a run's folder; what is begun there must be the same run.

    Raises:
        EvaluationError: it was begun with other settings; names each with both values.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "plan.json"
    if not path.exists():
        write_whole(path, json.dumps(wanted, indent=2, ensure_ascii=False) + "\n")
        return
    begun = read_json(path)
    changed = differences({**begun, "origin": None}, {**json.loads(json.dumps(wanted)), "origin": None})
    if changed:
        listed = "; ".join(f"{name} was {a!r} and is now {b!r}" for name, (a, b) in changed.items())
        raise EvaluationError(
            f"{out} holds a run begun with other settings ({listed}), so its answers cannot be mixed with new ones; "
            "give the same settings, or another --out"
        )


def conclude(task: Task, planned: dict[str, Any], scored: Sequence[Scored], account: Account, seed: int) -> Score:
    """Numbers, interval, gap to the report, versions; and the hash over all of it."""
    totals = task.total(scored)
    interval = interval_of(task, scored, seed)
    body: dict[str, Any] = {
        **{k: v for k, v in planned.items() if k != "origin"},
        "title": task.title,
        "data": {"hash": account.content.hexdigest()[:32], "n": len(scored), **_data(task)},
        "prompt": {"example": account.prompt},
        "parser": task.form.name if planned["judge"] is None else f"judge over {task.form.name}",
        "code": code_hashes(task),
        "stamps": dict(sorted(account.stamps.items())),
        "tokens": dict(account.tokens),
        "failures": account.failures,
        "cut": account.cut,
        "scores": {name: round(value, 6) for name, value in totals.items()},
        "by": breakdown(task, scored),
        "interval": [round(interval.low, 6), round(interval.high, 6), interval.level],
        "reported": dict(task.reported),
        "gap": {size: round(totals["score"] - value, 4) for size, value in task.reported.items()},
        "note": task.note,
        "versions": versions(),
    }
    manifest = {"hash": digest(body), **body, "run": {"origin": planned["origin"], "host": platform.machine()}}
    return Score(totals["score"], interval, len(scored), manifest)


def interval_of(task: Task, scored: Sequence[Scored], seed: int = 0) -> Interval:
    """95 % bootstrap interval of the headline number, by the task's clusters."""
    if task.total is mean_percent and not task.cluster:
        low, high, level = bootstrap_mean([100 * s.value for s in scored], seed=seed)
        return Interval(low, high, level)
    clusters: dict[str, list[object]] = {}
    for s in scored:
        clusters.setdefault(s.tags.get(task.cluster, s.id) if task.cluster else s.id, []).append(s)
    total: Callable[[list[Any]], float] = lambda items: task.total(items)["score"]  # noqa: E731
    return bootstrap_total(list(clusters.values()), total, seed=seed, resamples=400 if len(scored) < 5000 else 100)


def breakdown(task: Task, scored: Sequence[Scored], most: int = 60) -> dict[str, dict[str, Any]]:
    """The headline number for each value of each tag, with its count; tags of too many values are left out."""
    result: dict[str, dict[str, Any]] = {}
    for tag in sorted({tag for s in scored for tag in s.tags} - {task.cluster, "label"}):
        groups: dict[str, list[Scored]] = {}
        for s in scored:
            groups.setdefault(s.tags.get(tag, ""), []).append(s)
        if 1 < len(groups) <= most:
            result[tag] = {k: [round(task.total(v)["score"], 4), len(v)] for k, v in sorted(groups.items())}
    return result


def code_hashes(task: Task) -> dict[str, str]:
    """Hashes of the source of what made prompt, prediction and value: a change of code shows as a difference."""
    parts = {"questions": task.questions, "read": task.form.read, "score": task.score, "total": task.total}
    modules = {name: sys.modules.get(getattr(f, "func", f).__module__) for name, f in parts.items()}
    return {name: digest(inspect.getsource(module))[:16] for name, module in modules.items() if module is not None}


def versions() -> dict[str, str]:
    """Packages that could change a score, and Python."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _data(task: Task) -> dict[str, Any]:
    if task.data is None:
        return {"source": "generated", "materials": set_name()}
    return {"source": task.data.repo, "revision": task.data.revision}


def differences(a: Any, b: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Leaves that are not equal in two JSON values, by dotted path."""
    if isinstance(a, dict) and isinstance(b, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted({*a, *b}):
            found |= differences(a.get(key), b.get(key), f"{path}.{key}" if path else str(key))
        return found
    return {} if a == b else {path: (a, b)}


def read(path: Path) -> dict[str, Any]:
    """A manifest from its file or its run's folder.

    Raises:
        EvaluationError: there is none, or its hash does not belong to its content.
    """
    file = path / "manifest.json" if path.is_dir() else path
    if not file.is_file():
        raise EvaluationError(f"{path} has no manifest.json; a run writes it when all is done, so finish that first")
    manifest = read_json(file)
    body = {k: v for k, v in manifest.items() if k not in ("hash", "run")}
    if digest(body) != manifest.get("hash"):
        raise EvaluationError(f"{file} was edited: its hash does not belong to its content; make the score again")
    return manifest
