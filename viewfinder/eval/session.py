"""Several tasks with one model and others beside it: folders, files, one table, one page.

    OUT/index.html          every question, sortable
    OUT/scores.json         the table as data
    OUT/MODEL/TASK/         manifest.json, predictions.jsonl, replies.jsonl, plan.json

A task that cannot be run (its data are missing) does not stop the others.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from viewfinder.errors import ViewfinderError
from viewfinder.eval.baselines import Baseline, Blindfold
from viewfinder.eval.manifest import Score
from viewfinder.eval.report import Gallery, page
from viewfinder.eval.runner import Jobs, RunOptions, Subject, run
from viewfinder.eval.source import Files
from viewfinder.eval.task import Task
from viewfinder.messages import ChatModel
from viewfinder.storage.atomic import write_whole

BASELINES = {"perfect": "perfect", "chance": "random", "one-answer": "blind"}
"""Models that need no weights, by the name they have on the command line."""
GENERATED = Files(Path("generated"), "generated")


@dataclass(frozen=True)
class NamedModel:
    """Who answers: `name` names its folder and column; `subject` makes it for a task."""

    name: str
    subject: Callable[[Task, Files, RunOptions], Subject]


@dataclass
class Results:
    """Scores by task and model, galleries of the first model, and what could not be run."""

    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    galleries: dict[str, Gallery] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: for each task the number, interval, count, report's numbers and hash of every model."""
        return {
            "scores": {task: {p: _told(s) for p, s in of.items()} for task, of in self.scores.items()},
            "problems": self.problems,
        }


def _told(score: Score) -> dict[str, Any]:
    m = score.manifest
    told = {key: m[key] for key in ("scores", "by", "reported", "gap", "failures", "cut", "hash")}
    return {"score": round(score.value, 4), "interval": m["interval"][:2], "n": score.n, **told}


def named_model(name: str, subject: Subject) -> NamedModel:
    """One model for all tasks."""
    return NamedModel(name, lambda task, files, options: subject)


def blindfolded(subject: Subject, jobs: Callable[[ChatModel], Jobs] | None = None) -> NamedModel:
    """The same model with blank pictures; its answers are kept apart from the seeing one's. `jobs` makes the jobs of
    a model."""
    model = Blindfold(subject.model)
    blind = replace(subject, model=model, name=f"{subject.name}, blank pictures", jobs=jobs(model) if jobs else {})
    return NamedModel("blind", lambda task, files, options: blind)


def baseline(name: str) -> NamedModel:
    """A model without weights, one of `BASELINES`."""

    def make(task: Task, files: Files, options: RunOptions) -> Subject:
        questions, _ = task.drawn(files, options.limit, options.seed)
        return Subject(Baseline(BASELINES[name], task, questions, options.seed), name)

    return NamedModel(name, make)


def open_data(task: Task, folder: Path | None) -> Files:
    """Where a task's data are: `folder/TASK`, else `folder` itself, else the hub; nothing for generated tasks."""
    if task.data is None:
        return GENERATED
    if folder is not None and (folder / task.name).is_dir():
        folder = folder / task.name
    return task.data.open(folder)


def play(
    tasks: Sequence[Task],
    models: Sequence[NamedModel],
    out: Path,
    options: Callable[[Task], RunOptions],
    data: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    title: str = "",
) -> Results:
    """Run all tasks with all models; questions of the first model are shown on the page. Writes the files named above.

    Args:
        options: how to run a task, but for folder, page and progress.
        progress: called with the names of model and task, questions done and all.
    """
    results = Results()
    for task in tasks:
        for number, one in enumerate(models):
            gallery = Gallery(number_of_rows(len(tasks))) if number == 0 else None
            try:
                results.scores.setdefault(task.name, {})[one.name] = _play(
                    task, one, out, options(task), data, gallery, progress
                )
            except ViewfinderError as error:
                results.problems[f"{task.name} with {one.name}"] = str(error)
                continue
            if gallery is not None:
                results.galleries[task.name] = gallery
    _write(results, out, models, title)
    return results


def number_of_rows(tasks: int) -> int:
    """Questions a task may show, so that a page stays within a few megabytes."""
    return max(12, 480 // tasks)


def _play(
    task: Task,
    one: NamedModel,
    out: Path,
    options: RunOptions,
    data: Path | None,
    gallery: Gallery | None,
    progress: Callable[[str, int, int], None] | None,
) -> Score:
    files = open_data(task, data)
    shown = None if progress is None else (lambda done, total: progress(f"{one.name}: {task.name}", done, total))
    options = replace(options, out=out / one.name / task.name, progress=shown)
    if gallery is not None:
        options = replace(options, on_scored=gallery.add)
    return run(task, files, one.subject(task, files, options), options)


def _write(results: Results, out: Path, models: Sequence[NamedModel], title: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "scores.json", json.dumps(results.to_dict(), indent=1, ensure_ascii=False) + "\n")
    first = models[0].name
    runs = [(results.scores[task][first], gallery) for task, gallery in results.galleries.items()]
    others = {task: {n: s for n, s in of.items() if n != first} for task, of in results.scores.items()}
    write_whole(out / "index.html", page(runs, title or first, others))


def table(
    results: Results, tasks: Mapping[str, Task], models: Sequence[NamedModel]
) -> tuple[list[str], list[list[str]]]:
    """Heads and rows for people: score with interval, the others beside it, the report's numbers."""
    heads = ["task", "n", *(one.name for one in models), "95 %", "report"]
    rows = []
    for name, of in results.scores.items():
        first = of.get(models[0].name)
        interval = "" if first is None else "{:.1f} to {:.1f}".format(*first.manifest["interval"][:2])
        values = [f"{of[one.name].value:.2f}" if one.name in of else "-" for one in models]
        reported = ", ".join(f"{size} {value:g}" for size, value in tasks[name].reported.items())
        better = " (lower is better)" if tasks[name].better == "lower" else ""
        rows.append([name + better, str(first.n if first else 0), *values, interval, reported])
    return heads, rows
