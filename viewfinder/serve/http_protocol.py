"""Connections that cannot pile up: headers have a time, and beyond a number the longest idle connection makes room."""

import asyncio
import contextlib
import resource
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_RESERVED = 128
"""File handles kept for everything but connections."""


def bounded_protocol(
    max_connections: int, header_seconds: float, on_lost: Callable[[], None] = lambda: None
) -> type[H11Protocol]:
    """A protocol for `uvicorn.Config(http=...)` that knows its bounds; raises the process's limit of handles.

    Args:
        on_lost: called when a connection is over.
    """
    most = min(max_connections, _handles(max_connections + _RESERVED) - _RESERVED)

    class BoundedProtocol(H11Protocol):
        _waiting: dict[Any, None] = {}  # noqa: RUF012, one for all connections: those without a request, oldest first
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                victim = next(iter(self._waiting), self)
                victim._drop()
            self._wait_for_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)
            on_lost()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._disarm()
            elif self._timer is None:
                self._wait_for_headers()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
                self._waiting[self] = None

        def _wait_for_headers(self) -> None:
            self._waiting[self] = None
            self._timer = self.loop.call_later(header_seconds, self._drop)

        def _disarm(self) -> None:
            self._waiting.pop(self, None)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _drop(self) -> None:
            self._disarm()
            self.transport.abort()

    return BoundedProtocol


def _handles(wanted: int) -> int:
    """File handles this process may have, raised to `wanted` where that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft == resource.RLIM_INFINITY else max(soft, _RESERVED + 16)
