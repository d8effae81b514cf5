"""Small applications with a seed, a task, a check and a solver: to test and to train without a network.

An `App` is state and widgets. It is shown as a drawn screen (`drawn`), a page in Chromium (`web`) or a window of a
real toolkit (`window`); each of them is a `World`, and the solver's steps are the same on all.
"""

from typing import Any, Literal

from viewfinder.agent.worlds.registry import APPS as APPS
from viewfinder.agent.worlds.registry import make_app as make_app
from viewfinder.agent.worlds.words import Split
from viewfinder.errors import ViewfinderError

RENDERERS = ("drawn", "web", "window")
Renderer = Literal["drawn", "web", "window"]


def make_world(name: str, renderer: Renderer = "drawn", seed: int = 0, split: Split = "train", **options: Any) -> Any:
    """An application on a screen; `options` are those of the renderer (`size`, `scale`, `chromium` ...).

    Raises:
        ViewfinderError: no such world or renderer, or a program that is missing.
    """
    if renderer == "drawn":
        from viewfinder.agent.worlds.drawn import DrawnWorld as World
    elif renderer == "web":
        from viewfinder.agent.worlds.web import WebWorld as World
    elif renderer == "window":
        from viewfinder.agent.worlds.window import WindowWorld as World
    else:
        raise ViewfinderError(f"there is no renderer {renderer!r}; choose from {', '.join(RENDERERS)}")
    return World(name, seed=seed, split=split, **options)
