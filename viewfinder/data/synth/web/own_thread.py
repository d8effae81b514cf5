"""A thread of its own for what may only be used in one, and must not be met by anybody else in theirs.

Playwright's synchronous interface keeps an event loop running in the thread that started it, and refuses to start
where one runs already: a browser kept open in the main thread would take that thread from everything else.
"""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class OwnThread:
    """Calls are made there one after the other; results and errors come back. It ends with the process."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        Thread(target=self._work, name=name, daemon=True).start()

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What `function(*arguments)` returns or raises, once it was made in that thread."""
        future: Future[T] = Future()
        self._calls.put((future, lambda: function(*arguments)))
        return future.result()

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
