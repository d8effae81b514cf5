"""Small PDFs written by hand: one page of 300x200 points with Helvetica as F1, open or locked."""

import hashlib
from collections.abc import Sequence

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def page_of(
    content: str | bytes,
    *,
    page: str = "",
    resources: str = "",
    catalog: str = "",
    trailer: str = "",
    objects: Sequence[str] = (),
) -> bytes:
    """A PDF whose page shows `content`; `objects` are numbered from 6, the rest goes into the dictionaries named."""
    data = content.encode() if isinstance(content, str) else content
    parts = [
        f"<</Type/Catalog/Pages 2 0 R{catalog}>>".encode(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<<"
        f"/Font<</F1 5 0 R>>{resources}>>{page}>>".encode(),
        b"<</Length %d>>stream\n%s\nendstream" % (len(data), data),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *(thing.encode() for thing in objects),
    ]
    body = b"".join(b"%d 0 obj%s endobj\n" % (number, part) for number, part in enumerate(parts, 1))
    return b"%PDF-1.7\n" + body + f"trailer<</Root 1 0 R{trailer}>>".encode()


def text_at(x: float, y: float, text: str, before: str = "", size: int = 20) -> str:
    """Operators that show a text with its baseline at (x, y) in points, after others such as `3 Tr`."""
    return f"BT {before} /F1 {size} Tf {x} {y} Td ({text}) Tj ET\n"


def font_of(to_unicode: str) -> list[str]:
    """Objects 6 and 7: a font F2 whose code 01 means the UTF-16 given in hexadecimal."""
    table = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        "1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"1 beginbfchar <41> <{to_unicode}> endbfchar endcmap end end"
    )
    return [
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 7 0 R>>",
        f"<</Length {len(table)}>>stream\n{table}\nendstream",
    ]


def locked(content: str, password: bytes) -> bytes:
    """The page under the standard handler, revision 2: 40 bits of RC4 (ISO 32000-1, 7.6.3)."""
    padded, name, rights = (password + _PADDING)[:32], b"0123456789abcdef", -4
    owner = _rc4(hashlib.md5(padded).digest()[:5], padded)
    key = hashlib.md5(padded + owner + (rights & 0xFFFFFFFF).to_bytes(4, "little") + name).digest()[:5]
    of_content = hashlib.md5(key + (4).to_bytes(3, "little") + b"\0\0").digest()[:10]  # object 4, generation 0
    encrypt = f"/O<{owner.hex()}>/U<{_rc4(key, _PADDING).hex()}>/P {rights}"
    trailer = f"/ID[<{name.hex()}><{name.hex()}>]/Encrypt<</Filter/Standard/V 1/R 2{encrypt}>>"
    return page_of(_rc4(of_content, content.encode()), trailer=trailer)


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    result, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        result.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(result)


def without_pages() -> bytes:
    """A sound document of no pages, with its table of objects in order."""
    head = b"%PDF-1.3\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    tree = b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    table = f"xref\n0 3\n0000000000 65535 f \n{9:010} 00000 n \n{len(head):010} 00000 n \n"
    return head + tree + f"{table}trailer<</Root 1 0 R/Size 3>>\nstartxref\n{len(head + tree)}\n%%EOF\n".encode()
