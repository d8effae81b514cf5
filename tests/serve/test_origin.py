"""Which pages and names may write: cross-site requests and foreign Host headers are refused; connections end."""

import socket
import time

import httpx
import pytest
import uvicorn

from tests.serve.conftest import SANDBOX, Running, serving, small_engine
from tests.serve.test_door import CHAT, body
from viewfinder.serve.app import create_app
from viewfinder.serve.http_protocol import bounded_protocol
from viewfinder.serve.settings import ServeError, ServeSettings


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://HOST"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "text/plain; application/json"}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_a_page_of_another_origin_writes_nothing(small_server: Running, headers: dict[str, str], status: int) -> None:
    given = {name: value.replace("HOST", f"127.0.0.1:{small_server.port}") for name, value in headers.items()}
    answer = httpx.post(f"{small_server.url}{CHAT}", json=body(max_tokens=1), headers=given, timeout=60)
    assert answer.status_code == status, answer.text


def test_an_origin_that_is_named_may_write() -> None:
    settings = ServeSettings(model_name="small", cors_origins=("https://app.example",), sandbox=SANDBOX)
    with serving(settings) as running:
        headers = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
        answer = httpx.post(f"{running.url}{CHAT}", json=body(max_tokens=1), headers=headers, timeout=60)
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("testserver", 421),
        ("evil.example", 421),
        ("model.lan", 200),
        ("192.168.1.7:8000", 200),
        ("[fd00::7]:8000", 200),
    ],
)
def test_the_host_is_checked_beyond_loopback_too(name: str, status: int) -> None:
    from viewfinder.serve.access import AccessMiddleware

    settings = ServeSettings(host="0.0.0.0", api_keys=("k",), allowed_hosts=("model.lan",))
    door = AccessMiddleware(lambda *_: None, settings)  # type: ignore[arg-type, return-value]
    refusal = door._refusal({"path": "/health", "method": "GET"}, {b"host": name.encode()})
    assert (200 if refusal is None else refusal[0]) == status


def test_decoders_that_are_not_confined_are_a_reason_not_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def app(**more: object) -> object:
        settings = ServeSettings(host="0.0.0.0", api_keys=("k",), sandbox=SANDBOX, **more)  # type: ignore[arg-type]
        server = create_app(small_engine(), settings).state.server
        monkeypatch.setattr(server.sandbox, "start", lambda: {"landlock": False, "seccomp": True})
        return server

    with pytest.raises(ServeError, match=r"landlock.*--allow-weak-sandbox"):
        app().check_confinement()  # type: ignore[attr-defined]
    app(allow_weak_sandbox=True).check_confinement()  # type: ignore[attr-defined]


def test_half_sent_headers_and_idle_connections_end_and_health_answers() -> None:
    import threading

    app = create_app(small_engine(), ServeSettings(model_name="small", sandbox=SANDBOX))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    protocol = bounded_protocol(max_connections=8, header_seconds=0.5)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", http=protocol))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        slow = socket.create_connection(("127.0.0.1", port), timeout=5)
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert _is_closed(slow), "headers that do not end"
        idle = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(30)]
        start = time.monotonic()
        assert httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200
        assert time.monotonic() - start < 0.5
        for connection in (slow, *idle):
            connection.close()
    finally:
        server.should_exit = True
        thread.join(30)


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(10) == b""
    except ConnectionResetError:
        return True
