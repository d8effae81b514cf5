"""Secrets that have been typed are covered wherever the page shows them, before a picture is kept or seen.

Read from Chromium's own snapshot of the layout, not by scripts in the page. What a page draws itself (canvas,
pictures) cannot be found; the policy keeps a secret to its own domains.
"""

from collections.abc import Sequence
from typing import Any

from viewfinder.media.transform import Box


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
