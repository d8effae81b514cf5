"""`WebWorld`: an application as a page in Chromium, served from this process; nothing else can be reached."""

import json
from typing import Any
from urllib.parse import urlsplit

from viewfinder.agent.browser import BrowserEnvironment, Chromium
from viewfinder.agent.browser.network_filter import SiteReply, SiteRequest
from viewfinder.agent.environment import Observation, StepResult, Target
from viewfinder.agent.policy import Policy
from viewfinder.agent.worlds.page import write_body, write_page
from viewfinder.agent.worlds.stage import Staged
from viewfinder.agent.worlds.words import Split
from viewfinder.media.transform import Box
from viewfinder.outputs.actions import Action

_BOXES = """Array.from(document.querySelectorAll('[data-id]'), e => {
  const r = e.getBoundingClientRect(); return [e.dataset.id, r.left, r.top, r.right, r.bottom]; })"""
_FOCUS = "document.activeElement.dataset.id || ''"


class WebWorld(Staged):
    """See `Staged`.

    Args:
        chromium: a browser to share; None starts one.
        scale: device pixels per CSS pixel.
        bar: show tabs and address above the page.
    """

    renderer = "web"

    def __init__(
        self,
        name: str,
        *,
        seed: int = 0,
        split: Split = "train",
        size: tuple[int, int] = (320, 320),
        touch: bool | None = None,
        chromium: Chromium | None = None,
        scale: float = 1.0,
        bar: bool = False,
    ) -> None:
        super().__init__(name, seed, split, size, touch)
        self._host = f"{name}.test"
        self.browser = BrowserEnvironment(
            f"https://{self._host}/",
            Policy(domains=(self._host,), writes="any"),
            chromium=chromium,
            size=size,
            scale=scale,
            bar=bar,
            touch=self.touch,
            sites={self._host: self._serve},
            offline=True,
            settle=20.0,  # answers come from this process: late ones mean a busy machine, not a page that never rests
        )

    @property
    def screen_size(self) -> tuple[int, int]:
        return self.browser.screen_size

    def _serve(self, request: SiteRequest) -> SiteReply:
        if urlsplit(request.url).path == "/event":
            event = json.loads(request.body)
            if "set" in event:
                self.app.set(event["set"], event["value"])
            else:
                self.app.press(event["press"], tuple(event["at"]) if "at" in event else None)
            return SiteReply(write_body(self.view()))
        return SiteReply(write_page(self.view(), self.skin, self.app.title))

    def _show(self) -> None:
        self.browser.reset()

    def observe(self) -> Observation:
        return self.browser.observe()

    def target(self, xy: tuple[float, float] | None) -> Target:
        return self.browser.target(xy)

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        if action.name == "system_button" and action.button == "Home" and self.view().find("home"):
            self.app.press("home")
            self._show()
            return StepResult()
        return self.browser.act(action, expected, confirmed=confirmed)

    def boxes(self) -> dict[str, Box]:
        found: list[list[Any]] = self.browser.evaluate(_BOXES)
        place = self.browser.screen_place
        boxes = {id: (*place((x0, y0)), *place((x1, y1))) for id, x0, y0, x1, y1 in found}
        return {**boxes, **{f"{id}={label}": box for id, label, box in self.browser.options()}}

    def focus(self) -> str:
        return self.browser.evaluate(_FOCUS)

    def close(self) -> None:
        self.browser.close()
