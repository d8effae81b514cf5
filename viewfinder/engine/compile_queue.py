"""Grammars of tenants are compiled here: one at a time for each tenant, the library's part in threads of low priority.

A schema of a few kilobytes may take a second of a core. Whoever sends many of them waits for its own; the tenant that
used the least time comes next, and the engine's thread goes before all of them.
"""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from viewfinder.engine.scheduler import BusyError

T = TypeVar("T")


class CompileQueue:
    """For many threads."""

    def __init__(self, workers: int = 4, seconds: float = 20.0) -> None:
        """`workers` compile at once, each for another tenant; `seconds` is the longest that a grammar waits."""
        self._workers, self._seconds = workers, seconds
        self._threads = ThreadPoolExecutor(workers, "grammar", initializer=_give_way)
        self._changed = threading.Condition()
        self._waiting: Counter[str] = Counter()
        self._busy: set[str] = set()
        self._used: dict[str, float] = {}

    def run(self, tenant: str, work: Callable[[], T]) -> T:
        """The result of `work`, done when it is the tenant's turn.

        Raises:
            BusyError: the turn did not come in time.
        """
        with self._changed:
            self._waiting[tenant] += 1
            mine = self._changed.wait_for(lambda: self._is_next(tenant), self._seconds)
            self._waiting -= Counter((tenant,))
            if not mine:
                raise BusyError(
                    f"{self._waiting[tenant] + 1} grammars of yours wait to be compiled, one at a time; ask later",
                    self._seconds,
                )
            self._busy.add(tenant)
        start = time.monotonic()
        try:
            return work()
        finally:
            with self._changed:
                self._busy.remove(tenant)
                used = self._used.pop(tenant, 0.0) + time.monotonic() - start
                self._used = {name: 0.9 * seconds for name, seconds in self._used.items() if seconds > 0.01}
                self._used[tenant] = used
                self._changed.notify_all()

    def aside(self, work: Callable[[], T]) -> T:
        """The result of work that does without the interpreter, in a thread of low priority.

        Python code has no place there: others would wait for a thread that has the interpreter and gets no processor.
        """
        return self._threads.submit(work).result()

    def _is_next(self, tenant: str) -> bool:
        if tenant in self._busy or len(self._busy) >= self._workers:
            return False
        return tenant == min(self._waiting.keys() - self._busy, key=lambda name: self._used.get(name, 0.0))


def _give_way() -> None:
    """Linux has a priority for each thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
