"""Pages of digital PDFs: the page as a picture, the text layer as truth for finding lines and for reading.

The layer is believed only when it is sound (`outputs.document.truth`); scans have none and are set aside.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample, say
from viewfinder.data.sources.conversations import list_files
from viewfinder.data.sources.rows import RowSource, new_sample
from viewfinder.errors import DataError, MediaError
from viewfinder.media.document import Word, open_document
from viewfinder.media.resize import MAX_PIXELS
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.document.truth import layer_is_sound
from viewfinder.outputs.prompts import read_prompt, spotting_prompt


class PdfSource(RowSource):
    """Every page of a PDF, or of all PDFs below a folder. A file that cannot be opened is one row, set aside.

    Args:
        dpi: of the pictures.
        most_lines: pages with more are asked to be read only.
    """

    name = "pdf"
    domain = "document"

    def __init__(self, path: str, dpi: float = 100.0, most_lines: int = 80, **about: Any) -> None:
        self.path, self.dpi, self.most_lines = Path(path), dpi, most_lines
        files = list_files(self.path, (".pdf",))
        if not files:
            raise DataError(f"{path} holds no PDF; give a file or a folder of them")
        super().__init__([row for file in files for row in _pages(file)], **about)

    def make(self, row: tuple[str, int], number: int) -> Sample:
        path, page = row
        with open_document(path) as document:
            picture = document.page(page, dpi=self.dpi, max_pixels=MAX_PIXELS)
            words = document.words(page, picture)
        if not words:
            raise DataError("the page has no text layer (a scan, or blank), so it has no truth")
        if not layer_is_sound(words):
            raise DataError("the page's text layer is no text (a font without a table of letters)")
        lines = group_lines(words)
        text = "\n".join(line.text or "" for line in lines)
        messages, forms, task = [say("user", picture, read_prompt()), say("assistant", text)], ("",), "read"
        if len(lines) <= self.most_lines:
            spotted = format_boxes(lines, Transform.identity(picture.size))
            messages = [say("user", picture, spotting_prompt()), say("assistant", spotted),
                        say("user", read_prompt()), messages[1]]  # fmt: skip
            forms, task = ("", "boxes"), "spot+read"
        truth = {"text": text, "lines": [list(line.xyxy) for line in lines]}
        return new_sample(messages, task, truth=truth, forms=forms)

    def describe(self, number: int) -> str:
        path, page = self.rows[number]
        return f"{Path(path).name} page {page + 1}"


def _pages(file: Path) -> list[tuple[str, int]]:
    try:
        with open_document(file) as document:
            return [(str(file), page) for page in range(len(document))]
    except MediaError:
        return [(str(file), 0)]  # opened again when the row is made, which then says why not


def group_lines(words: Sequence[Word]) -> list[Box]:
    """Words of a layer, in its order, as lines with their text.

    A word goes on the line of the word before when both share more than half the height of the lower of them, it
    stands to the right, and the gap is below three heights (a wider one is a column's gutter).

        a(0,0,10,10) b(14,0,24,10) c(0,20,10,30) -> "a b" at (0,0,24,10), "c" at (0,20,10,30)
    """
    lines: list[list[Word]] = []
    for word in words:
        if lines and _follows(lines[-1][-1], word):
            lines[-1].append(word)
        else:
            lines.append([word])
    boxes: list[Box] = []
    for line in lines:
        x0, y0, x1, y1 = zip(*(word.box for word in line), strict=True)
        boxes.append(Box(min(x0), min(y0), max(x1), max(y1), text=" ".join(word.text for word in line)))
    return boxes


def _follows(last: Word, word: Word) -> bool:
    (_, top, right, bottom), (left, next_top, _, next_bottom) = last.box, word.box
    height = min(bottom - top, next_bottom - next_top)
    shared = min(bottom, next_bottom) - max(top, next_top)
    return shared > 0.5 * height and -0.5 * height <= left - right < 3 * max(bottom - top, next_bottom - next_top)
