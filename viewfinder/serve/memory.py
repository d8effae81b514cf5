"""Memory of large requests goes back to the system soon after they end; the allocator would keep it for later ones."""

import asyncio
import ctypes

_LARGE = 2**21
"""Bytes of a body, of which a request has several copies while it is read."""
_WAIT = 1.0
"""Seconds after such a request: it has ended by then, and many of them cost one walk through the free memory."""


class Memory:
    """For one event loop. Does nothing where the C library has no `malloc_trim` (it is glibc's)."""

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._timer: asyncio.TimerHandle | None = None

    def give_back_after(self, num_bytes: int) -> None:
        """A request with a body of so many bytes ends."""
        if num_bytes < _LARGE or self._trim is None or self._timer is not None:
            return
        self._timer = asyncio.get_running_loop().call_later(_WAIT, self._give_back)

    def _give_back(self) -> None:
        self._timer = None
        assert self._trim is not None
        asyncio.get_running_loop().run_in_executor(None, self._trim, 0)  # without the interpreter
