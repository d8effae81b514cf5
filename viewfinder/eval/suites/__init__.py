"""Suites of our own, generated with exact truth for any model; they answer what published benchmarks do not."""

from importlib import import_module

from viewfinder.eval.task import Task

_SUITES = ("place", "reading", "robustness", "absence", "calibration", "needle", "colors")


def all_suites() -> dict[str, Task]:
    """Every suite's tasks by name."""
    return {task.name: task for name in _SUITES for task in import_module(f"{__name__}.{name}").TASKS}
