"""The door: who may come in, from which page, with how much. Plain ASGI, before anything parses a body."""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from viewfinder.serve.errors import error_body
from viewfinder.serve.memory import Memory
from viewfinder.serve.settings import LOOPBACK, ServeSettings
from viewfinder.serve.shares import Shares

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_JSON = re.compile(r"application/(?:[\w.-]+\+)?json\s*(?:;|$)", re.IGNORECASE)
_PRIVATE = ("/v1/", "/metrics", "/samples", "/preview", "/tokenize", "/detokenize")


class AccessMiddleware:
    """Checks host, origin, key, and the size and shape of the body; sets `scope["state"]["tenant"]`."""

    def __init__(self, app: App, settings: ServeSettings) -> None:
        self.app, self.settings = app, settings
        self._keys = {hashlib.sha256(key.encode()).digest() for key in settings.api_keys}
        self._memory = Memory()
        self._bodies = Shares(settings.max_requests, one_tenant=len(self._keys) < 2)
        own = socket.gethostname().lower()
        self._names = {*LOOPBACK, settings.host.lower(), own, own.partition(".")[0], *settings.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        writes = scope["method"] in _WRITES
        refusal = self._refusal(scope, headers) or (self._foreign(headers) if writes else None)
        if refusal is not None:
            await answer(send, *refusal)
            return
        tenant = self._tenant(headers)
        scope.setdefault("state", {})["tenant"] = tenant
        if not writes:
            await self.app(scope, receive, send)
            return
        with self._bodies.taken(tenant) as free:
            if not free:
                message = (
                    f"{self._bodies.held(tenant)} requests of yours are under way, the most at once; try again in 2 s"
                )
                await answer(send, 429, message, "rate_limit_exceeded", {"Retry-After": "2"})
                return
            await self._with_body(scope, receive, send, headers)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, str, str] | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = (host.rpartition(":")[0] if re.search(r":\d+$", host) else host).strip("[]").rstrip(".")
        if not self._is_called(name):
            return 421, f"this server is not called {name[:60]!r}; use its address, or --allowed-host", "wrong_host"
        if self._keys and scope["path"].startswith(_PRIVATE) and scope["method"] != "OPTIONS":
            given = hashlib.sha256(_bearer(headers)).digest()
            if not any([hmac.compare_digest(given, key) for key in self._keys]):  # noqa: C419, equal time for all
                wrong = "the API key that came with the request is none of this server's; check it"
                none = "no API key came with the request; send Authorization: Bearer KEY"
                return 401, wrong if _bearer(headers) else none, "invalid_api_key"
        encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").lower()
        if encoding not in ("", "identity"):
            return (
                415,
                f"the body is encoded as {encoding[:40]!r}, which is not undone here; send it as it is",
                "encoding",
            )
        return None

    def _is_called(self, name: str) -> bool:
        """Whether this server is meant by the name: against a name of somebody's that leads here. Beyond loopback the
        server is also asked by its numbers."""
        if name in self._names or "*" in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.settings.host not in LOOPBACK

    def _foreign(self, headers: dict[bytes, bytes]) -> tuple[int, str, str] | None:
        """Why a write is not taken: it comes from a page of another origin, or in a form that any page may send."""
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if origin not in self.settings.cors_origins:
            site = headers.get(b"sec-fetch-site", b"none").decode("latin-1").lower()
            host = headers.get(b"host", b"").decode("latin-1").lower()
            if site not in ("same-origin", "none") or (origin and urlsplit(origin).netloc != host):
                message = "a page of another origin sent this, which is not taken; start the server with --cors ORIGIN"
                return 403, message, "cross_site"
        kind = headers.get(b"content-type", b"nothing").decode("latin-1")
        has_body = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        if has_body and not _JSON.match(kind):
            message = f"the body is declared as {kind[:80]}, so it is not read; send Content-Type: application/json"
            return 415, message, "unsupported_media_type"
        return None

    def _tenant(self, headers: dict[bytes, bytes]) -> str:
        return hashlib.sha256(_bearer(headers)).hexdigest() if self._keys else ""

    async def _with_body(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> None:
        try:
            body = await asyncio.wait_for(self._read(receive, headers), self.settings.body_seconds)
        except TimeoutError:
            await answer(send, 408, f"the body did not arrive within {self.settings.body_seconds:g} s", "slow_body")
            return
        except _TooLarge:
            most = self.settings.max_body_bytes
            await answer(send, 413, f"the body has over {most:,} bytes, the most allowed; send less", "body_too_large")
            return
        except _Gone:
            return
        count = sum(body.count(mark) for mark in b"[{,") if len(body) > self.settings.max_items else 0
        if count > self.settings.max_items:
            message = f"the JSON has over {self.settings.max_items:,} braces, brackets and commas; send a simpler one"
            await answer(send, 413, message, "body_too_complex")
            return
        delivered = False

        async def replay() -> MutableMapping[str, Any]:
            nonlocal delivered
            if delivered:
                return await receive()
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)
        self._memory.give_back_after(len(body))

    async def _read(self, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
        most = self.settings.max_body_bytes
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:18]) > most:
            raise _TooLarge
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > most:
                raise _TooLarge
            if not message.get("more_body", False):
                return b"".join(pieces)


class _TooLarge(Exception):
    pass


class _Gone(Exception):
    pass


def _bearer(headers: dict[bytes, bytes]) -> bytes:
    """The key: OpenAI's clients send a bearer token, Anthropic's `x-api-key`."""
    if b"x-api-key" in headers and b"authorization" not in headers:
        return headers[b"x-api-key"].strip()
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""


async def answer(send: Send, status: int, message: str, code: str, headers: dict[str, str] | None = None) -> None:
    """One JSON error."""
    body = json.dumps(error_body(message, status, code)).encode()
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status in (408, 413):
        lines.append((b"connection", b"close"))  # the rest of the body is not read
    lines += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
