"""PDFs of any number of pages, and a scripted model that answers from their own text layer.

The model is no model: it looks which page it is shown by a row of black and white squares at the page's top,
and writes that page's text layer as QwenVL HTML. It stands for a perfect reader, so that what is measured and
tested is everything around the model: pages, memory, resuming, indexing, citing.
"""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from viewfinder.media.document import Word, open_document
from viewfinder.media.image import Picture
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, MediaInfo, Message, Reply, Usage
from viewfinder.outputs.document import escape

WIDTH, HEIGHT = 595, 842  # points: A4
_SQUARE, _BITS = 9, 20
Line = tuple[str, float, float, float]
"""Text, x and y of its beginning in points from the bottom left, size in points."""


def lines_of(paragraphs: Sequence[str], size: float = 10.0) -> list[Line]:
    """Paragraphs set in lines of at most 84 characters from the top of the page."""
    lines: list[Line] = []
    y = HEIGHT - 72.0
    for paragraph in paragraphs:
        row = ""
        for word in [*paragraph.split(), ""]:
            if word and len(row) + len(word) < 84:
                row = f"{row} {word}".strip()
            else:
                lines.append((row, 60.0, y, size))
                y -= 1.3 * size
                row = word
        y -= 1.2 * size
    return lines


def write_pdf(path: Path, pages: Sequence[Sequence[Line]]) -> None:
    """A PDF with one font; each page carries its number in a row of squares."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids: list[int] = []
    for number, lines in enumerate(pages):
        stream = zlib.compress((_code(number) + "".join(map(_text, lines))).encode("latin-1", "replace"))
        objects.append(b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(stream), stream))
        content = len(objects)
        media = f"[0 0 {WIDTH} {HEIGHT}]"
        page = f"<</Type/Page/Parent 2 0 R/MediaBox{media}/Contents {content} 0 R/Resources<</Font<</F1 3 0 R>>>>>>"
        objects.append(page.encode())
        kids.append(len(objects))
    objects[1] = f"<</Type/Pages/Kids[{' '.join(f'{kid} 0 R' for kid in kids)}]/Count {len(kids)}>>".encode()
    path.write_bytes(_file(objects))


def _file(objects: Sequence[bytes]) -> bytes:
    body = bytearray(b"%PDF-1.5\n")
    starts: list[int] = []
    for i, content in enumerate(objects, 1):
        starts.append(len(body))
        body += b"%d 0 obj%s\nendobj\n" % (i, content)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    end = b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
    return bytes(body) + end % (len(objects) + 1, table, len(objects) + 1, len(body))


def _text(line: Line) -> str:
    text, x, y, size = line
    safe = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /F1 {size:g} Tf {x:g} {y:g} Td ({safe}) Tj ET\n"


def _code(number: int) -> str:
    """Squares from the left at the top edge: a black one, then the bits of the number, lowest first."""
    bits = [1, *((number >> i) & 1 for i in range(_BITS))]
    places = [f"{20 + i * _SQUARE} {HEIGHT - 20} {_SQUARE} {_SQUARE} re f\n" for i, bit in enumerate(bits) if bit]
    return "".join(places)


def page_shown(picture: Picture) -> int:
    """The number that the squares say."""
    scale = picture.size[0] / WIDTH
    y = round((20 - _SQUARE / 2) * scale)
    bits = [picture.image.getpixel((round((20 + (i + 1.5) * _SQUARE) * scale), y))[0] < 128 for i in range(_BITS)]
    return sum(1 << i for i, bit in enumerate(bits) if bit)


def paragraphs_of(words: Sequence[Word]) -> list[list[Word]]:
    """Words in paragraphs: a new one where the next line lies more than one and a half lines lower."""
    result: list[list[Word]] = []
    for word in words:
        height = max(1.0, word.box[3] - word.box[1])
        if not result or word.box[1] - result[-1][-1].box[3] > 0.9 * height:
            result.append([])
        result[-1].append(word)
    return result


class LayerChat:
    """Answers "QwenVL HTML" about a page of `path` by its text layer. `asked` counts pages."""

    def __init__(self, path: Path) -> None:
        self._pdf = open_document(path)
        self.asked: list[int] = []

    def chat(self, messages: Sequence[Message], **_: Any) -> Reply:
        part = next(part for part in messages[-1].parts if isinstance(part, ImagePart))
        number = page_shown(part.image)
        self.asked.append(number)
        transform = part.image.transform.then_resize((952, 1344))
        return page_reply(self._pdf.words(number, part.image), transform)

    def stream(self, messages: Sequence[Message], **options: Any) -> Iterator[str | Reply]:
        reply = self.chat(messages, **options)
        yield reply.text
        yield reply


def page_reply(words: Sequence[Word], transform: Transform) -> Reply:
    """A page of paragraphs as a model would answer it."""
    parts: list[str] = []
    for paragraph in paragraphs_of(words):
        x1, y1, x2, y2 = zip(*(word.box for word in paragraph), strict=True)
        box = transform.box_to_model((min(x1) - 3, min(y1) - 3, max(x2) + 3, max(y2) + 3))
        text = escape(" ".join(word.text for word in paragraph))
        parts.append(f'\n<p data-bbox="{" ".join(str(round(v)) for v in box)}">{text}</p>')
    text = f"```html\n<html><body>{''.join(parts)}\n</body></html>\n```"
    info = MediaInfo(
        kind="image",
        original_size=transform.original_size,
        resized_size=transform.resized_size,
        grid_thw=(1, transform.resized_size[1] // 14, transform.resized_size[0] // 14),
        tokens=transform.resized_size[0] * transform.resized_size[1] // 784,
        transform=transform.to_dict(),
    )
    return Reply(text=text, media=(info,), usage=Usage())
