"""One port and several servers: each connection goes to the server that has the fewest.

The supervisor accepts connections and hands their descriptors on (SCM_RIGHTS); a server says when it is ready and when
a connection has ended. A kernel that spreads them itself (SO_REUSEPORT) goes by a hash of the addresses: of 16 at once
the busier of two servers would have 9.6 on average, and the other one would wait for it with nothing to do.
"""

import asyncio
import contextlib
import logging
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from viewfinder.serve.settings import ServeError

_LOG = logging.getLogger(__name__)
_READY, _ENDED, _HERE = b"r", b"e", b"c"
"""What a server says of itself and of a connection; what comes with a descriptor."""
_BACKLOG = 2048
_AT_ONCE = 64
"""Connections that are accepted before it is heard again which have ended."""


@dataclass
class _Channel:
    """To one server.

    Attributes:
        connections: handed on and not yet ended.
    """

    socket: socket.socket
    is_ready: bool = False
    connections: int = 0


class Dispatcher:
    """The supervisor's side: an address that is taken at once, and listens once the first server is ready."""

    def __init__(self, host: str, port: int) -> None:
        """Raises:
        ServeError: the address cannot be had.
        """
        self._listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind((host, port))
        except OSError as error:
            self._listener.close()
            raise ServeError(f"{host}, port {port}, cannot be listened on ({error}); give another --port") from error
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._channels: list[_Channel] = []
        self._listens = False

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    @property
    def loads(self) -> list[int]:
        """Connections of each server that is ready, the fewest first."""
        return sorted(channel.connections for channel in self._channels if channel.is_ready)

    def add_server(self) -> socket.socket:
        """A channel to one more server; returns the end that its process inherits and that is then closed here."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        channel = _Channel(ours)
        self._channels.append(channel)
        self._selector.register(ours, selectors.EVENT_READ, channel)
        return theirs

    def run_once(self, seconds: float) -> None:
        """Accept and hand on what has come, hear what the servers say; waits for either so long at most."""
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._accept()
            else:
                self._hear(key.data)

    def close(self) -> None:
        for channel in list(self._channels):
            self._forget(channel)
        self._listen(False)
        self._listener.close()
        self._selector.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except OSError:  # none is left, or it went away meanwhile, or there are no more handles for now
                return
            with connection:
                while not self._hand_on(connection) and any(one.is_ready for one in self._channels):
                    time.sleep(0.001)  # all channels are full

    def _hand_on(self, connection: socket.socket) -> bool:
        """Whether the server with the fewest connections that can take it got it."""
        for channel in sorted((one for one in self._channels if one.is_ready), key=lambda one: one.connections):
            try:
                socket.send_fds(channel.socket, [_HERE], [connection.fileno()])
            except BlockingIOError:
                continue
            except OSError:
                self._forget(channel)
                continue
            channel.connections += 1
            self._channels.remove(channel)  # of those with equally many it comes last now
            self._channels.append(channel)
            return True
        return False

    def _hear(self, channel: _Channel) -> None:
        try:
            said = channel.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            self._forget(channel)
            return
        channel.connections -= said.count(_ENDED)
        if _READY in said:
            channel.is_ready = True
            self._listen(True)

    def _forget(self, channel: _Channel) -> None:
        if channel not in self._channels:
            return
        self._channels.remove(channel)
        self._selector.unregister(channel.socket)
        channel.socket.close()
        if not any(one.is_ready for one in self._channels):
            self._listen(False)

    def _listen(self, wanted: bool) -> None:
        """Where no server is ready, connections wait to be accepted."""
        if wanted and not self._listens:
            self._listener.listen(_BACKLOG)
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._listens and not wanted:
            self._selector.unregister(self._listener)
        self._listens = wanted


class ConnectionTaker:
    """A server's side: connections of a dispatcher become connections of its event loop."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._tasks: set[asyncio.Task[None]] = set()
        channel.setblocking(False)

    def start(self, protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None) -> None:
        """Take connections from now on. Inside a running event loop.

        Args:
            protocol: makes what serves one connection, and calls `ended` when that is over.
            context: for TLS.
        """
        loop = asyncio.get_running_loop()

        def take() -> None:
            try:
                said, handles, _, _ = socket.recv_fds(self._channel, 1, 1)
            except BlockingIOError:
                return
            if not said:  # the dispatcher has ended, and soon this server will
                loop.remove_reader(self._channel)
            for handle in handles:
                task = loop.create_task(self._begin(socket.socket(fileno=handle), protocol, context))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        loop.add_reader(self._channel, take)
        self._channel.send(_READY)

    def ended(self) -> None:
        """One connection is over."""
        with contextlib.suppress(OSError):  # the dispatcher has ended
            self._channel.send(_ENDED)

    def close(self) -> None:
        """Take no more, as `asyncio.Server`. What was handed on and not yet taken is closed unanswered."""
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""

    async def _begin(
        self, connection: socket.socket, protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
    ) -> None:
        connection.setblocking(False)
        connection.set_inheritable(False)  # a decoder that is started meanwhile would hold it open
        try:
            await asyncio.get_running_loop().connect_accepted_socket(protocol, connection, ssl=context)
        except OSError as error:  # of TLS, for example
            _LOG.debug("a connection could not be begun: %s", error)
            connection.close()
            self.ended()
