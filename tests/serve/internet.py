"""An internet for hostile tests: names that resolve as they like, a web server outside, and one that nobody may reach.

`python -m tests.serve.internet OUTSIDE INSIDE serve ...` is `viewfinder serve ...` in it. Only two calls of the system
are exchanged, `socket.getaddrinfo` and `socket.create_connection`: a public address leads to the local port
OUTSIDE, every other address, of whatever port, to INSIDE. What the server asks, checks and follows is its own doing.
"""

import http.server
import ipaddress
import runpy
import socket
import sys
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any
from urllib.parse import unquote

PUBLIC, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::1"
HIDDEN = "10.9.8.7"
SECRET = "inner-secret-4711"
_FIXED = {
    "outside": (PUBLIC,),
    "six": (PUBLIC6,),
    "inside": (HIDDEN,),
    "metadata": ("169.254.169.254",),
    "loop": ("127.0.0.1",),
    "loop6": ("::1",),
    "mapped": ("::ffff:10.9.8.7",),
    "nat64": ("64:ff9b::a09:807",),
    "both": (PUBLIC, HIDDEN),
    "hidden-first": (HIDDEN, PUBLIC),
}


class Names:
    """`getaddrinfo` for names under `.test`, each of which is its own zone with its own count of questions.

    `X.rebind.test` is public when it is asked first and private ever after; `X.swing.test` is public, private in turn.
    """

    def __init__(self) -> None:
        self._real = socket.getaddrinfo
        self._asked: Counter[str] = Counter()

    def __call__(self, host: Any, port: Any, *args: Any, **more: Any) -> list[Any]:
        if not isinstance(host, str) or host == "localhost":
            return self._real(host, port, *args, **more)
        if not host.endswith(".test"):
            return self._real(host, port, *args, **{**more, "flags": socket.AI_NUMERICHOST})  # nobody else is asked
        asked, self._asked[host] = self._asked[host], self._asked[host] + 1
        kind = host.split(".")[-2]
        if kind in ("rebind", "swing"):
            public = asked == 0 if kind == "rebind" else asked % 2 == 0
            addresses = (PUBLIC,) if public else (HIDDEN,)
        elif kind in _FIXED:
            addresses = _FIXED[kind]
        else:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses
        ]


def enter(outside: int, inside: int) -> None:
    """From here on this process is in that internet."""
    resolve, connect = Names(), socket.create_connection

    def reach(address: tuple[str, int], *args: Any, **more: Any) -> socket.socket:
        host = address[0]
        try:
            ipaddress.ip_address(host)
        except ValueError:
            host = resolve(*address)[0][4][0]
        return connect(("127.0.0.1", outside if host in (PUBLIC, PUBLIC6) else inside), *args, **more)

    socket.getaddrinfo, socket.create_connection = resolve, reach


class Web:
    """A server in threads. `asked` holds host and path of what came; `pages` are answers by path."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages, self.asked = pages, list[str]()
        self._httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"web": self}))
        self._httpd.daemon_threads = True
        self.port = self._httpd.server_port
        self.closing = threading.Event()

    def __enter__(self) -> "Web":
        threading.Thread(target=self._httpd.serve_forever, daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.closing.set()
        self._httpd.shutdown()
        self._httpd.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    """`/302/URL` leads to the quoted URL, `/chain/N/URL` over N more hops; `/raw/TEXT` answers that very text;
    `/drip/TEXT/MORE` and `/flood/TEXT/MORE` say MORE without end. Else a path of `pages`; the secret, without pages."""

    web: Web

    def do_GET(self) -> None:
        self.web.asked.append(f"{self.headers['Host']}{self.path}")
        kind, _, rest = self.path[1:].partition("/")
        try:
            if kind.isdigit():
                self._send(f"HTTP/1.1 {kind} Moved\r\nLocation: {unquote(rest)}\r\nContent-Length: 0\r\n\r\n")
            elif kind == "chain":
                count, _, last = rest.partition("/")
                onward = unquote(last) if count == "0" else f"/chain/{int(count) - 1}/{last}"
                self._send(f"HTTP/1.1 302 Found\r\nLocation: {onward}\r\n\r\n")
            elif kind == "endless":
                self._send(f"HTTP/1.1 302 Found\r\nLocation: /endless/{len(self.web.asked)}\r\n\r\n")
            elif kind == "raw":
                self._send(unquote(rest))
            elif kind in ("drip", "flood"):
                self._forever(*map(unquote, rest.split("/")), pause=0.5 if kind == "drip" else 0.0)
            else:
                self._page()
        except OSError:  # hung up on, as it should be
            return

    def _send(self, text: str) -> None:
        self.wfile.write(text.encode("utf-8", "surrogateescape"))

    def _page(self) -> None:
        body = self.web.pages.get(self.path) if self.web.pages else SECRET.encode()
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def _forever(self, start: str, again: str, pause: float) -> None:
        self._send(start)
        again = again if pause else again * 1024
        while not self.web.closing.is_set():
            self._send(again)
            time.sleep(pause)

    def log_message(self, *_: object) -> None: ...


if __name__ == "__main__":
    enter(int(sys.argv[1]), int(sys.argv[2]))
    sys.argv[1:3] = []
    runpy.run_module("viewfinder", run_name="__main__", alter_sys=True)
