"""`Ticket`: one request of the batched engine, as its caller holds it."""

import queue
from collections.abc import Callable, Iterator

from viewfinder.engine.request import Delta, RequestOutput
from viewfinder.engine.sequence import Sequence as TokenSequence
from viewfinder.errors import ViewfinderError
from viewfinder.messages import Reply

Event = Delta | Reply | Exception


class EngineStoppedError(ViewfinderError):
    """The engine lost this request through no fault of it: it was restarted, or it is shutting down."""


class Ticket:
    """The asker's end of a request: events as they come, and a way to call it off.

    Events are `Delta`s and, last, a `Reply` or an exception. `listener`, when given, gets each in the engine's
    thread instead of the queue.
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
        """The engine drops the request before its next step; its last event is a `Reply` with what there is."""
        self.sequence.cancelled = True

    def events(self) -> Iterator[Delta | Reply]:
        """Until the `Reply`; raises what ended the request otherwise."""
        while True:
            event = self._queue.get()
            if isinstance(event, Exception):
                raise event
            yield event
            if isinstance(event, Reply):
                return
