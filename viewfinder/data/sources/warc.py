"""Web archives (WARC, ARC): every HTML page as an interleaved document, its pictures from the same archives.

Pages are `response` records of status 200, `resource` records, and `revisit` records, whose content is another
record's: by its digest, or by the address and time they name. What a server said of a page's charset comes first.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.data.sources.conversations import list_files
from viewfinder.data.sources.html import sample_of_page
from viewfinder.data.sources.html_blocks import read_page
from viewfinder.data.sources.rows import RowSource
from viewfinder.errors import DataError

_SUFFIX = re.compile(r"\.w?arc(\.gz)?\Z", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class _Record:
    """Where one record lies and what its headers say."""

    kind: str
    address: str
    content: str
    file: str
    offset: int
    digest: str = ""
    original: tuple[str, str] = ("", "")
    time: str = ""


class WarcSource(RowSource):
    """An archive (`.warc`, `.arc`, also `.gz`), or all below a folder.

    Archives are scanned once for where their records lie; a page's pictures may be in any of them. A page that was
    visited again under the same address and did not change is read once.
    """

    name = "warc"
    domain = "web"

    def __init__(self, path: str, **about: Any) -> None:
        files = [file for file in list_files(Path(path), (".warc", ".arc", ".gz")) if _SUFFIX.search(file.name)]
        if not files:
            raise DataError(f"{path} holds no web archive (.warc, .arc, .gz of these); give a file or a folder of them")
        records = [record for file in files for record in _scan(file)]
        whole = [record for record in records if record.kind != "revisit"]
        self._by_digest = {record.digest: record for record in whole if record.digest}
        self._by_visit = {(record.address, record.time): record for record in whole}
        self.pictures: dict[str, _Record] = {}
        pages: dict[tuple[str, str, int], _Record] = {}
        for record in records:
            source = self._source(record) or record
            if (record.content or source.content).startswith("image/"):
                self.pictures.setdefault(record.address, source)
            elif "html" in (record.content or source.content) or (source is record and record.kind == "revisit"):
                pages.setdefault((record.address, source.file, source.offset), record)
        if not pages:
            raise DataError(f"{path} holds no HTML page, so there is nothing to read; is it an archive of a crawl?")
        super().__init__(list(pages.values()), **about)

    def _source(self, record: _Record) -> _Record | None:
        """The record that holds the content; None where it is in no archive that was given."""
        if record.kind != "revisit":
            return record
        return self._by_digest.get(record.digest) or self._by_visit.get(record.original)

    def make(self, row: _Record, number: int) -> Sample:
        source = self._source(row)
        if source is None:
            raise DataError("the page was only visited again, and its first visit is in none of the archives; add it")
        charset = _CHARSET.search(source.content)
        page = read_page(_payload(source), row.address, charset[1] if charset else None)
        return sample_of_page(page, self._find)

    def _find(self, address: str) -> Any:
        if address.startswith("data:"):
            return address
        record = self.pictures.get(address.partition("#")[0])
        return None if record is None else _payload(record)

    def describe(self, number: int) -> str:
        return self.rows[number].address


def _scan(file: Path) -> list[_Record]:
    """Records that may hold a page or a picture."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    found: list[_Record] = []
    try:
        with file.open("rb") as stream:
            records = ArchiveIterator(stream, arc2warc=True)
            for record in records:
                kind, http = record.rec_type, record.http_headers
                if kind not in ("response", "resource", "revisit") or (
                    kind == "response" and (http is None or http.get_statuscode() != "200")
                ):
                    continue
                about = record.rec_headers
                content = (about if kind == "resource" else http).get_header("Content-Type") if http or about else ""
                found.append(
                    _Record(
                        kind,
                        about.get_header("WARC-Target-URI") or "",
                        (content or "").lower(),
                        str(file),
                        records.get_record_offset(),
                        about.get_header("WARC-Payload-Digest") or "",
                        (
                            about.get_header("WARC-Refers-To-Target-URI") or "",
                            about.get_header("WARC-Refers-To-Date") or "",
                        ),
                        about.get_header("WARC-Date") or "",
                    )
                )
    except (ArchiveLoadFailed, OSError) as error:
        raise DataError(f"{file} is no web archive ({error}); archives are .warc, .arc, or .gz of these") from error
    return found


def _payload(record: _Record) -> bytes:
    """The body of one record, decoded as its headers say."""
    from warcio.archiveiterator import ArchiveIterator

    with Path(record.file).open("rb") as stream:
        stream.seek(record.offset)
        return next(iter(ArchiveIterator(stream, arc2warc=True))).content_stream().read()
