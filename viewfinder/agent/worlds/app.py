"""`App`: state, a task, a check, and what to do next. Pure Python: no pixels, no clock, no chance but the seed.

`hint` is the solver: from any state that can still be saved it names the next thing to do, so a wrong click does
not end it. Renderers call `view`, `press` and `set`.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from viewfinder.agent.worlds.widgets import Widget
from viewfinder.agent.worlds.words import Words


@dataclass(frozen=True)
class Hint:
    """The next thing to do.

    Attributes:
        id: of the widget.
        value: of a field or choice; None is a press.
        at: where on a canvas, 0..1 of its width and height, and the radius that still counts.
        thought: one sentence that says why, from what can be seen.
    """

    id: str
    thought: str
    value: str | None = None
    at: tuple[float, float, float] | None = None


class App:
    """One application with one task.

    Attributes:
        name: of the application; `title` as its window shows it.
        task: what to do, in words.
        data: everything that changes, JSON-ready.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, rng: np.random.Generator, words: Words) -> None:
        self.rng, self.words = rng, words
        self.data: dict[str, Any] = {}
        self.task = ""
        self.setup()

    def setup(self) -> None:
        """Draw the instance: fill `data` and `task`."""
        raise NotImplementedError

    def view(self) -> Widget:
        """What is shown now; a column."""
        raise NotImplementedError

    def press(self, id: str, at: tuple[float, float] | None = None) -> None:
        """A click on a button, item or check; on a canvas `at` says where, 0..1 of it."""
        raise NotImplementedError

    def set(self, id: str, value: str) -> None:
        """A field or choice now holds `value`."""
        self.data[id] = value

    def hint(self) -> Hint | None:
        """The next step, or None when there is nothing more to do."""
        raise NotImplementedError

    def solved(self) -> bool:
        """Whether the task is done, and nothing besides that it did not ask for."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """A copy of `data`, as JSON has it."""
        return json.loads(json.dumps(self.data))

    def pick(self, options: "list[Any] | tuple[Any, ...]") -> Any:
        """One of several, by the seed."""
        return options[int(self.rng.integers(len(options)))]

    def some(self, options: "list[Any] | tuple[Any, ...]", count: int) -> list[Any]:
        """Several different ones, by the seed."""
        return [options[i] for i in self.rng.permutation(len(options))[:count]]
