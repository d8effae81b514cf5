"""Bytes from anywhere allowed, and from nowhere else."""

import base64
import contextlib
import dataclasses
import http.server
import io
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from viewfinder.errors import LimitError, MediaError
from viewfinder.media import fetch as fetch_module
from viewfinder.media.addresses import is_public
from viewfinder.media.fetch import UrlPolicy
from viewfinder.media.source import Limits, describe_source, read_source

OPEN = Limits(url_policy=UrlPolicy(allow_private=True), max_bytes=1000, timeout=2)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                try:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(0.05)
            return
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header(
                "Location",
                {"next": "/ok", "file": "file:///etc/hostname", "loop": "/to/loop", "nowhere": "http://[::1"}[
                    self.path[4:]
                ],
            )
            self.end_headers()
            return
        if self.path == "/chunks":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-8\r\nx")
            return
        body = {"/ok": b"hello", "/d%C3%A9j%C3%A0%20vu": b"again", "/large": b"x" * 1001, "/cut": b"half"}.get(
            self.path
        )
        self.send_response(404 if body is None else 200)
        if body is not None:
            self.send_header("Content-Length", str(len(body) + (10 if self.path == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def test_path_bytes_file_and_data(tmp_path: Path) -> None:
    file = tmp_path / "a b.bin"
    file.write_bytes(b"hello")
    for source in (file, str(file), file.as_uri(), b"hello", bytearray(b"hello"), io.BytesIO(b"hello")):
        assert read_source(source) == b"hello"
    encoded = base64.b64encode(b"hello?>").decode()
    for uri in (
        f"data:image/png;base64,{encoded}",
        f"data:;base64,{encoded.rstrip('=')}",
        "data:image/png;base64," + base64.urlsafe_b64encode(b"hello?>").decode(),
        "data:text/plain,hello%3F%3E",
        f" DATA:image/png;charset=utf-8;BASE64,{encoded}",
        f"data:image/png; base64 ,{encoded[:4]}%0A {encoded[4:]}#page=1",
    ):
        assert read_source(uri) == b"hello?>"


def test_caps(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"x" * 101)
    small = Limits(max_bytes=100)
    data = "data:;base64," + base64.b64encode(b"x" * 101).decode()
    for source in (file, b"x" * 101, io.BytesIO(b"x" * 101), data, "data:," + "x" * 101):
        with pytest.raises(LimitError, match="100 bytes"):
            read_source(source, small)
    assert len(read_source(b"x" * 100, small)) == 100


def test_an_endless_device_is_refused() -> None:
    with pytest.raises(LimitError):
        read_source("/dev/zero", Limits(max_bytes=10_000_000))


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("/no/such/file.png", "no file"),
        ("/tmp", "directory"),
        ("ftp://example.com/x.png", "scheme"),
        ("data:image/png;base64", "comma"),
        ("data:image/png;base64,####", "base64"),
        ("x" * 5000, "no file"),
        (12, "no media source"),
        (io.StringIO("text"), "binary"),
    ],
)
def test_refusals(source: object, hint: str) -> None:
    with pytest.raises(MediaError, match=hint):
        read_source(source)


def test_files_can_be_forbidden(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    for source in (tmp_path / "a", str(tmp_path / "a"), (tmp_path / "a").as_uri()):
        with pytest.raises(MediaError, match="may not be named"):
            read_source(source, Limits(allow_files=False))


def test_download_and_redirect(server: str) -> None:
    assert read_source(server + "/ok", OPEN) == b"hello"
    assert read_source(server + "/to/next", OPEN) == b"hello"
    assert read_source(server + "/déjà vu", OPEN) == b"again"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/missing", "404"),
        ("/large", "^127.0.0.1 sends over 1,000 bytes"),
        ("/cut", "could not be read"),
        ("/to/file", "scheme"),
        ("/to/loop", "redirected"),
        ("/slow", "within 2 s"),
        ("/to/nowhere", "redirects to no URL"),
        ("/chunks", "could not be read"),
    ],
)
def test_bad_answers(server: str, path: str, hint: str) -> None:
    began = time.monotonic()
    with pytest.raises(MediaError, match=hint):
        read_source(server + path, OPEN)
    assert time.monotonic() - began < 4


def _anonymous(side: int) -> ssl.SSLContext:
    """TLS without certificates, so that a test needs none."""
    context = ssl.SSLContext(side)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    return context


def test_a_body_that_drips_under_tls_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then resets a socket's timeout; what hangs up must reach below TLS."""
    monkeypatch.setattr(ssl, "create_default_context", lambda: _anonymous(ssl.PROTOCOL_TLS_CLIENT))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            peer, _ = listener.accept()
            with contextlib.suppress(OSError), _anonymous(ssl.PROTOCOL_TLS_SERVER).wrap_socket(peer, True) as secure:
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                for _ in range(80):
                    secure.sendall(b"x")
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(LimitError, match="within 1 s"):
            read_source(f"https://localhost:{listener.getsockname()[1]}/", dataclasses.replace(OPEN, timeout=1))
        assert time.monotonic() - began < 4


def test_private_addresses_are_refused(server: str) -> None:
    for url in (server + "/ok", "http://localhost/x", "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://0.0.0.0/"):
        with pytest.raises(MediaError, match="private address") as told:
            read_source(url)
        assert "localhost" not in url or "127." not in str(told.value), "what a name resolves to is not told"


def test_each_hop_is_checked(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public-looking first host may not lead to a private second one."""
    port = int(server.rsplit(":", 1)[1])
    admitted: list[str] = []
    real = fetch_module.is_public

    def is_public_but_the_first(address: str) -> bool:
        admitted.append(address)
        return len(admitted) == 1 or real(address)

    monkeypatch.setattr(fetch_module, "is_public", is_public_but_the_first)
    with pytest.raises(MediaError, match="private address"):
        read_source(f"http://127.0.0.1:{port}/to/next")
    assert admitted == ["127.0.0.1", "127.0.0.1"]


def test_the_checked_address_is_the_one_connected_to(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that would resolve elsewhere at a second look-up gets none."""
    port = int(server.rsplit(":", 1)[1])
    looked_up: list[str] = []

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    connected: list[str] = []

    def connection(address: tuple[str, int], timeout: float) -> socket.socket:
        connected.append(address[0])
        sock = socket.socket()
        sock.settimeout(timeout)
        sock.connect(address)
        return sock

    monkeypatch.setattr(fetch_module.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(fetch_module.socket, "create_connection", connection)
    assert read_source(f"http://media.example:{port}/ok", OPEN) == b"hello"
    assert looked_up == ["media.example"]
    assert connected == ["127.0.0.1"]


def test_policy() -> None:
    with pytest.raises(MediaError, match="not allowed"):
        read_source("http://example.com/", Limits(url_policy=UrlPolicy(allow=False)))
    with pytest.raises(MediaError, match="allowed hosts"):
        read_source("http://example.com/", Limits(url_policy=UrlPolicy(allowed_hosts=("example.org",))))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("169.254.169.254", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::7f00:1", False),
        ("fec0::1", False),
        ("2002:808:808::", True),
        ("64:ff9b::808:808", True),
        ("64:ff9b:1::1", False),
        ("192.0.0.9", False),
        ("2001:20::1", False),
        ("168.63.129.16", False),
        ("fd00:ec2::254", False),
        ("not an address", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_names_are_short_and_keep_secrets() -> None:
    assert describe_source("/a/b/photo.jpg") == "photo.jpg"
    assert describe_source("https://u:p@host.example/x.png?token=secret") == "host.example/x.png"
    assert describe_source("data:image/png;base64,AAAA") == "data:image/png URI"
    assert describe_source(b"12345") == "data of 5 bytes"
    assert len(describe_source("x" * 5000)) < 70


def test_named_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=lambda: pipe.write_bytes(b"hello"), daemon=True).start()
    assert read_source(pipe) == b"hello"
