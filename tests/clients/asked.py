"""What every client asks: shared by the scripts, which run in environments without this package."""

import base64
import struct
import sys
import zlib

URL, FEATURE = sys.argv[1], sys.argv[2]
QUESTION = "Say what you see."
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Rome", "Oslo"]}},
    "required": ["city"],
}
TOOL = {"type": "function", "function": {"name": "weather", "description": "of a city", "parameters": WEATHER}}


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(size: int = 112) -> str:
    """A red square as a `data:` URI."""
    rows = zlib.compress((b"\0" + b"\xd0\x20\x20" * size) * size)
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


def no_such() -> None:
    """The client has no such feature."""
    sys.exit(77)
