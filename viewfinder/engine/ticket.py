"""`Ticket`: the caller's side of one request to the batched engine."""

import queue
from collections.abc import Callable, Iterator

from viewfinder.engine.request import Delta, RequestOutput
from viewfinder.engine.sequence import Sequence as TokenSequence
from viewfinder.errors import ViewfinderError
from viewfinder.messages import Reply

Event = Delta | Reply | Exception


class EngineStoppedError(ViewfinderError):
    """The engine dropped this request because it was restarted or is shutting down."""


class Ticket:
    """The events of a request, and how it is cancelled.

    Events are `Delta`s and, last, a `Reply` or an exception. A `listener` is called with each of them in the engine's
    thread; without one they wait in a queue for `events`.
    """

    def __init__(
        self, sequence: TokenSequence, output: RequestOutput, listener: Callable[[Event], None] | None = None
    ) -> None:
        self.sequence, self.output = sequence, output
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._emit = listener or self._queue.put

    def emit(self, event: Event) -> None:
        self._emit(event)

    def cancel(self) -> None:
        """End the request before the engine's next step; its last event is a `Reply` with the text so far."""
        self.sequence.cancelled = True

    def events(self) -> Iterator[Delta | Reply]:
        """All events up to the `Reply`; raises the exception if the request ended with one."""
        while True:
            event = self._queue.get()
            if isinstance(event, Exception):
                raise event
            yield event
            if isinstance(event, Reply):
                return
