"""`PageCamera`: what the page of a window shows, in device pixels, with typed secrets covered."""

import asyncio
import base64
import io
import time
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw

from viewfinder.agent.browser.tabs import Tabs
from viewfinder.agent.secrets import Vault
from viewfinder.media.transform import Box, Transform

_SLOWEST = 60.0
"""Seconds to wait for a page to draw itself."""


class PageCamera:
    """Takes pictures of the current tab.

    Args:
        to_page: from the page in CSS pixels to its picture in device pixels.
        scale: device pixels per CSS pixel, as it was asked for.
        vault: secrets to cover.
    """

    def __init__(self, tabs: Tabs, to_page: Transform, scale: float, vault: Vault) -> None:
        self._tabs, self._to_page, self._scale, self._vault = tabs, to_page, scale, vault
        self._last: Image.Image | None = None

    async def picture(self) -> Image.Image:
        """The page; as it was last seen while a dialog, or a script without end, keeps it from drawing."""
        if self._tabs.dialog is not None and self._last is not None:
            return self._last.copy()
        image = await self._capture()
        if image is None:
            self._tabs.notes.append("the page does not answer; it is shown as it was last seen")
            return (self._last or Image.new("RGB", self._to_page.resized_size, "white")).copy()
        if values := self._vault.revealed_values:
            pen = ImageDraw.Draw(image)
            for box in await secret_boxes(await self._tabs.session(), values):
                pen.rectangle(self._to_page.box_to_model(box), fill="black")
        self._last = image.copy()
        return image

    async def _capture(self) -> Image.Image | None:
        """What the page shows, in device pixels; None when it does not answer for `_SLOWEST` seconds."""
        from playwright.async_api import Error

        options: dict[str, Any] = {"format": "png", "optimizeForSpeed": True}
        until = time.monotonic() + _SLOWEST
        while (left := until - time.monotonic()) > 0:
            try:
                session = await self._tabs.session()
                taking = asyncio.ensure_future(session.send("Page.captureScreenshot", options))
                if not await self._tabs.unless_broken_off(taking, left) and await self._tabs.is_broken_off():
                    self._tabs.notes.append("the page led on while it was loading and stayed empty")
                    return Image.new("RGB", self._to_page.resized_size, "white")
                shot = await asyncio.wait_for(taking, 0.001)
            except (Error, TimeoutError):  # also while one page makes room for the next
                await asyncio.sleep(0.3)
                continue
            image = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
            size = self._to_page.resized_size
            if "clip" not in options and any(abs(a - b) > 2 for a, b in zip(image.size, size, strict=True)):
                options["clip"] = await self._magnified(session)
                continue
            # Chromium rounds broken scales its own way, by a pixel at most
            return image if image.size == size else image.crop((0, 0, *size))
        return None

    async def _magnified(self, session: Any) -> dict[str, float]:
        """What is shown, at the scale that was asked: some builds of Chromium take their pictures in CSS pixels."""
        shown = (await session.send("Page.getLayoutMetrics"))["cssVisualViewport"]
        width, height = self._to_page.original_size
        return {"x": shown["pageX"], "y": shown["pageY"], "width": width, "height": height, "scale": self._scale}


async def secret_boxes(session: Any, values: Sequence[str]) -> list[Box]:
    """Boxes (CSS pixels of the view) of all text that holds one of the values; frames as a whole."""
    shot = await session.send("DOMSnapshot.captureSnapshot", {"computedStyles": [], "includePaintOrder": False})
    strings: list[str] = shot["strings"]
    guilty = {i for i, text in enumerate(strings) if any(value in text for value in values)}
    if not guilty:
        return []
    main, boxes = shot["documents"][0], list[Box]()
    for number, document in enumerate(shot["documents"]):
        layout = document["layout"]
        hits = [i for i, text in enumerate(layout["text"]) if text in guilty]
        if number == 0:
            x, y = document.get("scrollOffsetX", 0), document.get("scrollOffsetY", 0)
            boxes += [_box(layout["bounds"][i], x, y) for i in hits]
        elif hits:
            boxes += _frame_boxes(main)
    return boxes


def _frame_boxes(main: dict[str, Any]) -> list[Box]:
    owners = set(main["nodes"].get("contentDocumentIndex", {}).get("index", []))
    layout = main["layout"]
    x, y = main.get("scrollOffsetX", 0), main.get("scrollOffsetY", 0)
    placed = zip(layout["nodeIndex"], layout["bounds"], strict=True)
    return [_box(bounds, x, y) for node, bounds in placed if node in owners]


def _box(bounds: Sequence[float], scroll_x: float, scroll_y: float) -> Box:
    left, top, width, height = bounds
    return left - scroll_x - 2, top - scroll_y - 2, left + width - scroll_x + 2, top + height - scroll_y + 2
