"""Events reach the queues of the loop in their order, with one wake-up for all that waits."""

import asyncio
import threading
from typing import Any

import pytest

from viewfinder.serve.mailbox import Mailbox


def test_what_was_put_arrives_in_order_after_one_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> tuple[list[Any], int]:
        loop = asyncio.get_running_loop()
        wakes = 0
        really = loop.call_soon_threadsafe

        def counted(*args: Any) -> Any:
            nonlocal wakes
            wakes += 1
            return really(*args)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        mailbox, queues = Mailbox(loop), [asyncio.Queue[int](), asyncio.Queue[int]()]

        def step() -> None:
            for i in range(6):
                mailbox.put(queues[i % 2], i)
            mailbox.wake()
            mailbox.wake()  # nothing new, or it is under way

        thread = threading.Thread(target=step)
        thread.start()
        got = [await queues[i % 2].get() for i in range(6)]
        thread.join()
        assert all(queue.empty() for queue in queues)
        return got, wakes

    got, wakes = asyncio.run(receive())
    assert got == [0, 1, 2, 3, 4, 5]
    assert wakes <= 2


def test_a_loop_that_has_ended_is_left_alone() -> None:
    loop = asyncio.new_event_loop()
    mailbox = Mailbox(loop)
    mailbox.put(asyncio.Queue(), 1)
    loop.close()
    mailbox.wake()
