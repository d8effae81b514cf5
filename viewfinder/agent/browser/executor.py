"""How an action becomes input: to the page, or to what the browser shows around it.

Before a press the mouse goes to its place and the target is looked at once more: a page that puts something
else under the cursor when it comes is not clicked.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from viewfinder.agent.browser import overlays
from viewfinder.agent.browser.inspect import Found, choose_option, inspect, options_of
from viewfinder.agent.browser.keys import key_name, shortcut
from viewfinder.agent.browser.network_filter import NetworkFilter
from viewfinder.agent.browser.tabs import Tabs
from viewfinder.agent.browser.touch import touch
from viewfinder.agent.environment import StepResult, Target
from viewfinder.agent.secrets import Vault
from viewfinder.errors import ViewfinderError
from viewfinder.media.transform import Box
from viewfinder.outputs.actions import Action

Place = tuple[float, float]
_BUTTONS = {"right_click": "right", "middle_click": "middle"}
_LONGEST_WAIT = 60.0


class ActionExecutor:
    """Input to the tabs of one window; lives in the browser's event loop.

    Attributes:
        open_list: the open list of a `<select>`, if any; `list_id` is the `data-id` of it.
        address: what is being typed into the address, or None.
    """

    def __init__(self, tabs: Tabs, guard: NetworkFilter, settle: float, scale: float) -> None:
        self.tabs, self.guard, self._settle, self._scale = tabs, guard, settle, scale
        self.open_list: overlays.OpenList | None = None
        self.address: str | None = None
        self.list_id = ""
        self._select: Found | None = None
        self._typed = ""

    async def go(self, url: str) -> StepResult:
        """Open an address in the tab shown; one that is slow is shown as far as it has come."""
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as Slow

        if not self.guard.policy.allows_url(url):  # the browser's own pages pass no guard
            return StepResult(False, f"the policy does not allow {url[:80]}, so the page stays as it is")
        before = len(self.guard.refused)
        try:
            work = self.tabs.current.goto(url, wait_until="domcontentloaded", timeout=30_000)
            await self.tabs.unless_broken_off(self.tabs.unless_dialog(work, timeout=31), timeout=31)
        except Slow:
            self.tabs.notes.append("the page is still loading")
        except Error as error:
            if len(self.guard.refused) == before and "ERR_ABORTED" not in str(error):
                reason = str(error).split("\n")[0][:120]
                raise ViewfinderError(f"{url} does not open ({reason}), so there is nothing to see; check it") from None
        await self.tabs.settle(self._settle)
        return StepResult()

    def dialog_box(self, vault: Vault) -> overlays.DialogBox:
        dialog = self.tabs.dialog
        text = self._typed or (dialog.default_value if dialog.type == "prompt" else "")
        return overlays.DialogBox(dialog.type, vault.scrub(dialog.message), vault.scrub(text))

    async def on_overlay(self, action: Action, part: overlays.Part | None, scale: float) -> StepResult | None:
        """Answer for dialog, list and bar; None when the action is for the page after all."""
        presses = action.name in ("left_click", "double_click", "click")
        if action.name == "wait":
            return None
        if self.tabs.dialog is not None:
            return await self._on_dialog(action, part if presses else None)
        if self.open_list is not None:
            return await self._on_list(action, part if presses else None)
        if part is not None and presses:
            return await self._on_bar(part)
        if part is not None:
            return StepResult(False, "nothing else than a click can be done there")
        return await self._on_address(action)

    async def _on_dialog(self, action: Action, part: overlays.Part | None) -> StepResult:
        keys = shortcut(action.keys)
        if action.name == "type" and self.tabs.dialog.type == "prompt":
            self._typed += (action.text or "").rstrip("\n")
            if not (action.text or "").endswith("\n"):
                return StepResult()
            keys = "Enter"
        accepts = (part and part.action == "ok") or keys == "Enter"
        declines = (part and part.action == "cancel") or keys == "Escape"
        if part and part.action == "field":
            return StepResult()
        if not accepts and not declines:
            return StepResult(False, "a dialog is open; only its buttons can be used")
        typed, self._typed = self._typed or getattr(self.tabs.dialog, "default_value", ""), ""
        await self.tabs.answer_dialog(bool(accepts), typed)
        await self.tabs.settle(self._settle)
        return StepResult()

    async def _on_list(self, action: Action, part: overlays.Part | None) -> StepResult | None:
        assert self.open_list is not None
        if action.name in ("scroll", "swipe"):
            up = action.pixels or ((action.coordinate2 or (0, 0))[1] - (action.coordinate or (0, 0))[1])
            self.open_list.scroll(-5 if up > 0 else 5)
            return StepResult()
        self.open_list = None
        if part is not None and part.action.startswith("option ") and self._select is not None:
            await self.tabs.unless_dialog(choose_option(self._select, int(part.action.split()[1])))
            await self.tabs.settle(self._settle)
        elif part is not None:
            return await self._on_bar(part)
        return None if action.name in ("type", "key") and action.keys != ("escape",) else StepResult()

    async def _on_bar(self, part: overlays.Part) -> StepResult:
        name, _, number = part.action.partition(" ")
        page = self.tabs.current
        if name == "address":
            self.address = ""
            return StepResult()
        self.address = None
        if name == "tab":
            self.tabs.current = self.tabs.pages[int(number)]
            await self.tabs.current.bring_to_front()
        elif name == "close":
            if len(self.tabs.pages) == 1:
                return StepResult(False, "the last tab stays open")
            await self.tabs.pages[int(number)].close()
        else:
            await self._history(name, page)
        await self.tabs.settle(self._settle)
        return StepResult()

    async def _history(self, name: str, page: Any) -> None:
        from playwright.async_api import Error

        turn = {"back": page.go_back, "forward": page.go_forward, "reload": page.reload}[name]
        try:
            await self.tabs.unless_dialog(turn(wait_until="commit", timeout=10_000))
        except Error:  # nothing to go back to, or refused: the picture shows it
            return

    async def _on_address(self, action: Action) -> StepResult | None:
        if self.address is None:
            return None
        if action.name == "type":
            self.address += action.text or ""
            if not self.address.endswith("\n"):
                return StepResult()
        elif shortcut(action.keys) == "Escape" or action.name not in ("key",):
            self.address = None
            return StepResult() if action.keys else None
        elif shortcut(action.keys) != "Enter":
            return StepResult()
        url, self.address = self.address.strip(), None
        return await self.go(with_scheme(url))

    async def on_page(
        self,
        action: Action,
        place: Place | None,
        end: Place | None,
        expected: Target | None,
        anchor: Callable[..., Box],
    ) -> StepResult:
        """Real input to the page."""
        from playwright.async_api import Error

        try:
            outcome = await self._input(action, place, end, expected, anchor)
        except Error as error:
            return StepResult(False, f"the browser could not do it: {str(error).splitlines()[0][:120]}")
        await self.tabs.settle(self._settle)
        return outcome

    async def _input(
        self,
        action: Action,
        place: Place | None,
        end: Place | None,
        expected: Target | None,
        anchor: Callable[..., Box],
    ) -> StepResult:
        page, name = self.tabs.current, action.name
        if name in ("long_press", "swipe"):
            assert place is not None
            await touch(self.tabs, action, place, end)
        elif name == "wait":
            await asyncio.sleep(min(action.time or 0.0, _LONGEST_WAIT))
        elif name == "mouse_move" and place:
            await self._try(page.mouse.move(*place))
        elif name == "scroll":
            await self._try(page.mouse.wheel(0, -(action.pixels or 0) / self._scale))
        elif name == "left_click_drag" and place:
            for work in (page.mouse.down(), page.mouse.move(*place, steps=8), page.mouse.up()):
                await self._try(work)
        elif name == "type":
            await self._try(page.keyboard.type(action.text or ""), timeout=60)
        elif name == "key" and action.device == "mobile":
            return await self._phone_key(str(action.text))
        elif name == "key":
            return await self._key(action)
        elif name == "system_button":
            return await self._system(str(action.button))
        elif place:
            return await self._click(name, place, expected, anchor)
        else:
            raise ViewfinderError(f"a browser has no {name}, so nothing was done; choose another action")
        return StepResult()

    async def _try(self, work: Any, timeout: float = 15.0) -> bool:
        return await self.tabs.unless_dialog(work, timeout)

    async def _click(self, name: str, place: Place, expected: Target | None, anchor: Callable[..., Box]) -> StepResult:
        mouse = self.tabs.current.mouse
        if name != "click":
            await self._try(mouse.move(*place))
        found = await inspect(self.tabs.context, self.tabs.current, await self.tabs.session(), place)
        if expected is not None and expected.identity and (not found or found.target.identity != expected.identity):
            return StepResult(
                False, "something else came to lie there before the click; nothing was pressed, look again"
            )
        listed = found if name in ("left_click", "click") and found and found.target.role == "select" else None
        if listed is not None and await self._open_list(listed, anchor):
            return StepResult()
        if name == "click":
            await self._try(self.tabs.current.touchscreen.tap(*place))
            return StepResult()
        button = _BUTTONS.get(name, "left")
        for count in range(1, 3 if name == "double_click" else 2):
            if not await self._try(mouse.down(button=button, click_count=count)) or self.tabs.dialog:
                break
            if not await self._try(mouse.up(button=button, click_count=count)) or self.tabs.dialog:
                break
        return StepResult()

    async def _open_list(self, found: Found, anchor: Callable[..., Box]) -> bool:
        about = await options_of(found)
        if about["multiple"] or about["disabled"] or not about["options"]:
            return False
        place = await _box_of(found)
        self._select, self.list_id = found, about["id"]
        self.open_list = overlays.OpenList(anchor(*place), about["options"], about["selected"])
        self.open_list.scroll(max(0, about["selected"] - 5))
        return True

    async def _key(self, action: Action) -> StepResult:
        page, combination = self.tabs.current, shortcut(action.keys)
        turns = {"Alt+ArrowLeft": "back", "Alt+ArrowRight": "forward", "F5": "reload", "Control+r": "reload"}
        if combination in turns:
            await self._history(turns[combination], page)
        elif combination in ("Control+l", "F6"):
            self.address = ""
        elif combination in ("Control+Tab", "Control+Shift+Tab"):
            step = -1 if "Shift" in combination else 1
            pages = self.tabs.pages
            self.tabs.current = pages[(pages.index(page) + step) % len(pages)]
            await self.tabs.current.bring_to_front()
        elif combination == "Control+w" and len(self.tabs.pages) > 1:
            await page.close()
        else:
            names = [key_name(key) for key in action.keys]
            for key in names:
                await self._try(page.keyboard.down(key))
            for key in reversed(names):
                await self._try(page.keyboard.up(key))
        return StepResult()

    async def _phone_key(self, name: str) -> StepResult:
        if name != "clear":
            return StepResult(False, f"a page has no key {name}")
        for key in ("Control+a", "Delete"):
            await self._try(self.tabs.current.keyboard.press(key))
        return StepResult()

    async def _system(self, button: str) -> StepResult:
        if button == "Enter":
            await self._try(self.tabs.current.keyboard.press("Enter"))
        elif button == "Back":
            await self._history("back", self.tabs.current)
        else:
            return StepResult(False, f"a page has no {button} button")
        return StepResult()


def with_scheme(address: str) -> str:
    """What an address means: `example.org` is `https://example.org`, `localhost:80` too; `data:x` stays."""
    return address if re.match(r"[a-z][a-z0-9+.-]*:(?!\d)", address, re.IGNORECASE) else f"https://{address}"


async def _box_of(found: Found) -> Box:
    """The element's box in CSS pixels of the view it is in."""
    answer = await found.session.send("DOM.getBoxModel", {"objectId": found.handle})
    quad = answer["model"]["border"]
    return min(quad[0::2]), min(quad[1::2]), max(quad[0::2]), max(quad[1::2])
