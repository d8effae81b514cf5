"""The listing that `eval list` prints is that of the tasks as they are."""

from viewfinder.eval.tasks import all_tasks
from viewfinder.eval.tasks.listing import described, listed


def test_the_listing_is_that_of_the_tasks() -> None:
    """Where this fails after a change to a task: python -m viewfinder.eval.tasks.listing"""
    assert listed() == [described(task) for task in all_tasks().values()]
