"""`DrawnWorld`: an application on a drawn screen. No browser, no display: milliseconds a step, the same everywhere."""

from dataclasses import replace
from typing import Any

from PIL import Image

from viewfinder.agent.browser.overlays import OpenList, Part
from viewfinder.agent.environment import Observation, StepResult, Target
from viewfinder.agent.worlds.paint import Page, paint
from viewfinder.agent.worlds.stage import Staged
from viewfinder.data.synth.drawn_text import keep_notes
from viewfinder.media.image import Picture
from viewfinder.media.transform import Box, Transform
from viewfinder.outputs.actions import Action

_PRESSES = ("left_click", "double_click", "click")


class DrawnWorld(Staged):
    """See `Staged`. Scrolls when a page is higher than the screen."""

    renderer = "drawn"

    def __init__(self, name: str, **given: Any) -> None:
        super().__init__(name, **given)
        self._show()

    def _show(self) -> None:
        self._focus, self._selected, self._scroll = "", False, 0.0
        self._list_id, self._list = "", None
        self._draw()

    def _draw(self) -> None:
        """The page at hand; a field that is gone has no focus."""
        view = self.view()
        if self._focus and view.find(self._focus) is None:
            self._focus = ""
        self._page: Page = paint(view, self.skin, self.size[0], self._focus, self._selected)
        self._scroll = min(max(0.0, self._scroll), max(0.0, self._page.image.height - self.size[1]))
        image = Image.new("RGB", self.size, self.skin.background)
        image.paste(self._page.image, (0, -round(self._scroll)))
        self._parts: list[Part] = []
        if self._list is not None:
            anchor = self._on_screen(self._page.boxes[self._list_id])
            self._list = replace(self._list, anchor=anchor)
            self._parts = self._list.draw(image, self.skin.size / 13)
        else:  # an open list hides words
            keep_notes(self._page.image, image, (0, -round(self._scroll)))
        self._image = image

    def _on_screen(self, box: Box) -> Box:
        up = round(self._scroll)
        return box[0], box[1] - up, box[2], box[3] - up

    def observe(self) -> Observation:
        return Observation(Picture(self._image.copy(), Transform.identity(self.size)), where=self.name)

    def boxes(self) -> dict[str, Box]:
        found = {id: self._on_screen(box) for id, box in self._page.boxes.items()}
        return {**found, **{f"{self._list_id}={part.label}": part.box for part in self._parts}}

    def focus(self) -> str:
        return self._focus

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        name = action.name
        if name in _PRESSES and action.coordinate:
            self._press(action.coordinate)
        elif name == "type":
            self._type(action.text or "")
        elif name == "key":
            self._key(action)
        elif name == "scroll":
            self._wheel(-(action.pixels or 0))
        elif name == "swipe" and action.coordinate and action.coordinate2:
            self._wheel(action.coordinate[1] - action.coordinate2[1])
        elif name in ("system_button", "open"):
            return self._system(action)
        self._draw()
        return StepResult()

    def _press(self, xy: tuple[float, float]) -> None:
        id = self.at(xy)
        self._selected = False
        if self._list is not None:
            if "=" in id:
                self.app.set(*id.split("=", 1))
            self._list = None
            return
        widget = self.view().find(id) if id else None
        self._focus = id if widget and widget.kind == "field" else ""
        if widget is None:
            return
        if widget.kind == "choice":
            chosen = widget.options.index(widget.value) if widget.value in widget.options else -1
            self._list_id = id
            self._list = OpenList(self.boxes()[id], [(option, False) for option in widget.options], chosen)
        elif widget.kind == "canvas":
            x0, y0, x1, y1 = self.boxes()[id]
            self.app.press(id, ((xy[0] - x0) / (x1 - x0), (xy[1] - y0) / (y1 - y0)))
        elif widget.kind != "field":
            self.app.press(id)

    def _type(self, text: str) -> None:
        if self._focus and (widget := self.view().find(self._focus)):
            there = "" if self._selected else widget.value
            self.app.set(self._focus, there + text.replace("\n", ""))
        self._selected = False

    def _key(self, action: Action) -> None:
        keys = action.keys
        if keys == ("ctrl", "a"):
            self._selected = bool(self._focus)
        elif keys in (("backspace",), ("delete",)) or action.text == "clear":
            if self._focus and (widget := self.view().find(self._focus)):
                whole = self._selected or action.text == "clear"
                self.app.set(self._focus, "" if whole else widget.value[:-1])
            self._selected = False
        elif keys == ("escape",):
            self._list = None

    def _wheel(self, down: float) -> None:
        if self._list is not None:
            self._list.scroll(3 if down > 0 else -3)
        else:
            self._scroll += down

    def _system(self, action: Action) -> StepResult:
        """What a phone's own buttons do."""
        view = self.view()
        wanted = {"Home": "home", "Back": "back"}.get(action.button or "", "")
        if action.name == "open":
            titles = {w.text.lower(): w.id for w in view.walk() if w.style == "app"}
            wanted = titles.get((action.text or "").lower(), "")
        if not wanted or view.find(wanted) is None:
            return StepResult(False, f"nothing here answers to {action.button or action.text}")
        self.app.press(wanted)
        self._draw()
        return StepResult()

    def close(self) -> None:
        pass
