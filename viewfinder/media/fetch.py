"""Download over http(s) with the standard library, without becoming anybody's way into a private network.

At every hop the host is resolved once, every address it has is checked, and the connection goes to the
address that was checked (no second look-up to be tricked by). Private, loopback, link-local and other
special addresses are refused unless the policy says otherwise. No proxies, cookies or credentials.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import IO
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.addresses import is_local_name, is_public

_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 1 << 18


@dataclass(frozen=True)
class UrlPolicy:
    """Which URLs may be asked.

    Attributes:
        allow: False refuses every URL.
        allow_private: True lets addresses of private networks and of this machine through.
        allowed_hosts: when given, only these host names (exact, lower case), at every hop.
        max_redirects: hops after the first.
    """

    allow: bool = True
    allow_private: bool = False
    allowed_hosts: tuple[str, ...] | None = None
    max_redirects: int = 5


def fetch(url: str, sink: IO[bytes], *, policy: UrlPolicy, max_bytes: int, timeout: float) -> None:
    """Write the body behind `url` to `sink`, following redirects; `timeout` is seconds for all hops together.

    Raises:
        LimitError: the body is longer than `max_bytes`, or the time is up.
        MediaError: refused by the policy, or the server cannot be reached or answers with an error.
    """
    deadline = time.monotonic() + timeout
    current = url
    for _ in range(policy.max_redirects + 1):
        target, address = _admit(current, policy)
        try:
            redirect = _get(target, address, sink, max_bytes, deadline)
        except MediaError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: chunks of less than nothing
            if time.monotonic() >= deadline:
                raise LimitError(
                    f"{target.hostname} did not deliver within {timeout:g} s; try again or raise Limits.timeout"
                ) from error
            raise MediaError(
                f"{target.hostname} could not be read ({_reason(error)}); check the URL and the network"
            ) from error
        if redirect is None:
            return
        current = _joined(current, redirect)
    raise MediaError(f"{urlsplit(url).hostname} redirected more than {policy.max_redirects} times; give the final URL")


def _admit(url: str, policy: UrlPolicy) -> tuple[SplitResult, str]:
    """The parsed URL and the one address that will be connected to."""
    try:
        target = urlsplit(url)
        host, port = target.hostname, target.port
    except ValueError as error:
        raise MediaError(f"a URL cannot be parsed ({error}); correct it") from error
    if target.scheme not in ("http", "https") or not host:
        raise MediaError(f"a redirect or URL leads to scheme {target.scheme!r}, expected http or https with a host")
    if not policy.allow:
        raise MediaError(f"{host} was not asked: URLs are not allowed here; send the file itself")
    if policy.allowed_hosts is not None and host.lower().rstrip(".") not in policy.allowed_hosts:
        raise MediaError(
            f"{host} is not among the allowed hosts; add it to UrlPolicy.allowed_hosts or send the file itself"
        )
    try:
        found = socket.getaddrinfo(host, port or (443 if target.scheme == "https" else 80), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise MediaError(f"the host {host} is not known; check the URL and the network") from error
    addresses = [str(entry[4][0]) for entry in found]
    # which address it is is not told: that would be a look-up into a private network
    if not policy.allow_private and (is_local_name(host) or not all(map(is_public, addresses))):
        raise MediaError(
            f"{host} has a private address, which is refused by default; send the file itself or set "
            "UrlPolicy.allow_private"
        )
    return target, addresses[0]


def _joined(current: str, redirect: str) -> str:
    try:
        return urljoin(current, redirect)
    except ValueError as error:
        raise MediaError(f"{urlsplit(current).hostname} redirects to no URL ({error}); give the final URL") from error


def _get(target: SplitResult, address: str, sink: IO[bytes], max_bytes: int, deadline: float) -> str | None:
    """One hop: the body goes to the sink, or the target of a redirect is returned."""
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("no time left")
    host = target.hostname or ""
    port = target.port or (443 if target.scheme == "https" else 80)
    sock = socket.create_connection((address, port), timeout=remaining)
    if target.scheme == "https":
        context = ssl.create_default_context()
        sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    # A server that sends one byte a minute never trips a socket timeout; the timer does.
    alarm = threading.Timer(max(deadline - time.monotonic(), 0.0), _hang_up, [sock])
    alarm.daemon = True
    alarm.start()
    try:
        with sock:
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            connection = http.client.HTTPConnection(host, port)
            connection.sock = sock
            path = (target.path or "/") + (f"?{target.query}" if target.query else "")
            path = quote(path, safe="/%?=&:~+!$,;'@()*[]|")  # as browsers do with letters and spaces
            headers = {
                "User-Agent": "viewfinder",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
            }
            connection.request("GET", path, headers=headers)
            redirect = _read(connection.getresponse(), host, sink, max_bytes)
            if time.monotonic() >= deadline:  # hung up on: what came may look like a whole answer
                raise TimeoutError("no time left")
            return redirect
    finally:
        alarm.cancel()


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # already gone
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # of the connection below TLS


def _read(response: http.client.HTTPResponse, host: str, sink: IO[bytes], max_bytes: int) -> str | None:
    location = response.getheader("Location")
    if response.status in _REDIRECTS and location:
        return location.encode("latin-1", "replace").decode("utf-8", "replace")
    if response.status != 200:
        raise MediaError(f"{host} answered {response.status} {response.reason}; check the URL")
    declared, received = response.length or 0, 0
    while max(declared, received) <= max_bytes:
        chunk = response.read(_CHUNK)
        received += len(chunk)
        if chunk:
            sink.write(chunk)
        elif received < declared:
            raise http.client.IncompleteRead(b"", declared - received)
        else:
            return None
    raise LimitError(
        f"{host} sends over {max_bytes:,} bytes, the most allowed; take a smaller file or raise Limits.max_bytes"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, http.client.BadStatusLine):
        return "it does not speak HTTP"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
