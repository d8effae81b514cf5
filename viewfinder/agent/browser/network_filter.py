"""The policy on the network: which pages may load, where redirects lead, what may be sent.

Whatever asks for a page (a click, a script, a frame, a redirect, a new tab) passes here, so what the model
is not allowed to open, a page cannot open either. Redirects are followed one by one, each judged. What never passes
here (beacons, shared workers, the browser's own requests) passes the `gate`, which asks `NetworkFilter.judge`.
"""

import asyncio
import contextlib
import html
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from viewfinder.agent.browser.gate import Gate
from viewfinder.agent.environment import Target
from viewfinder.agent.policy import Policy, Reach

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_PAGES, _MOST_IN_ALL = 12, 300
"""More pages than this in one frame after one action are endless redirects; and in all frames, a page without end."""


@dataclass(frozen=True)
class SiteRequest:
    """What a site that is served from inside this process is asked."""

    method: str
    url: str
    body: str = ""


@dataclass(frozen=True)
class SiteReply:
    """What it answers."""

    body: str | bytes = ""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Site = Callable[[SiteRequest], SiteReply]
_CONFIRMED_SECONDS = 30.0


@dataclass(frozen=True)
class Confirmation:
    """What a person's yes to one action lets a page send, and until when.

    A form may be sent where it says, by its method. What another target sends is known only to the page's scripts:
    any method, to the host of that page alone.

    Attributes:
        host: of the form or the page, with its port; `method` and `path` of the form, "" for any.
        until: on the monotonic clock, seconds; the end of the action comes first as a rule.
    """

    host: str
    method: str = ""
    path: str = ""
    until: float = 0.0

    @classmethod
    def of(cls, target: Target) -> "Confirmation":
        until = time.monotonic() + _CONFIRMED_SECONDS
        if target.submits and target.form and target.method not in ("", "get"):
            form = urlsplit(target.form)
            return cls(_host_and_port(target.form), target.method.upper(), form.path or "/", until)
        return cls(_host_and_port(target.where), until=until)

    def covers(self, method: str, url: str) -> bool:
        asked = _host_and_port(url), method, urlsplit(url).path or "/"
        bound = self.host, self.method or method, self.path or asked[2]
        return bool(self.host) and time.monotonic() < self.until and asked == bound


class NetworkFilter:
    """Judges every request of a context.

    Args:
        sites: hosts that are served from here, without a network.
        offline: nothing but `sites` may be reached.
        mine: whether a page belongs to the agent; others in a user's own browser are let be.
        gate: of the browser's context; None for a browser that was started by somebody else.
    """

    def __init__(
        self,
        policy: Policy,
        sites: Mapping[str, Site] | None = None,
        *,
        offline: bool = False,
        mine: Callable[[Any], bool] = lambda page: True,
        gate: Gate | None = None,
    ) -> None:
        self.policy = policy
        self.sites = dict(sites or {})
        self.offline = offline
        self.confirmation: Confirmation | None = None
        self.refused: list[str] = []
        self._notes: list[str] = []
        self._pages: Counter[Any] = Counter()
        self._mine, self._gate = mine, gate
        self._named: set[str] = set()  # hosts that a note has told of
        self._sockets: list[Any] = []
        if gate is not None:
            gate.judge = self.judge

    def begin(self, confirmation: Confirmation | None) -> None:
        """A new action starts; a confirmation lets what it covers through until `end`."""
        self.confirmation = confirmation
        self._pages.clear()
        if confirmation is not None and self._gate is not None:
            self._gate.begin()

    async def end(self) -> None:
        """The action ended, and its confirmation with it; sockets that were opened under it close."""
        from playwright.async_api import Error

        self.confirmation = None
        sockets, self._sockets = self._sockets, []
        for side in sockets:
            with contextlib.suppress(Error):  # closed already
                await side.close()
        if self._gate is not None:
            self._gate.end()

    def judge(self, method: str, url: str) -> Reach:
        """For the gate: every connection, whoever in the browser wants it."""
        if self.offline:
            return "no"
        web = f"http{url[2:]}" if url.startswith("ws") else url
        reach = self.policy.reach(web, part=True)
        if reach == "no":
            self._note_host(url)
        elif method != "CONNECT" and (held := self._held_back(method, web)):
            self._note(held)
            return "no"
        return reach

    def drain(self) -> tuple[str, ...]:
        """Notes since the last call."""
        notes, self._notes = tuple(dict.fromkeys(self._notes)), []
        return notes

    async def install(self, context: Any) -> None:
        await context.route("**/*", self._handle)
        await context.route_web_socket("**/*", self._socket)

    async def _handle(self, route: Any) -> None:
        from playwright.async_api import Error

        try:
            request = route.request
            if not self._is_mine(request):
                await route.continue_()
            elif request.is_navigation_request():
                await self._page(route, request)
            else:
                await self._resource(route, request)
        except (Error, asyncio.CancelledError):  # the page went away meanwhile
            return

    def _is_mine(self, request: Any) -> bool:
        frame = _frame(request)
        return frame is None or self._mine(frame.page)  # without a frame the guard holds

    async def _page(self, route: Any, request: Any) -> None:
        """A document: of the tab itself or of a frame in it."""
        frame = _frame(request)
        self._pages[frame] += 1
        if not self.policy.allows_url(request.url):
            return await self._stay(
                route, f"a page tried to open {_name(request.url)}, which the policy does not allow"
            )
        if self._pages[frame] > _MOST_PAGES or self._pages.total() > _MOST_IN_ALL:
            return await self._stay(route, f"over {_MOST_PAGES} redirects came one after another; they were stopped")
        if held := self._held_back(request.method, request.url):
            return await self._stay(route, held)
        reply = self._served(request)
        if reply is None and self.offline:
            return await self._stay(route, f"{_name(request.url)} is not there")
        if reply is not None:
            return await self._answer(route, request, reply.status, dict(reply.headers), reply)
        response = await route.fetch(max_redirects=0)
        return await self._answer(route, request, response.status, response.headers, response)

    async def _answer(self, route: Any, request: Any, status: int, headers: dict[str, str], reply: Any) -> None:
        lower = {key.lower(): value for key, value in headers.items()}
        if status in (301, 302, 303, 307, 308) and lower.get("location"):
            return await self._redirect(route, request, status, urljoin(request.url, lower["location"]))
        if isinstance(reply, SiteReply):
            return await route.fulfill(
                status=status, headers=dict(reply.headers), content_type=reply.content_type, body=reply.body
            )
        return await route.fulfill(response=reply)

    async def _redirect(self, route: Any, request: Any, status: int, url: str) -> None:
        if not self.policy.allows_url(url):
            return await self._stay(route, f"a redirect to {_name(url)} was stopped, which the policy does not allow")
        if status in (307, 308) and request.method not in _READS:
            return await self._stay(route, f"a form was to be sent on to {_name(url)}; that was stopped")
        # A page of one line leads on, so that the next address passes here again and becomes the tab's own.
        target = json.dumps(url).replace("<", "\\u003c")
        body = (
            f"<!doctype html><title>{html.escape(_name(url))}</title><body><script>location.replace({target})</script>"
        )
        return await route.fulfill(status=200, content_type="text/html; charset=utf-8", body=body)

    async def _resource(self, route: Any, request: Any) -> None:
        if held := self._held_back(request.method, request.url):
            self._note(held)
            return await route.abort("blockedbyclient")
        if (reply := self._served(request)) is not None:
            return await route.fulfill(
                status=reply.status, headers=dict(reply.headers), content_type=reply.content_type, body=reply.body
            )
        if self.offline:
            return await route.abort("blockedbyclient")
        if request.url.startswith("http") and self.policy.reach(request.url, part=True) == "no":
            self._note_host(request.url)
            return await route.abort("blockedbyclient")
        return await route.continue_()

    def _served(self, request: Any) -> SiteReply | None:
        site = self.sites.get((urlsplit(request.url).hostname or "").lower())
        return site(SiteRequest(request.method, request.url, request.post_data or "")) if site else None

    def _held_back(self, method: str, url: str) -> str:
        """Why a request that changes something, or a socket, is not sent, or ""."""
        if method in _READS or self.policy.writes == "any":
            return ""
        if self.confirmation is not None and self.confirmation.covers(method, url):
            return ""
        return f"a {method} request to {_name(url)} was held back, as nobody confirmed it"

    async def _stay(self, route: Any, note: str) -> None:
        """Break it off: the tab stays where it is. (With an answer without content, one that is a download hangs.)"""
        self._note(note)
        await route.abort("aborted")

    def _note_host(self, url: str) -> None:
        """Once per host: a page may ask for hundreds of its parts."""
        if (name := _name(url)) not in self._named:
            self._named.add(name)
            self._note(f"nothing was asked of {name}, which is neither in the policy's domains nor in its resources")

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self.refused.append(text)

    async def _socket(self, socket: Any) -> None:
        url = socket.url.replace("ws", "http", 1)
        if not self.offline and self.policy.allows_url(url) and not self._held_back("SOCKET", url):
            server = socket.connect_to_server()
            if self.policy.writes == "confirm":
                self._sockets += [server, socket]
        else:
            self._note(f"a connection to {_name(url)} was stopped")
            await socket.close()


def _host_and_port(url: str) -> str:
    """`bank.test:443` for `https://bank.test/pay`; "" where there is no host."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}" if host else ""


def _frame(request: Any) -> Any:
    """Where a page is to be shown; None for a tab that is only opening."""
    try:
        return request.frame
    except Exception:
        return None


def _name(url: str) -> str:
    """Scheme and host, which is all that a note says of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else f"{parts.scheme}: address"
