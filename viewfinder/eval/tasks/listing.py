"""What `viewfinder eval list` says of every task, without importing what the tasks draw and score with.

`listing.json` is made of the tasks (`python -m viewfinder.eval.tasks.listing`); a test compares the two.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from viewfinder.eval.task import Task


def listed() -> list[dict[str, Any]]:
    """One entry a task, in the order of `all_tasks`."""
    return json.loads(files("viewfinder.eval.tasks").joinpath("listing.json").read_text())


def described(task: "Task") -> dict[str, Any]:
    """The entry of a task."""
    return {
        "name": task.name,
        "title": task.title,
        "family": task.family,
        "reported": dict(task.reported),
        "better": task.better,
        "data": None if task.data is None else {"repo": task.data.repo, "license": task.data.license},
        "settings": task.settings.to_dict(),
        "max_new_tokens": task.max_new_tokens,
        "judged": task.judge is not None,
        "note": task.note,
    }


def write_listing() -> None:
    """Make `listing.json` of the tasks as they are."""
    from viewfinder.eval.tasks import all_tasks

    entries = [json.dumps(described(task), ensure_ascii=False) for task in all_tasks().values()]
    Path(__file__).with_name("listing.json").write_text("[\n" + ",\n".join(entries) + "\n]\n")


if __name__ == "__main__":
    write_listing()
