"""Web archives (WARC): every HTML page of an archive as an interleaved document, its pictures from the same archive."""

from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.data.sources.folder import list_files
from viewfinder.data.sources.html_blocks import read_page
from viewfinder.data.sources.interleaved import sample_of_page
from viewfinder.data.sources.rows import RowSource
from viewfinder.errors import DataError

_Place = tuple[str, int]


class WarcSource(RowSource):
    """An archive (`.warc`, `.warc.gz`), or all below a folder.

    Archives are scanned once for where their records lie; a page's pictures may be in any of them.
    """

    name = "warc"
    domain = "web"

    def __init__(self, path: str, **about: Any) -> None:
        files = [file for file in list_files(Path(path), (".warc", ".gz")) if ".warc" in file.name]
        if not files:
            raise DataError(f"{path} holds no web archive (.warc, .warc.gz); give a file or a folder of them")
        self.pictures: dict[str, _Place] = {}
        pages: list[tuple[str, str, int]] = []
        for file in files:
            for address, kind, offset in _scan(file):
                if "html" in kind:
                    pages.append((address, str(file), offset))
                elif kind.startswith("image/"):
                    self.pictures.setdefault(address, (str(file), offset))
        if not pages:
            raise DataError(f"{path} holds no HTML page, so there is nothing to read; is it an archive of a crawl?")
        super().__init__(pages, **about)

    def make(self, row: tuple[str, str, int], number: int) -> Sample:
        address, file, offset = row
        return sample_of_page(read_page(_payload(file, offset), address), self._find)

    def _find(self, address: str) -> Any:
        if address.startswith("data:"):
            return address
        place = self.pictures.get(address.partition("#")[0])
        return None if place is None else _payload(*place)

    def describe(self, number: int) -> str:
        return str(self.rows[number][0])


def _scan(file: Path) -> list[tuple[str, str, int]]:
    """(address, content type, offset) of every response of status 200."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    found: list[tuple[str, str, int]] = []
    try:
        with file.open("rb") as stream:
            records = ArchiveIterator(stream)
            for record in records:
                if (
                    record.rec_type == "response"
                    and record.http_headers
                    and record.http_headers.get_statuscode() == "200"
                ):
                    kind = (record.http_headers.get_header("Content-Type") or "").lower()
                    found.append(
                        (record.rec_headers.get_header("WARC-Target-URI") or "", kind, records.get_record_offset())
                    )
    except (ArchiveLoadFailed, OSError) as error:
        raise DataError(f"{file} is no web archive ({error}); archives are .warc or .warc.gz") from error
    return found


def _payload(file: str, offset: int) -> bytes:
    """The body of one record, decoded as its headers say."""
    from warcio.archiveiterator import ArchiveIterator

    with Path(file).open("rb") as stream:
        stream.seek(offset)
        record = next(iter(ArchiveIterator(stream)))
        return record.content_stream().read()
