"""Hostile requests whose harm lies on the web: redirects inwards, names that change their address, endless answers.

They make sense to a server that runs in `tests.serve.internet`; each must be refused, and nothing inside be reached.
"""

# ruff: noqa: E501 - tables of cases, which read best side by side

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from tests.serve.internet import HIDDEN, SECRET

Case = tuple[str, str, Any]
CHAT = "/v1/chat/completions"
OUT = "http://outside.test"
PICTURE, FILM, PAGES = "/picture.png", "/film.mp4", "/pages.pdf"

INWARDS = (
    "http://127.0.0.1/a.png", "http://127.0.0.1:22/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/a.png", "http://[::1]:8080/a.png",
    "http://localhost/a.png", "http://0.0.0.0/", "http://0/", "http://[::]/", "http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/",
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:a09:807]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[fe80::1%25lo]/", "http://[fd00::1]/", "http://[fec0::1]/", "http://[::7f00:1]/",
    f"http://{HIDDEN}/", "http://192.168.0.1/", "http://172.31.255.255/", "http://100.64.0.1/", "http://198.18.0.1/", "http://224.0.0.1/", "http://255.255.255.255/",
    "http://inside.test/", "http://metadata.test/latest/", "http://loop.test/", "http://loop6.test/", "http://mapped.test/", "http://nat64.test/", "http://both.test/",
    "http://hidden-first.test/", "https://127.0.0.1/", "https://inside.test/", "HTTP://127.0.0.1/", "//127.0.0.1/a.png", "//[::1]/", "//inside.test/",
    "http://outside.test@127.0.0.1/", "http://outside.test:80@127.0.0.1/", "http://127.0.0.1#@outside.test/", "http://127.0.0.1?@outside.test/", "http://127.0.0.1\\@outside.test/",
    "http://127.0.0.1./", "http://loop.test./", " http://127.0.0.1/", "ht\ttp://127.0.0.1/", "http:\\\\127.0.0.1\\", "http:/\\127.0.0.1/",
)  # fmt: skip
ELSEWHERE = (
    "file:///etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1:22/_x", "javascript:alert(1)",
    "data:image/png;base64,iVBORw0KGgo=", "unix:/run/x.sock", "jar:http://127.0.0.1/!/", "http://", "http:///a.png", "http://[::1", "http://[bad]/", "http://outside.test:99999/",
    "http://unknown.test/", "http://" + "a" * 70 + ".test/", "http://" + "x." * 5000 + "test/", "/" + "a" * 60_000, "http://a b/", "http://outside.test/a b", "http://ü.test/",
    "http://%31%32%37.0.0.1/", "/a\x00b", "\x7f", "http://outside.test/\udcff",
)  # fmt: skip


def fetching() -> Iterator[Case]:
    """Each is over as soon as the server has looked at it; none may succeed."""
    for i, url in enumerate((*INWARDS, *ELSEWHERE)):
        way = f"{OUT}/{(301, 302, 303, 307, 308)[i % 5]}/{quote(url, safe='', errors='surrogateescape')}"
        yield f"redirect to {url[:60]!r}", *shown(way, i)
    for i, url in enumerate(INWARDS[:5]):
        yield f"fourth redirect to {url}", *shown(f"{OUT}/chain/3/{quote(url, safe='')}", i)
    for kind in ("loop", "loop6", "inside", "mapped", "both", "hidden-first"):
        yield f"name {kind}", *shown(f"http://{kind}.test/a.png", 0)
    yield "a redirect to itself", *shown(f"{OUT}/302/{quote('/302/x', safe='')}", 0)
    yield "redirects without end", *shown(f"{OUT}/endless/0", 0)
    yield "six redirects", *shown(f"{OUT}/chain/5/{quote(PICTURE, safe='')}", 0)
    again = "http://b.swing.test/302/" + quote("http://b.swing.test/a.png", safe="")
    yield "a name that changes between hops", *shown(again, 0)
    for name, text in (
        ("no status", "hello\r\n\r\n"), ("a banner", "SSH-2.0-OpenSSH_9.2\r\n"), ("nothing", ""), ("status 99999", "HTTP/1.1 99999 x\r\n\r\n"),
        ("300 headers", "HTTP/1.1 200 OK\r\n" + "a: b\r\n" * 300 + "\r\nx"), ("a header of 80 kB", "HTTP/1.1 200 OK\r\na: " + "x" * 80_000 + "\r\n\r\nx"),
        ("a length below 0", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx"), ("a length of 10^18", "HTTP/1.1 200 OK\r\nContent-Length: " + "9" * 18 + "\r\n\r\nx"),
        ("a length that lies", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nx"), ("a chunk below 0", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-8\r\nx"),
        ("a chunk of 10^18", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + "f" * 15 + "\r\nx"), ("a page", "HTTP/1.1 200 OK\r\n\r\n<html>"),
        ("a redirect without a target", "HTTP/1.1 302 Found\r\n\r\n"), ("two targets", "HTTP/1.1 302 Found\r\nLocation: /302/x\r\nLocation: http://127.0.0.1/\r\n\r\n"),
        ("a folded target", "HTTP/1.1 302 Found\r\nLocation:\r\n http://127.0.0.1/\r\n\r\n"), ("401", "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic\r\n\r\n"),
    ):  # fmt: skip
        yield f"answered with {name}", *shown(f"{OUT}/raw/{quote(text, safe='')}", 0)
    yield "https that is none", *shown("https://outside.test/a.png", 0)


def unending() -> Iterator[Case]:
    """Each takes until the server's deadline for a download, or its cap of bytes."""
    head = "HTTP/1.1 200 OK\r\n"
    for name, text, more in (
        ("status line", "HTTP/1.1 2", "0"), ("headers", head, "a: b\r\n"), ("one header", head + "a: ", "b"), ("body", head + "\r\n", "x"),
        ("body of known length", head + "Content-Length: 5000\r\n\r\n", "x"), ("1xx", "", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("chunks", head + "Transfer-Encoding: chunked\r\n\r\n", "40\r\n" + "x" * 64 + "\r\n"),
    ):  # fmt: skip
        for way in ("drip", "flood"):
            yield f"{way} of {name}", *shown(f"{OUT}/{way}/{quote(text, safe='')}/{quote(more, safe='')}", 0)


def controls() -> Iterator[Case]:
    """What must succeed, so that the refusals above are known to come from the checks."""
    yield "a picture", *shown(OUT + PICTURE, 0)
    yield "a picture over six", *shown(f"http://six.test{PICTURE}", 0)
    yield "a film", *shown(OUT + FILM, 2)
    yield "a document", *shown(OUT + PAGES, 3)
    yield "five redirects", *shown(f"{OUT}/chain/4/{quote(PICTURE, safe='')}", 0)
    yield "a redirect to another name", *shown(f"{OUT}/307/{quote(f'http://six.test{PICTURE}', safe='')}", 1)
    yield "a name that changes after it was checked", *shown(f"http://a.rebind.test{PICTURE}", 0)


def shown(url: str, way: int) -> tuple[str, Any]:
    """A request that has the server fetch `url`, as a picture of a chat or in one of five other ways."""

    def chat(kind: str, source: Any) -> dict[str, Any]:
        parts = [{"type": kind, kind: source}, {"type": "text", "text": "?"}]
        return {"model": "tiny", "messages": [{"role": "user", "content": parts}], "max_tokens": 4}

    return (
        (CHAT, chat("image_url", {"url": url})),
        ("/v1/locate", {"image": url, "query": "x", "max_tokens": 4}),
        (CHAT, chat("video_url", {"url": url})),
        (CHAT, chat("document", url)),
        ("/v1/parse", {"document": url, "max_tokens": 4}),
        ("/preview", {"source": url}),
    )[way % 6]


def leaks(answer: str, body: Any) -> bool:
    """Whether an answer tells what only somebody inside could know, beyond what the request said itself."""
    known = unquote(json.dumps(body)) if not isinstance(body, bytes) else ""
    return any(word in answer and word not in known for word in (SECRET, HIDDEN, "169.254", "::ffff:10.", "root:x"))
