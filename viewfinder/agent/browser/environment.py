"""`BrowserEnvironment`: a browser's window as a screen with mouse, keyboard or fingers.

    picture = bar (tabs, address) above the page, in device pixels;  CSS pixel x scale = device pixel

The way between them is one `Transform`. Dialogs, open lists and the bar are drawn into the picture (see
`overlays`) and clicks on them answered here; everything else goes to the page as real input.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from viewfinder.agent.browser import overlays
from viewfinder.agent.browser.chromium import Chromium
from viewfinder.agent.browser.executor import ActionExecutor, with_scheme
from viewfinder.agent.browser.inspect import Found, inspect
from viewfinder.agent.browser.network_filter import Confirmation, NetworkFilter, Site
from viewfinder.agent.browser.page_camera import PageCamera
from viewfinder.agent.browser.tabs import Tabs
from viewfinder.agent.environment import Observation, StepResult, Target
from viewfinder.agent.policy import Policy
from viewfinder.agent.secrets import Vault
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import Picture
from viewfinder.media.transform import Box, Transform
from viewfinder.outputs.actions import Action, Device

Place = tuple[float, float]


class BrowserEnvironment:
    """One window.

    Args:
        url: page to begin with.
        policy: holds on the network, too; None allows the host of `url` and nothing else.
        chromium: a browser to share; None starts one, which `close` ends.
        size: of the page, CSS pixels; with `bar` the picture is higher.
        scale: device pixels per CSS pixel.
        bar: show tabs and address.
        touch: fingers (`mobile_use`) instead of a mouse.
        sites: hosts served from this process; `offline` allows nothing else.
        vault: secrets to cover in pictures once they were typed.
        settle: seconds to wait for a page to rest after an action, at most.
        options: of the browser context: locale, timezone_id, color_scheme ...
    """

    def __init__(
        self,
        url: str,
        policy: Policy | None = None,
        *,
        chromium: Chromium | None = None,
        size: tuple[int, int] = (1280, 800),
        scale: float = 1.0,
        bar: bool = True,
        touch: bool = False,
        sites: Mapping[str, Site] | None = None,
        offline: bool = False,
        vault: Vault | None = None,
        settle: float = 4.0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.policy = policy or Policy(domains=(_host(url),))
        if not self.policy.allows_url(url):
            raise ViewfinderError(f"the policy does not allow {url}, so it was not opened; add its host to domains")
        self.url, self.size, self.scale, self.touch = url, size, scale, touch
        self.vault = vault or Vault()
        self._bar_height = round(overlays.BAR_HEIGHT * scale) if bar else 0
        self._sites, self._offline, self._settle = dict(sites or {}), offline, settle
        self._options = dict(options or {})
        self._own = Chromium() if chromium is None else None
        self.chromium = chromium or self._own
        self._context: Any = None
        self._parts: list[overlays.Part] = []
        try:
            self.reset()
        except BaseException:
            self.close()
            raise

    @property
    def device(self) -> Device:
        return "mobile" if self.touch else "computer"

    @property
    def to_page(self) -> Transform:
        """From the page (original, CSS pixels) to the part of the picture under the bar."""
        size = round(self.size[0] * self.scale), round(self.size[1] * self.scale)
        return Transform(original_size=self.size, resized_size=size)

    @property
    def screen_size(self) -> tuple[int, int]:
        """(width, height) of the picture: the page and the bar above it, device pixels."""
        width, height = self.to_page.resized_size
        return width, height + self._bar_height

    def page_place(self, xy: Place) -> Place:
        """A place of the picture in CSS pixels of the page."""
        return self.to_page.to_original((xy[0], xy[1] - self._bar_height))

    def screen_place(self, xy: Place) -> Place:
        """A place of the page in pixels of the picture; the inverse of `page_place`."""
        x, y = self.to_page.to_model(xy)
        return x, y + self._bar_height

    def reset(self, seed: int | None = None) -> Observation:
        """A fresh context at the first page; a user's own context is kept and only a new tab opened."""
        self._run(self._open())
        return self.observe()

    async def _open(self) -> None:
        await self._leave()
        assert self.chromium is not None
        self._gate = await self.chromium.open_gate()
        self._context = await self.chromium.context(
            self._gate,
            viewport={"width": self.size[0], "height": self.size[1]},
            device_scale_factor=self.scale,
            has_touch=self.touch,
            is_mobile=self.touch,
            service_workers="block",
            accept_downloads=self.policy.downloads,
            **self._options,
        )
        self.tabs = Tabs(self._context, self.policy.downloads)
        self.camera = PageCamera(self.tabs, self.to_page, self.scale, self.vault)
        self.guard = NetworkFilter(
            self.policy, self._sites, offline=self._offline, mine=self.tabs.is_mine, gate=self._gate
        )
        self.executor = ActionExecutor(self.tabs, self.guard, self._settle, self.scale)
        await self.guard.install(self._context)
        await self.tabs.open_first()
        await self.executor.go(self.url)

    def observe(self) -> Observation:
        image = self._run(self._picture())
        notes = (*self.tabs.notes, *self.guard.drain())
        self.tabs.notes.clear()
        return Observation(Picture(image, Transform.identity(image.size)), self._where(), notes)

    def _where(self) -> str:
        return str(self.tabs.current.url)

    async def _picture(self) -> Image.Image:
        page = await self.camera.picture()
        if not self._bar_height:
            image = page
        else:
            image = Image.new("RGB", (page.width, page.height + self._bar_height))
            image.paste(page, (0, self._bar_height))
        self._parts = []
        executor = self.executor
        if executor.open_list is not None:
            self._parts += executor.open_list.draw(image, self.scale)
        if self._bar_height:
            titles = [await self._title(tab) for tab in self.tabs.pages]
            current = self.tabs.pages.index(self.tabs.current) if self.tabs.current in self.tabs.pages else 0
            address = self._where() if executor.address is None else executor.address
            bar = overlays.Bar(titles, current, self.vault.scrub(address), executor.address is not None)
            self._parts += bar.draw(image, self.scale)
        if self.tabs.dialog is not None:
            self._parts = executor.dialog_box(self.vault).draw(image, self.scale)
        return image

    async def _title(self, tab: Any) -> str:
        if self.tabs.dialog is not None:  # the page cannot answer
            return ""
        return self.vault.scrub(await tab.title())

    def target(self, xy: Place | None) -> Target:
        if xy is not None and (part := overlays.part_at(self._parts, xy)):
            return self._part_target(part)
        if xy is None and self.executor.address is not None:
            address = self.executor.address  # with nothing there yet, `ActionExecutor.go` judges what is typed
            return Target("link", "address", self._where(), href=with_scheme(address) if address else "")
        if self.tabs.dialog is not None or self.executor.open_list is not None:
            return Target("dialog", where=self._where(), identity="overlay")
        found = self._run(self._inspect(xy))
        return found.target if found else Target(where=self._where())

    def _part_target(self, part: overlays.Part) -> Target:
        """Parts of the browser itself: a dialog's OK says what its message says."""
        label = part.label
        if self.tabs.dialog is not None and part.action == "ok" and self.tabs.dialog.type != "alert":
            label = f"OK: {self.tabs.dialog.message}"[:200]
        editable = part.action in ("field", "address")
        return Target("field" if editable else "button", label, self._where(), editable=editable, identity=part.action)

    async def _inspect(self, xy: Place | None) -> Found | None:
        place = None if xy is None else self.page_place(xy)
        return await inspect(self._context, self.tabs.current, await self.tabs.session(), place)

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        self.guard.begin(Confirmation.of(expected or self.target(action.coordinate)) if confirmed else None)
        part = overlays.part_at(self._parts, action.coordinate) if action.coordinate else None
        place = self.page_place(action.coordinate) if action.coordinate else None
        end = self.page_place(action.coordinate2) if action.coordinate2 else None
        return self._run(self._until_ended(self._act(action, part, place, end, expected)))

    async def _until_ended(self, work: Coroutine[Any, Any, StepResult]) -> StepResult:
        try:
            return await work
        finally:
            await self.guard.end()

    async def _act(
        self,
        action: Action,
        part: overlays.Part | None,
        place: Place | None,
        end: Place | None,
        expected: Target | None,
    ) -> StepResult:
        executor = self.executor
        if (
            part is not None
            or self.tabs.dialog is not None
            or executor.open_list is not None
            or executor.address is not None
        ):
            outcome = await executor.on_overlay(action, part, self.scale)
            if outcome is not None:
                return outcome
        return await executor.on_page(action, place, end, expected, self._anchor(action))

    def _anchor(self, action: Action) -> Any:
        """How a `<select>` box at a place of the page lies in the picture."""
        return lambda left, top, right, bottom: (*self.screen_place((left, top)), *self.screen_place((right, bottom)))

    def evaluate(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression in the page shown; for worlds that check their own pages.

        Raises:
            ViewfinderError: the expression fails.
        """
        return self._run(self._evaluate(expression))

    async def _evaluate(self, expression: str) -> Any:
        from playwright.async_api import Error

        for _ in range(20):
            try:
                return await self.tabs.current.evaluate(expression)
            except Error as error:
                if "context was destroyed" not in str(error):  # the next page is coming: ask that one
                    reason = str(error).splitlines()[0][:160]
                    raise ViewfinderError(f"the page does not answer ({reason}); is it the right page?") from None
            await asyncio.sleep(0.3)
        raise ViewfinderError("one page follows another without end, so none can be asked; look at its redirects")

    def options(self) -> list[tuple[str, str, Box]]:
        """The open list of a `<select>`: its `data-id`, and each option's words and box in the picture."""
        shown = self.executor.open_list
        if shown is None:
            return []
        parts = shown.draw(Image.new("RGB", self.screen_size), self.scale)
        return [(self.executor.list_id, part.label, part.box) for part in parts]

    def close(self) -> None:
        if self.chromium is None:
            return
        with contextlib.suppress(ViewfinderError):  # a page that hangs goes with its browser
            self._run(self._leave(), timeout=20)
        if self._own is not None:
            self._own.close()
        self.chromium = None

    async def _leave(self) -> None:
        if self._context is None:
            return
        context, self._context = self._context, None
        assert self.chromium is not None
        if self.chromium.is_own:
            await context.close()
            await self.chromium.close_gate(self._gate)
            return
        await self.chromium.close_gate(self._gate)
        await context.unroute_all(behavior="ignoreErrors")
        for page in list(self.tabs.pages):
            await page.close()

    def _run(self, work: Any, timeout: float = 120.0) -> Any:
        assert self.chromium is not None, "the environment is closed"
        return self.chromium.run(work, timeout)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
