"""Connections are handed to the server with the fewest, and wait where none is ready."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from viewfinder.serve.dispatch import ConnectionTaker, Dispatcher
from viewfinder.serve.settings import ServeError


class Named(asyncio.Protocol):
    """Answers each line with a server's name, and closes after "bye"."""

    def __init__(self, name: str, taker: ConnectionTaker, held: set[Any]) -> None:
        self._name, self._taker, self._held = name, taker, held

    def connection_made(self, transport: Any) -> None:
        if transport.get_extra_info("socket").get_inheritable():
            self._name = "inheritable"
        self._transport = transport
        self._held.add(transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._name.encode())
        if data == b"bye":
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._held.discard(self._transport)
        self._taker.ended()


@contextlib.contextmanager
def dispatching(dispatcher: Dispatcher) -> Iterator[None]:
    over = threading.Event()

    def loop() -> None:
        while not over.is_set():
            dispatcher.run_once(0.01)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Server:
    """A taker in an event loop of its own thread."""

    def __init__(self, name: str, channel: socket.socket) -> None:
        self._loop = asyncio.new_event_loop()
        self._taker = ConnectionTaker(channel)
        self._held: set[Any] = set()
        self._protocol = partial(Named, name, self._taker, self._held)
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> None:
        self._thread.start()
        self._loop.call_soon_threadsafe(self._taker.start, self._protocol, None)

    def stop(self) -> None:
        def end() -> None:
            self._taker.close()
            for transport in list(self._held):
                transport.abort()
            self._loop.call_soon(self._loop.stop)

        self._loop.call_soon_threadsafe(end)
        self._thread.join()
        self._loop.close()


def wait_for(dispatcher: Dispatcher, *loads: int) -> None:
    deadline = time.monotonic() + 20
    while dispatcher.loads != list(loads):
        assert time.monotonic() < deadline, f"{dispatcher.loads} stay, {loads} were expected"
        time.sleep(0.01)


def connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        assert time.monotonic() < deadline, "nobody listens"
        time.sleep(0.01)


def said(connection: socket.socket, what: bytes = b"hello") -> str:
    connection.sendall(what)
    return connection.recv(16).decode()


@contextlib.contextmanager
def two_servers(dispatcher: Dispatcher) -> Iterator[None]:
    """ "a" and "b", both ready."""
    servers = [Server(name, dispatcher.add_server()) for name in ("a", "b")]
    with dispatching(dispatcher):
        for server in servers:
            server.start()
        wait_for(dispatcher, 0, 0)
        yield
        for server in servers:
            server.stop()


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    made = Dispatcher("127.0.0.1", 0)
    yield made
    made.close()


def test_each_connection_goes_to_the_server_with_the_fewest(dispatcher: Dispatcher) -> None:
    with two_servers(dispatcher):
        held = [connected(dispatcher.port) for _ in range(8)]
        names = [said(one) for one in held]
        assert sorted(names) == ["a"] * 4 + ["b"] * 4
        for one, name in zip(held, names, strict=True):
            if name == "b":
                said(one, b"bye")
                assert one.recv(16) == b""
        wait_for(dispatcher, 0, 4)
        more = [connected(dispatcher.port) for _ in range(4)]
        assert [said(one) for one in more] == ["b"] * 4
        for one in held + more:
            one.close()


def test_one_after_the_other_goes_to_all_by_turns(dispatcher: Dispatcher) -> None:
    with two_servers(dispatcher):
        names = []
        for _ in range(6):
            with connected(dispatcher.port) as one:
                names.append(said(one, b"bye"))
                assert one.recv(16) == b""
            wait_for(dispatcher, 0, 0)
        assert sorted(names) == ["a"] * 3 + ["b"] * 3


def test_what_comes_while_no_server_is_ready_waits(dispatcher: Dispatcher) -> None:
    with dispatching(dispatcher):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", dispatcher.port), timeout=5)
        first = Server("first", dispatcher.add_server())
        first.start()
        with connected(dispatcher.port) as one:
            assert said(one) == "first"
        first.stop()
        wait_for(dispatcher)
        with socket.create_connection(("127.0.0.1", dispatcher.port), timeout=20) as one:
            one.sendall(b"hello")
            time.sleep(0.05)
            second = Server("second", dispatcher.add_server())
            second.start()
            assert one.recv(16) == b"second"
        second.stop()


def test_an_address_in_use_is_said_before_anything_is_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"127.0.0.1, port {port}, cannot be listened on .*; give another --port"):
            Dispatcher("127.0.0.1", port)
