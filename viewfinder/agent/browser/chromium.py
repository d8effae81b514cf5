"""The browser program: found, started in a thread of its own, shared by several environments, closed.

Everything of Playwright runs in that thread's event loop, so that a page that waits for a dialog never blocks
its caller, and callers may have event loops of their own (notebooks).
"""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, TypeVar

from viewfinder.agent.browser.gate import Gate
from viewfinder.errors import ViewfinderError
from viewfinder.materials.chromium import find_program, font_environment
from viewfinder.materials.needs import require

T = TypeVar("T")
_QUIET = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    # no way around the gate: no UDP, no look-ups of names, nothing that is sent where no line sees its method
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-features=DnsOverHttps,MediaRouter,OptimizationHints,Translate,Prerender2,FetchLaterAPI",
    "--disable-blink-features=SharedWorker,FetchLaterAPI,SpeculationRulesPrefetchWithSubresources,BackgroundFetch",
)


class Chromium:
    """One browser program.

    Args:
        executable: the program; None finds Debian's Chromium or Chrome on the path, else Playwright's own.
        headless: without a window.
        connect: address of a running browser's debugging port, `http://127.0.0.1:9222`, instead of a new one. It was
            started without a gate, so page routing alone holds the policy there.
        profile: directory with the user's profile, for sessions that are logged in. All its tabs pass the gate.
        sandbox: Chromium's own; off where the system does not allow it (root in a container).
        shipped_fonts: draw with the package's fonts alone, so that samples are the same on every machine; otherwise
            with those of the system, as a user's browser does.

    Raises:
        MissingMaterial: Playwright or a browser is not there.
        ViewfinderError: it does not start.
    """

    def __init__(
        self,
        executable: str | Path | None = None,
        *,
        headless: bool = True,
        connect: str | None = None,
        profile: str | Path | None = None,
        sandbox: bool | None = None,
        shipped_fonts: bool = False,
    ) -> None:
        require("playwright", *(() if executable or connect else ("chromium",)), what="a browser's screen")
        self._executable = str(executable) if executable else find_program()
        self._fonts = TemporaryDirectory(prefix="viewfinder-fonts-") if shipped_fonts else None
        self._headless, self._connect, self._profile = headless, connect, profile
        self._sandbox = not _is_root() if sandbox is None else sandbox
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="browser", daemon=True)
        self._thread.start()
        self.browser: Any = None
        self._gate = Gate()  # refuses all: what the browser asks for by itself, and a profile before its first page
        self._own: Any = None
        self._closed = False
        try:
            self.run(self._start())
        except Exception as error:
            self.close()
            reason = " ".join(str(error).split())[:200]
            raise ViewfinderError(
                f"the browser {self._executable} does not start ({reason}); install Debian's "
                "chromium or run `playwright install chromium`"
            ) from None

    async def _start(self) -> None:
        from playwright.async_api import async_playwright

        self._playwright = await async_playwright().start()
        chromium = self._playwright.chromium
        await self._gate.start()
        if self._connect:
            self.browser = await chromium.connect_over_cdp(self._connect)
            return
        options: dict[str, Any] = {
            "executable_path": self._executable,
            "headless": self._headless,
            "args": list(_QUIET),
            "chromium_sandbox": self._sandbox,
            "proxy": self._gate.for_browser(),
        }
        if self._fonts is not None:
            options["env"] = font_environment(Path(self._fonts.name))
        if self._profile:
            self._own = await chromium.launch_persistent_context(str(self._profile), no_viewport=True, **options)
        else:
            self.browser = await chromium.launch(**options)

    async def open_gate(self) -> Gate | None:
        """A gate for one context; the program's for a profile, none for a browser that others started."""
        if not self.is_own:
            return None if self._connect else self._gate
        gate = Gate()
        await gate.start()
        return gate

    async def close_gate(self, gate: Gate | None) -> None:
        """Nothing passes any more."""
        if gate is not None and gate is self._gate:
            gate.judge = None
        elif gate is not None:
            await gate.close()

    async def context(self, gate: Gate | None = None, **options: Any) -> Any:
        """A fresh context (no cookies, no history); the user's own where a profile or a running browser was given."""
        if self._own is not None:
            return self._own
        if self._connect and self.browser.contexts:
            return self.browser.contexts[0]
        proxy = {} if gate is None else {"proxy": gate.for_browser()}
        return await self.browser.new_context(**proxy, **options)

    @property
    def is_own(self) -> bool:
        """Whether contexts are fresh, rather than the user's."""
        return self._own is None and not self._connect

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 120.0) -> T:
        """Run a coroutine in the browser's thread and wait for it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise ViewfinderError(
                f"the browser did not answer for {timeout:g} seconds, so the page hangs; close it and begin again"
            ) from None

    def close(self) -> None:
        """End the program; a browser that was connected to stays open."""
        if self._closed:
            return
        self._closed = True
        try:
            self.run(self._stop(), timeout=20)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()
            if self._fonts is not None:
                self._fonts.cleanup()

    async def _stop(self) -> None:
        for closing in (self._own, None if self._connect else self.browser):
            if closing is not None:
                await closing.close()
        if hasattr(self, "_playwright"):
            await self._playwright.stop()
        await self._gate.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def _is_root() -> bool:
    import os

    return hasattr(os, "geteuid") and os.geteuid() == 0
