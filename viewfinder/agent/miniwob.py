"""MiniWoB++ as worlds: its pages (PyPI `miniwob`), served from this process. Held out: evaluation only, never training.

Only single-click tasks are played here, those that a model without a keyboard can solve. `oracle` finds the target in
the page's document: the upper end of a table.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from viewfinder.agent.browser import BrowserEnvironment, Chromium
from viewfinder.agent.browser.network_filter import SiteReply, SiteRequest
from viewfinder.agent.environment import Observation, StepResult, Target
from viewfinder.agent.policy import Policy
from viewfinder.agent.scripted import ScriptedModel, say
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import Picture
from viewfinder.media.transform import Box, Transform
from viewfinder.messages import Message
from viewfinder.outputs.actions import Action, Device

_HOST = "miniwob.test"
_AREA, _WINDOW = (160, 210), (500, 240)
"""CSS pixels of a task and of the window it is laid out in, as the package's own runner has them."""
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".png": "image/png", ".gif": "image/gif"}
_BY_TEXT = 'Array.from(document.querySelectorAll(%r)).find(e => e.textContent.trim() === query.match(/"(.*)"/)[1])'

_SHAPE = """Array.from(document.querySelectorAll('#area_svg > *')).filter(e => {
    const kind = {circle: 'circle', rect: 'rectangle', polygon: 'triangle'}[e.tagName] || e.textContent;
    const type = e.tagName !== 'text' ? 'shape' : /\\d/.test(kind) ? 'digit' : 'letter';
    const side = e.tagName === 'text' ? parseFloat(e.getAttribute('font-size')) : e.getBBox().width;
    const is = ['item', type, kind, e.getAttribute('fill'), side > 15 ? 'large' : 'small'];
    const words = query.match(/(?:Click on a |How many )(.*?)(?:s are there.)?$/)[1].split(' ');
    return words.every(word => is.includes(word));
  })"""
"""The drawn shapes that the instruction describes: by size, color, and what they are."""
_FIGURE = """(e => ({circle: 'circle', rect: 'rectangle', polygon: 'triangle'}[e.tagName]
  || (/\\d/.test(e.textContent) ? 'digit' : 'letter')))(document.querySelector('#area_svg > *'))"""
_TICKET = """Array.from(document.querySelectorAll('.flight'), e => {
    const button = e.querySelector('.buy-ticket'), time = e.querySelector('.time-duration');
    return [+(query.includes('cost') ? button.dataset.price : time.dataset.duration), button];
  }).sort((a, b) => (/cheap|short/.test(query) ? 1 : -1) * (a[0] - b[0]))[0][1]"""

CLICKS: dict[str, str] = {
    "click-test": "document.querySelector('#subbtn')",
    "click-test-2": "document.querySelector('#subbtn')",
    "click-button": _BY_TEXT % "#area button",
    "click-link": _BY_TEXT % "#area .alink",
    "click-dialog": "document.querySelector('button.ui-button')",
    "click-dialog-2": "query.includes('\"x\"') ? document.querySelector('.ui-dialog-titlebar button')"
    " : " + _BY_TEXT % ".ui-dialog-buttonset button",
    "click-tab": "document.querySelectorAll('#area ul a')[query.match(/#(\\d)/)[1] - 1]",
    "click-color": 'document.querySelector(`[data-color="${query.match(/the (\\w+) colored/)[1]}"]`)',
    "click-widget": 'document.querySelector(`[data-type="${query.match(/"(.*)"/)[1]}"]`)',
    "focus-text": "document.querySelector('#area input')",
    "focus-text-2": "document.querySelectorAll('#area input')[query.match(/(\\d)/)[1] - 1]",
    "click-test-transfer": "document.querySelector(query.includes('ONE') ? '#subbtn' : '#subbtn2')",
    "unicode-test": _BY_TEXT % "#area button",
    "click-shape": _SHAPE + "[0]",
    "identify-shape": f"document.querySelector(`#area button[data-type='${{{_FIGURE}}}']`)",
    "count-shape": "Array.from(document.querySelectorAll('#count-buttons button')).find("
    f"e => +e.textContent === {_SHAPE}.length)",
    "grid-coordinate": "document.getElementById(query.match(/\\(.*\\)/)[0])",
    "buy-ticket": _TICKET,
}
"""Single-click tasks, and the element to click on, by the instruction `query`. Left out is count-sides, whose figure is
painted on a canvas: no oracle that reads the document can know it."""

_START = """seed => { document.activeElement.blur(); Math.seedrandom(seed);
  core.EPISODE_MAX_TIME = 1e8; core.startEpisodeReal(); }"""
_BOX = """(() => { const query = core.getUtterance(), e = %s, r = e.getBoundingClientRect();
  return [r.left, r.top, r.right, r.bottom]; })()"""


class MiniWob:
    """One task; the seed makes the instance.

    Args:
        scale: device pixels per CSS pixel; the pages are 160x210 CSS pixels.

    Raises:
        ViewfinderError: the package is not installed, or has no such task.
    """

    device: Device = "computer"

    def __init__(self, name: str, *, seed: int = 0, chromium: Chromium | None = None, scale: float = 1.0) -> None:
        self._root = _pages()
        if name not in CLICKS:
            raise ViewfinderError(f"{name!r} is no single-click task of MiniWoB++; choose from {', '.join(CLICKS)}")
        self.name, self.seed = name, seed
        self.browser = BrowserEnvironment(
            f"https://{_HOST}/miniwob/{name}.html", Policy(domains=(_HOST,)), chromium=chromium, size=_WINDOW,
            scale=scale, bar=False, sites={_HOST: self._serve}, offline=True,
        )  # fmt: skip
        self._start()

    def _serve(self, request: SiteRequest) -> SiteReply:
        path = (self._root / unquote(urlsplit(request.url).path).lstrip("/")).resolve()
        if not path.is_relative_to(self._root) or not path.is_file():
            return SiteReply("", 404)
        return SiteReply(path.read_bytes(), content_type=_TYPES.get(path.suffix, "application/octet-stream"))

    def _start(self) -> None:
        self.browser.evaluate(f"({_START})({self.seed})")

    @property
    def task(self) -> str:
        """The instruction, as the page says it."""
        return str(self.browser.evaluate("core.getUtterance()")).strip()

    def reset(self, seed: int | None = None) -> Observation:
        """Another episode in the same page, as the package's own runner has it; the mouse waits beside the task."""
        self.seed = self.seed if seed is None else seed
        outside = self.browser.screen_place((_WINDOW[0] - 2, _WINDOW[1] - 2))
        self.browser.act(Action("computer", "mouse_move", coordinate=outside))
        self._start()
        return self.observe()

    def observe(self) -> Observation:
        """The task's part of the window, its top left corner."""
        seen = self.browser.observe()
        size = round(_AREA[0] * self.browser.scale), round(_AREA[1] * self.browser.scale)
        return replace(seen, picture=Picture(seen.picture.image.crop((0, 0, *size)), Transform.identity(size)))

    def target(self, xy: tuple[float, float] | None) -> Target:
        return self.browser.target(xy)

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        return self.browser.act(action, expected, confirmed=confirmed)

    def success(self) -> bool:
        return bool(self.browser.evaluate("WOB_DONE_GLOBAL && WOB_RAW_REWARD_GLOBAL > 0"))

    def over(self) -> bool:
        """Whether the page has judged; more clicks change nothing."""
        return bool(self.browser.evaluate("WOB_DONE_GLOBAL"))

    def state(self) -> dict[str, Any]:
        return {"world": self.name, "seed": self.seed, "reward": self.browser.evaluate("WOB_RAW_REWARD_GLOBAL")}

    def target_box(self) -> Box | None:
        """Where the element to click on is, in pixels of the screen; None once it is over."""
        if self.over():
            return None
        x0, y0, x1, y1 = self.browser.evaluate(_BOX % CLICKS[self.name])
        place = self.browser.screen_place
        return (*place((x0, y0)), *place((x1, y1)))

    def close(self) -> None:
        self.browser.close()


def oracle(world: MiniWob) -> ScriptedModel:
    """Clicks on the middle of the right element, then ends."""

    def speak(messages: Sequence[Message], picture: Picture) -> str:
        box = world.target_box()
        if box is None:
            return say("It is done.", Action("computer", "terminate", status="success"), picture)
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return say("This is the element.", Action("computer", "left_click", coordinate=middle), picture)

    return ScriptedModel(speak)


def _pages() -> Path:
    found = find_spec("miniwob")
    if found is None or not found.submodule_search_locations:
        raise ViewfinderError("MiniWoB++ is not installed, so its tasks cannot be played; pip install miniwob==1.1.0")
    return (Path(found.submodule_search_locations[0]) / "html").resolve()
