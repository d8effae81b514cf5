"""`Staged`: an application on a screen. What renderers share, and what the solver asks of them.

    boxes()["send"]          where the widget is, in pixels of the screen; outside of it when scrolled away
    boxes()["count=3"]       where an option of an open list is

A renderer adds `observe`, `act`, `boxes`, `focus` and how it starts over (`_show`).
"""

from typing import Any, ClassVar

from viewfinder.agent.environment import Observation, Target
from viewfinder.agent.worlds.app import App
from viewfinder.agent.worlds.registry import generator, make_app
from viewfinder.agent.worlds.skins import Skin, draw_skin
from viewfinder.agent.worlds.widgets import Widget, menu_last
from viewfinder.agent.worlds.words import Split
from viewfinder.media.transform import Box
from viewfinder.outputs.actions import Device

_ROLES = {"check": "checkbox", "choice": "select", "item": "button"}


class Staged:
    """One application, one seed; the parts that do not depend on the renderer.

    Args:
        name: of the application.
        size: of the screen, pixels.
        touch: fingers instead of a mouse; None is yes for the phone.
    """

    renderer: ClassVar[str]

    def __init__(
        self,
        name: str,
        *,
        seed: int = 0,
        split: Split = "train",
        size: tuple[int, int] = (320, 320),
        touch: bool | None = None,
    ) -> None:
        self.name, self.size = name, size
        self.split: Split = split
        self.touch = name == "phone" if touch is None else touch
        self._begin(seed)

    @property
    def device(self) -> Device:
        return "mobile" if self.touch else "computer"

    @property
    def screen_size(self) -> tuple[int, int]:
        """(width, height) of the screen's picture."""
        return self.size

    @property
    def task(self) -> str:
        """What to do, in words."""
        return self.app.task

    def _begin(self, seed: int) -> None:
        self.seed = seed
        self.app: App = make_app(self.name, seed, self.split)
        self.skin: Skin = draw_skin(generator(self.name, seed, self.split, 1), self.split, self.size[0])

    @property
    def about(self) -> dict[str, Any]:
        """What makes this instance again: the arguments of `make_world`."""
        about = {"world": self.name, "renderer": self.renderer, "seed": self.seed, "split": self.split}
        return {**about, "size": list(self.size)}

    def view(self) -> Widget:
        """The tree that is shown, as this look arranges it."""
        view = self.app.view()
        return menu_last(view) if self.skin.layout.menu_below else view

    def reset(self, seed: int | None = None) -> Observation:
        self._begin(self.seed if seed is None else seed)
        self._show()
        return self.observe()

    def _show(self) -> None:
        raise NotImplementedError

    def observe(self) -> Observation:
        raise NotImplementedError

    def boxes(self) -> dict[str, Box]:
        """Where everything is that can be acted on, in pixels of the screen."""
        raise NotImplementedError

    def focus(self) -> str:
        """Id of the field that has the keyboard, or ""."""
        raise NotImplementedError

    def success(self) -> bool:
        return self.app.solved()

    def state(self) -> dict[str, Any]:
        return {"world": self.name, "seed": self.seed, "split": self.split, **self.app.state()}

    def target(self, xy: tuple[float, float] | None) -> Target:
        id = self.focus() if xy is None else self.at(xy)
        widget = self.view().find(id.partition("=")[0]) if id else None
        if widget is None:
            return Target(where=self.name)
        editable = widget.kind == "field"
        role = "password" if widget.style == "secret" else _ROLES.get(widget.kind, widget.kind)
        return Target(role, widget.text or id, self.name, editable=editable, identity=id)

    def at(self, xy: tuple[float, float]) -> str:
        """Id of what is at a place; options of an open list lie above the rest."""
        hits = [id for id, box in self.boxes().items() if box[0] <= xy[0] < box[2] and box[1] <= xy[1] < box[3]]
        return next((id for id in hits if "=" in id), hits[-1] if hits else "")
