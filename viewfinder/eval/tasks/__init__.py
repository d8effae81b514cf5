"""Benchmarks: `table` has the report's, one row each; `all_tasks` lists them and our own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from viewfinder.errors import EvaluationError

if TYPE_CHECKING:  # `listing` needs none of what a task is made of
    from viewfinder.eval.task import Task


def all_tasks() -> "dict[str, Task]":
    """Every task by name: the report's benchmarks, then the generated suites, then the built-in model's table."""
    from viewfinder.eval.builtin import all_builtin
    from viewfinder.eval.suites import all_suites
    from viewfinder.eval.tasks import image_table, other_table

    report = (*image_table.PICTURES, *image_table.READING, *image_table.PLACES)
    report += (*other_table.CLIPS, *other_table.SCREENS, *other_table.WORDS)
    return {task.name: task for task in report} | all_suites() | all_builtin()


GROUPS = ("suites", "builtin", "report")
"""Names for several tasks: our suites but for the very long one, the built-in model's table, all benchmarks."""


def find_tasks(names: Sequence[str]) -> "list[Task]":
    """Tasks by their names and those of groups, each once.

    Raises:
        EvaluationError: a name is of neither.
    """
    found: dict[str, Task] = {}
    for name in names:
        chosen = _group(name) if name in GROUPS else [find_task(name)]
        found |= {task.name: task for task in chosen}
    return list(found.values())


def _group(name: str) -> "list[Task]":
    family = {"suites": "suite", "builtin": "builtin"}.get(name)
    tasks = all_tasks().values()
    if family is None:
        return [task for task in tasks if task.data is not None]
    return [task for task in tasks if task.family == family and task.name != "suite_needle_long"]


def find_task(name: str) -> "Task":
    """A task by name.

    Raises:
        EvaluationError: there is none; names the nearest.
    """
    from viewfinder.eval.tasks.listing import listed

    names = [entry["name"] for entry in listed()]
    if name == "own":
        from viewfinder.eval.tasks.own import TASK

        return TASK
    if name in names:
        return all_tasks()[name]
    from difflib import get_close_matches

    near = get_close_matches(name, names, 3) or sorted(names)[:3]
    raise EvaluationError(f"there is no task {name!r}; did you mean {', '.join(near)}? `viewfinder eval list` has all")
