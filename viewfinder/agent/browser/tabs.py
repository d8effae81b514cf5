"""The tabs of one context: which is shown, their dialogs, and waiting until a page has come to rest."""

import asyncio
import contextlib
import time
from typing import Any

_REST = 0.08
"""Seconds without a request after which a page rests."""

_LEAVING = 0.4
"""Seconds from the wish for another page to its request, on a busy machine."""

_BROKEN_OFF = "document.readyState === 'complete' && document.contentType === 'text/html' && !document.body"
_TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"


class Tabs:
    """Pages of a context that belong to the agent; lives in the browser's event loop."""

    def __init__(self, context: Any, downloads: bool) -> None:
        self.context = context
        self.pages: list[Any] = []
        self.current: Any = None
        self.dialog: Any = None
        self.notes: list[str] = []
        self._downloads = downloads
        self._sessions: dict[Any, Any] = {}
        self._busy: dict[Any, Any] = {}  # requests under way, and their pages
        self._last_request = 0.0
        self._loading: set[str] = set()  # frames that are on their way to another page
        self._dialog_opened = asyncio.Event()

    async def open_first(self) -> None:
        page = await self.context.new_page()
        if page not in self.pages:
            self._adopt(page)
        self.current = page
        self.context.on("page", self._on_new)

    def is_mine(self, page: Any) -> bool:
        """Whether a page is one of ours; one that is only opening counts."""
        return page in self.pages or not self.pages

    def _on_new(self, page: Any) -> None:
        async def follow() -> None:
            opener = await page.opener()
            if page in self.pages or (opener is not None and opener not in self.pages):
                return
            self._adopt(page)
            self.current = page
            self.notes.append("a new tab was opened and is shown now")

        self._spawn(follow())

    def _adopt(self, page: Any) -> None:
        self.pages.append(page)
        page.on("dialog", self._on_dialog)
        page.on("close", lambda closed: self._on_close(closed))
        page.on("download", lambda download: self._spawn(self._on_download(download)))
        page.on("crash", lambda crashed: self.notes.append("the page crashed"))
        page.on("filechooser", lambda chooser: self.notes.append("a page asked for a file; none is given"))
        page.on("request", lambda request: self._on_request(request, page))
        for event in ("requestfinished", "requestfailed"):
            page.on(event, lambda request: self._busy.pop(request, None))

    def _on_leaving(self) -> None:
        """A page asks for another: its request comes a little later, so it does not rest."""
        self._last_request = time.monotonic() + _LEAVING

    def _on_request(self, request: Any, page: Any) -> None:
        self._last_request = time.monotonic()
        self._busy[request] = page

    def _on_dialog(self, dialog: Any) -> None:
        self.dialog = dialog
        self._dialog_opened.set()

    def _on_close(self, page: Any) -> None:
        self.pages = [other for other in self.pages if other is not page]
        self._sessions.pop(page, None)
        self._loading.clear()
        if page is self.current and self.pages:
            self.current = self.pages[-1]
            self.notes.append("the tab was closed; another is shown now")

    async def _on_download(self, download: Any) -> None:
        self.notes.append("a file was downloaded" if self._downloads else "a download was refused")
        if not self._downloads:
            with contextlib.suppress(Exception):  # already gone, which is what was wanted
                await download.cancel()

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks = getattr(self, "_tasks", set()) | {task}
        task.add_done_callback(lambda done: self._tasks.discard(done) or done.exception())

    async def session(self) -> Any:
        """The debugging session of the page shown."""
        if self.current not in self._sessions:
            session = await self.context.new_cdp_session(self.current)
            self._sessions[self.current] = session
            session.on("Page.frameRequestedNavigation", lambda event: self._on_leaving())
            session.on("Page.frameStartedLoading", lambda event: self._loading.add(event["frameId"]))
            for name in ("Page.frameStoppedLoading", "Page.frameDetached"):
                session.on(name, lambda event: self._loading.discard(event["frameId"]))
            await session.send("Page.enable")
        return self._sessions[self.current]

    async def answer_dialog(self, accept: bool, text: str = "") -> None:
        """Close the dialog; the page goes on."""
        dialog, self.dialog = self.dialog, None
        self._dialog_opened.clear()
        if not accept:
            await dialog.dismiss()
        else:
            await (dialog.accept(text) if dialog.type == "prompt" else dialog.accept())

    async def unless_dialog(self, work: Any, timeout: float = 15.0) -> bool:
        """Wait for input to be taken, but not for a dialog that it opened; False when it took too long.

        Input is acknowledged only when the page has handled it, which a dialog (or a script without end) prevents.
        """
        task = asyncio.ensure_future(work)
        opened = asyncio.ensure_future(self._dialog_opened.wait())
        done, _ = await asyncio.wait({task, opened}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if task in done:
            task.result()
            return True
        task.add_done_callback(lambda late: late.cancelled() or late.exception())
        return bool(done)

    async def unless_broken_off(self, work: Any, timeout: float) -> bool:
        """Wait for work that a page ends by loading or drawing; False when it took too long or never will."""
        task, watch = asyncio.ensure_future(work), asyncio.ensure_future(self._until_broken_off())
        try:
            await asyncio.wait({task, watch}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watch.cancel()
        if task.done():
            task.result()
            return True
        task.add_done_callback(lambda late: late.cancelled() or late.exception())
        return False

    async def is_broken_off(self) -> bool:
        """Whether the page shown stays as it is and is never drawn: a script led on, to a download or to a page that
        was refused, before there was a body. Chromium then calls it complete without ever saying that it is loaded."""
        from playwright.async_api import Error

        with contextlib.suppress(Error, TimeoutError):
            session = await self.session()
            found = await asyncio.wait_for(session.send("Runtime.evaluate", {"expression": _BROKEN_OFF}), 1.0)
            return bool(found["result"].get("value"))
        return False

    async def _until_broken_off(self) -> None:
        await asyncio.sleep(0.3)
        while not await self.is_broken_off():
            await asyncio.sleep(0.3)

    async def settle(self, limit: float) -> None:
        """Until the page has drawn what the last action did, and rests; at most `limit` seconds."""
        from playwright.async_api import Error

        until = time.monotonic() + limit
        await asyncio.sleep(0.005)
        while time.monotonic() < until and self.dialog is None:
            with contextlib.suppress(Error, TimeoutError):  # the page is making room for the next: wait for that one
                left = until - time.monotonic()
                loading = self.unless_dialog(self.current.wait_for_load_state("domcontentloaded"), left)
                loads = await self.unless_broken_off(loading, left)
                if self.dialog is not None or (not loads and await self.is_broken_off()):
                    return
                await asyncio.wait_for(self._frames(), min(2.0, limit))
                quiet = time.monotonic() - self._last_request >= _REST
                if quiet and not self._loading and not (self._busy and self._pending()):
                    return
            await asyncio.sleep(0.02)

    def _pending(self) -> bool:
        """Whether requests are under way; those of closed pages are forgotten."""
        self._busy = {request: page for request, page in self._busy.items() if page in self.pages}
        return bool(self._busy)

    async def _frames(self) -> None:
        session = await self.session()
        await session.send("Runtime.evaluate", {"expression": _TWO_FRAMES, "awaitPromise": True})
