"""The gate: a proxy on this machine through which a browser must go, so that no request passes unjudged.

Page routing (`network_filter`) sees what a page asks for by its frames. Beacons, deferred requests, shared workers,
prerendering, preconnections and the browser's own requests never show up there; each of them needs a connection, and
every connection is made here.

    plain HTTP, ws:   method and URL of every request are judged, also inside a CONNECT tunnel
    HTTPS:            host and port are judged (CONNECT); methods are judged by page routing
    wss:              as ws without its path: its first message says that no page is asked for (`client_hello`)

A plain connection carries one request: what follows it is not read. Headers are parsed by h11, bodies are streamed.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

from viewfinder.agent.browser.client_hello import is_for_socket, read_hello
from viewfinder.agent.policy import Reach
from viewfinder.media.addresses import is_public

Judge = Callable[[str, str], Reach]
"""(method, URL) to what may be connected to: nothing, public addresses, or any address. A tunnel is a CONNECT to
`https://host:port/`, a WebSocket the method "SOCKET"."""

_HEAD_SECONDS, _CONNECT_SECONDS = 10.0, 15.0
_LINGER = 15.0
"""Seconds after the end of a confirmed action in which an encrypted connection opened under it may finish."""
_MOST = 512
"""Connections at once."""
_CHUNK = 1 << 16
_TLS_HANDSHAKE = b"\x16"


class Gate:
    """A filtering proxy on a free port of 127.0.0.1; lives in the browser's event loop.

    Attributes:
        judge: decides every request; None refuses all.
        address: for the browser, `http://127.0.0.1:PORT`.
    """

    def __init__(self, judge: Judge | None = None) -> None:
        self.judge = judge
        self.address = ""
        self._server: asyncio.Server | None = None
        self._confirming = False
        self._open: set[asyncio.Task[None]] = set()
        self._sockets: set[asyncio.Task[None]] = set()  # open WebSockets
        self._confirmed: set[asyncio.Task[None]] = set()  # encrypted connections opened under a confirmation

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_CHUNK)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def for_browser(self) -> dict[str, str]:
        """Playwright's `proxy`; no address goes around it, this machine's neither."""
        return {"server": self.address, "bypass": "<-loopback>"}

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def begin(self) -> None:
        """A confirmed action starts: connections opened from now on belong to it."""
        self._confirming = True

    def end(self) -> None:
        """It ended: its WebSockets close at once, its encrypted connections (which may be some) a little later."""
        self._confirming = False
        for task in self._sockets:
            task.cancel()
        late, self._confirmed = self._confirmed, set()
        for task in late:
            asyncio.get_running_loop().call_later(_LINGER, task.cancel)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) <= _MOST:
                await self._serve(reader, writer)
        except (OSError, TimeoutError, ValueError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass  # gone, slow, or no HTTP: the connection closes, which is all there is to do
        finally:
            for tasks in (self._open, self._sockets, self._confirmed):
                tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _Request.read(reader)
        if request.method != "CONNECT":
            return await self._plain(request, request.target, reader, writer)
        parts = urlsplit(f"//{request.target}")
        host, port = parts.hostname or "", parts.port or 443
        if not self._may("CONNECT", f"https://{request.target}/"):
            return await _refuse(writer)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        first = await asyncio.wait_for(reader.read(_CHUNK), _HEAD_SECONDS)
        if not first.startswith(_TLS_HANDSHAKE):  # plain HTTP in a tunnel, as for WebSockets: judged like any other
            inner = await _Request.read(reader, first)
            return await self._plain(inner, f"http://{request.target}{inner.target}", reader, writer)
        async with asyncio.timeout(_HEAD_SECONDS):
            first = await read_hello(reader, first)
        is_socket = is_for_socket(first)
        method, url = ("SOCKET", f"wss://{request.target}/") if is_socket else ("CONNECT", f"https://{request.target}/")
        upstream = await self._connect(method, url, host, port)
        if upstream is None:
            return None
        if is_socket:
            self._sockets.add(_this_task())
        elif self._confirming:
            self._confirmed.add(_this_task())
        upstream[1].write(first)
        return await _both_ways((reader, writer), upstream)

    async def _plain(
        self, request: "_Request", url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method = "SOCKET" if request.upgrades else request.method
        parts = urlsplit(url)
        if parts.scheme not in ("http", "ws") or not parts.hostname:
            return await _refuse(writer)
        upstream = await self._connect(method, url, parts.hostname, parts.port or 80)
        if upstream is None:
            return await _refuse(writer)
        upstream[1].write(request.head(parts.netloc, f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"))
        if request.upgrades:
            self._sockets.add(_this_task())
            return await _both_ways((reader, writer), upstream)
        async for data in request.body(reader):
            upstream[1].write(data)
            await upstream[1].drain()
        try:
            await _copy(upstream[0], writer)
        finally:
            upstream[1].close()
        return None

    def _may(self, method: str, url: str) -> str:
        verdict = self.judge(method, url) if self.judge else "no"
        return "" if verdict == "no" else verdict

    async def _connect(self, method: str, url: str, host: str, port: int) -> Any:
        """A connection to the address that was checked, or None."""
        verdict = self._may(method, url)
        if not verdict:
            return None
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if verdict == "public" and not all(is_public(address) for address in addresses):
            return None
        for address in addresses:
            with contextlib.suppress(OSError, TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection(address, port), _CONNECT_SECONDS)
        return None


class _Request:
    """Head of a request and what came of its body, by h11."""

    def __init__(self, connection: Any, event: Any) -> None:
        self._connection = connection
        self.method, self.target = event.method.decode("ascii"), event.target.decode("ascii")
        self._headers = [(bytes(name), bytes(value)) for name, value in event.headers]

    @classmethod
    async def read(cls, reader: asyncio.StreamReader, begun: bytes = b"") -> "_Request":
        import h11

        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_CHUNK)
        if begun:
            connection.receive_data(begun)
        async with asyncio.timeout(_HEAD_SECONDS):
            try:
                while (event := connection.next_event()) is h11.NEED_DATA:
                    connection.receive_data(await reader.read(_CHUNK))
            except h11.RemoteProtocolError as error:
                raise ValueError(f"no HTTP: {error}") from None
        if not isinstance(event, h11.Request):
            raise ValueError("the connection ended before a request")
        return cls(connection, event)

    @property
    def upgrades(self) -> bool:
        """Whether it asks for another protocol, a WebSocket."""
        return any(name == b"upgrade" for name, _ in self._headers)

    def head(self, host: str, target: str) -> bytes:
        """The request as it goes on: to one host, and once (no keep-alive) unless it becomes a socket."""
        import h11

        dropped = {b"host", b"proxy-connection", b"proxy-authorization", b"keep-alive"}
        dropped |= set() if self.upgrades else {b"connection", b"expect"}
        headers = [(b"host", host.encode()), *(pair for pair in self._headers if pair[0] not in dropped)]
        headers += [] if self.upgrades else [(b"connection", b"close")]
        self._sender = h11.Connection(h11.CLIENT)
        request = h11.Request(method=self.method, target=target, headers=headers)
        data: bytes = self._sender.send(request)
        return data

    async def body(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        """Pieces of the body, framed as they go on; ends where the request ends."""
        import h11

        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await reader.read(_CHUNK))
                continue
            if isinstance(event, (h11.Data, h11.EndOfMessage)):
                yield self._sender.send(event)
            if not isinstance(event, h11.Data):
                return


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def _refuse(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 403 Refused by the policy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()


async def _both_ways(near: Any, far: Any) -> None:
    """Bytes between two connections until one of them ends."""
    ways = [asyncio.ensure_future(_copy(near[0], far[1])), asyncio.ensure_future(_copy(far[0], near[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        far[1].close()
