"""Stop at once: Escape or q on the terminal, or Ctrl+C, ends a run before anything more is pressed.

    with StopKey() as stop: Agent(..., stop=stop.event).run(task)

`stop.ask` reads a person's answer while the keys belong to the question.
"""

import os
import select
import signal
import sys
import threading
from types import TracebackType
from typing import Any, Self

_STOP = ("\x1b", "q")


class StopKey:
    """Listens while it is open. Without a terminal only Ctrl+C (SIGINT) stops.

    Attributes:
        event: set once somebody wants to stop.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self._closing, self._asking = threading.Event(), threading.Lock()
        self._before: Any = None
        self._terminal: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, lambda *_: self.event.set())
        if sys.stdin.isatty():
            import termios
            import tty

            self._terminal = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
            threading.Thread(target=self._listen, daemon=True).start()
        return self

    def _listen(self) -> None:
        while not self._closing.is_set() and not self.event.is_set():
            with self._asking:
                ready, _, _ = select.select([sys.stdin], [], [], 0.1)
                if ready and os.read(sys.stdin.fileno(), 1).decode(errors="ignore") in _STOP:
                    self.event.set()
            self._closing.wait(0.01)

    def ask(self, question: str) -> bool:
        """Yes or no, from the terminal; no where there is none, and no when it is stopped meanwhile."""
        if not sys.stdin.isatty() or self.event.is_set():
            return False
        with self._asking:
            sys.stderr.write(f"{question} [y/N] ")
            sys.stderr.flush()
            answer = os.read(sys.stdin.fileno(), 1).decode(errors="ignore").lower()
            sys.stderr.write(f"{answer}\n")
        if answer in _STOP:
            self.event.set()
        return answer == "y"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._terminal is not None:
            import termios

            with self._asking:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._terminal)
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
