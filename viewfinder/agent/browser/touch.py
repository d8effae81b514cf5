"""A finger on the page: long presses and swipes as real touch events."""

import asyncio

from viewfinder.agent.browser.tabs import Tabs
from viewfinder.outputs.actions import Action

_SWIPE_STEPS = 10
_LONGEST_PRESS = 10.0
"""Seconds."""
Place = tuple[float, float]


async def touch(tabs: Tabs, action: Action, place: Place, end: Place | None) -> None:
    """Press at `place` for the action's time, or swipe from there to `end`; both in CSS pixels of the page."""
    session = await tabs.session()

    async def send(kind: str, *points: Place) -> None:
        touches = [{"x": x, "y": y} for x, y in points]
        work = session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        await tabs.unless_dialog(work, 15.0)

    await send("touchStart", place)
    if action.name == "long_press":
        await asyncio.sleep(min(action.time or 1.0, _LONGEST_PRESS))
    elif end is not None:
        for i in range(1, _SWIPE_STEPS + 1):
            x, y = (place[k] + (end[k] - place[k]) * i / _SWIPE_STEPS for k in (0, 1))
            await send("touchMove", (x, y))
    await send("touchEnd")
