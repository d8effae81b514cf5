"""HTML files, with the pictures that lie beside them, as interleaved documents."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from viewfinder.data.sample import Sample
from viewfinder.data.sources.folder import list_files
from viewfinder.data.sources.html_blocks import read_page
from viewfinder.data.sources.interleaved import sample_of_page
from viewfinder.data.sources.rows import RowSource
from viewfinder.errors import DataError


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
        return str(path) if path.is_relative_to(self.root) and path.is_file() else None  # pages are strangers' words

    def describe(self, number: int) -> str:
        return str(Path(self.rows[number]).resolve().relative_to(self.root))
