"""Click the named element of a rendered screen; there as soon as the data engine draws screens."""

from viewfinder.eval.task import Task

TASKS: tuple[Task, ...] = ()
