"""What the first message of a TLS connection says in the clear: which protocols it is for (ALPN, RFC 7301).

    record: type (1) version (2) length (2) | handshake: type (1) length (3) version (2) random (32)
    session (1 + n) ciphers (2 + n) compressions (1 + n) extensions (2 + n), each: type (2) length (2) ...

Chromium offers h2 and http/1.1 where it asks for a page or its parts, and http/1.1 alone for a WebSocket.
"""

import asyncio

_HEAD = 5
_ALPN = b"\x00\x10"


async def read_hello(reader: asyncio.StreamReader, begun: bytes) -> bytes:
    """The whole first record, of which `begun` has come, and what came with it."""
    while len(begun) < _HEAD or len(begun) < _HEAD + int.from_bytes(begun[3:5], "big"):
        more = await reader.read(1 << 16)
        if not more:
            raise ValueError("the connection ended in its first message")
        begun += more
    return begun


def is_for_socket(hello: bytes) -> bool:
    """Whether http/1.1 is all that is offered."""
    return _protocols(hello) == [b"http/1.1"]


def _protocols(hello: bytes) -> list[bytes]:
    _, rest = _cut(hello[_HEAD + 38 :], 1)  # the session's name
    _, rest = _cut(rest, 2)
    _, rest = _cut(rest, 1)
    extensions, _ = _cut(rest, 2)
    while extensions:
        kind, (value, extensions) = extensions[:2], _cut(extensions[2:], 2)
        if kind == _ALPN:
            return _names(_cut(value, 2)[0])
    return []


def _names(listed: bytes) -> list[bytes]:
    names: list[bytes] = []
    while listed:
        name, listed = _cut(listed, 1)
        names.append(name)
    return names


def _cut(data: bytes, width: int) -> tuple[bytes, bytes]:
    """A value behind its length of `width` bytes, and what follows."""
    end = width + int.from_bytes(data[:width], "big")
    if len(data) < end or len(data) < width:
        raise ValueError("the first message of a TLS connection is no ClientHello")
    return data[width:end], data[end:]
