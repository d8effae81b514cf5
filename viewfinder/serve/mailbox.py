"""From the engine's thread to the event loop: what a step made for all streams, with one wake-up."""

import asyncio
from collections import deque
from typing import Any


class Mailbox:
    """Items for the queues of an event loop. Any thread may `put`; they arrive after `wake`.

    A wake-up is a system call after which the loop's thread takes the interpreter, so one for each token of each
    stream costs the engine as much as choosing the tokens.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: deque[tuple[asyncio.Queue[Any], Any]] = deque()

    def put(self, queue: asyncio.Queue[Any], item: Any) -> None:
        self._items.append((queue, item))

    def wake(self) -> None:
        """Have the loop take what was put."""
        if self._items and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        while self._items:
            queue, item = self._items.popleft()
            queue.put_nowait(item)
