"""HTML files, with the pictures that lie beside them, as interleaved documents."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from viewfinder.data.sample import Sample, say
from viewfinder.data.sources.conversations import list_files
from viewfinder.data.sources.html_blocks import Shown, WebPage, Words, read_page
from viewfinder.data.sources.rows import RowSource, new_sample
from viewfinder.errors import DataError, ViewfinderError
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Message

Find = Callable[[str], Any]
"""The picture at an address: bytes or another source, or None where it is not to be had."""
MIN_SIDE = 48
MAX_ASPECT = 6.0
MIN_WORDS = 10


def sample_of_page(page: WebPage, find: Find) -> Sample:
    """The document as a sample; pictures that cannot be had, and icons and rules among them, are left out.

    Raises:
        DataError: fewer than 10 words are left, or the text after the last picture is missing and nothing else is.
    """
    pictures: list[dict[str, Any]] = []
    turns: list[tuple[list[ImagePart], list[str]]] = [([], [])]
    lost = 0
    for block in page.blocks:
        if isinstance(block, Words):
            turns[-1][1].append(block.text)
            continue
        part = _picture(block, find)
        if part is None:
            lost += 1
            continue
        if turns[-1][1]:
            turns.append(([], []))
        turns[-1][0].append(part)
        pictures.append({"alt": block.alt, "caption": block.caption, "address": block.address[:300]})
    if not turns[-1][1]:
        shown = len(turns[-1][0])  # pictures after the last word teach nothing
        turns, pictures = turns[:-1], pictures[: len(pictures) - shown]
    words = sum(len(text.split()) for _, texts in turns for text in texts)
    letters = sum(len(text) for _, texts in turns for text in texts)
    if words < MIN_WORDS and letters < 6 * MIN_WORDS:
        raise DataError(f"the page holds {words} words of content, so it is not worth reading")
    messages: list[Message] = []
    for parts, texts in turns:
        said = [page.title] if not messages and (page.title or not parts) else []
        messages += [say("user", *parts, *said), say("assistant", "\n\n".join(texts))]
    truth = {"title": page.title, "pictures": pictures, "lost_pictures": lost}
    sample = new_sample(messages, "interleaved", truth=truth, language=page.language)
    return replace(sample, domain="web")


def _picture(block: Shown, find: Find) -> ImagePart | None:
    try:
        source = find(block.address)
        if source is None:
            return None
        width, height = load_image(source).size
    except (ViewfinderError, OSError):
        return None
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_ASPECT * min(width, height):
        return None
    return ImagePart(image=source)


class HtmlSource(RowSource):
    """A page, or all pages below a folder.

    Args:
        fetch: also ask servers for pictures (private addresses stay refused); only files and `data:` by default.
    """

    name = "html"
    domain = "web"

    def __init__(self, path: str, fetch: bool = False, **about: Any) -> None:
        self.path, self.fetch = Path(path), fetch
        self.root = self.path.resolve() if self.path.is_dir() else self.path.resolve().parent
        files = list_files(self.path, (".html", ".htm", ".xhtml"))
        if not files:
            raise DataError(f"{path} holds no HTML; give a page or a folder of them")
        super().__init__([str(file) for file in files], **about)

    def make(self, row: str, number: int) -> Sample:
        file = Path(row)
        return sample_of_page(read_page(file.read_bytes()), lambda address: self._find(address, file.parent))

    def _find(self, address: str, folder: Path) -> Any:
        if address.startswith("data:"):
            return address
        if address.startswith(("http://", "https://")):
            return address if self.fetch else None
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            return None
        path = (folder / unquote(parts.path)).resolve()
        return str(path) if path.is_relative_to(self.root) and path.is_file() else None  # a page is not trusted

    def describe(self, number: int) -> str:
        return str(Path(self.rows[number]).resolve().relative_to(self.root))
