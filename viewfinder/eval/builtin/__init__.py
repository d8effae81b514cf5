"""The table of the built-in model: what it must do, on pictures, fonts, names, layouts and seeds held out of training.

Each task asks as many questions as one likes (`--count`); question i depends on the task's name and i alone. A piece
whose generator is not there yet is left out.
"""

from importlib import import_module

from viewfinder.eval.task import Task

_PIECES = ("reading", "placing", "talking", "moments", "pages", "fields", "screens", "renderers")


def all_builtin() -> dict[str, Task]:
    """Every task of the table by name."""
    return {task.name: task for piece in _PIECES for task in import_module(f"{__name__}.{piece}").TASKS}
