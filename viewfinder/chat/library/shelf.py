"""Files and their parsed pages in one SQLite file, readable by its owner alone.

A document is put on the shelf page by page, each in a transaction of its own, so that an interrupted run goes
on with the next page; it becomes visible when all its pages are there, and the version before it vanishes in
the same moment. What is removed is overwritten on disk.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viewfinder.chat.library.index import PageIndex, WordIndex
from viewfinder.chat.library.page_vectors import PageVectors
from viewfinder.errors import MediaError
from viewfinder.outputs.document import Document, Page
from viewfinder.outputs.document.convert import page_to_dict

_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS roots(path TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS excluded(path TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS files(
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, digest TEXT NOT NULL, settings TEXT NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, pages INTEGER NOT NULL, ready INTEGER NOT NULL,
    UNIQUE(path, ready));
CREATE TABLE IF NOT EXISTS pages(
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, number INTEGER NOT NULL, failed INTEGER NOT NULL,
    content TEXT NOT NULL, UNIQUE(file, number));
"""


@dataclass(frozen=True)
class File:
    """A document on the shelf. `mtime` is in nanoseconds; `ready` when all its pages are there; `settings` is JSON:
    what it was read with."""

    id: int
    path: str
    digest: str
    settings: str
    size: int
    mtime: int
    pages: int
    ready: bool

    @property
    def read_with(self) -> dict[str, Any]:
        """Model and options that its pages were read with; none where an earlier version read it."""
        try:
            return dict(json.loads(self.settings))
        except ValueError:
            return {}


class Shelf:
    """The SQLite file. Made by one thread and used by it alone."""

    def __init__(self, path: str | Path, index: Callable[[sqlite3.Connection], PageIndex] = WordIndex) -> None:
        """
        Raises:
            MediaError: the file is no library, is of a newer version, or cannot be opened.
        """
        path = Path(path).expanduser()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._connection.execute("PRAGMA secure_delete = ON")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise MediaError(f"{path} was written by a newer version of this program; update it, or name another")
            self._connection.executescript(f"{_TABLES} PRAGMA user_version = {_VERSION};")
            self.index = index(self._connection)
            self.vectors = PageVectors(self._connection)
        except (sqlite3.Error, OSError) as error:
            raise MediaError(f"{path} cannot be opened as a library ({error}); name another file") from error

    def close(self) -> None:
        self._connection.close()

    def files(self, ready: bool = True) -> list[File]:
        """All documents that are complete (or those that are not), by path."""
        rows = self._connection.execute(
            "SELECT id, path, digest, settings, size, mtime, pages, ready FROM files WHERE ready = ? ORDER BY path",
            (ready,),
        )
        return [File(*row[:-1], ready=bool(row[-1])) for row in rows]

    def file(self, path: str, ready: bool = True) -> File | None:
        row = self._connection.execute(
            "SELECT id, path, digest, settings, size, mtime, pages FROM files WHERE path = ? AND ready = ?",
            (path, ready),
        ).fetchone()
        return None if row is None else File(*row, ready=ready)

    def roots(self) -> list[str]:
        """Folders that were added."""
        return [path for (path,) in self._connection.execute("SELECT path FROM roots ORDER BY path")]

    def add_root(self, path: str) -> None:
        self._connection.execute("INSERT OR IGNORE INTO roots VALUES (?)", (path,))

    def remove_root(self, path: str) -> None:
        self._connection.execute("DELETE FROM roots WHERE path = ?", (path,))

    def excluded(self) -> list[str]:
        """Files and folders that were removed, and are not to come back with a folder."""
        return [path for (path,) in self._connection.execute("SELECT path FROM excluded")]

    def exclude(self, path: str) -> None:
        self._connection.execute("INSERT OR IGNORE INTO excluded VALUES (?)", (path,))

    def take_back(self, path: str) -> None:
        """A removed file or folder is wanted again."""
        self._connection.execute("DELETE FROM excluded WHERE path = ?", (path,))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is read inside stays true until what is written inside is there, whoever else uses the file."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield

    def begin(self, path: str, digest: str, settings: str, size: int, mtime: int, pages: int) -> File:
        """A document to be filled: the one begun earlier when it is still the same, else an empty one."""
        with self.transaction():
            begun = self.file(path, ready=False)
            if begun is not None and (begun.digest, begun.settings, begun.pages) == (digest, settings, pages):
                return begun
            if begun is not None:
                self._delete([begun.id])
            values = (path, digest, settings, size, mtime, pages)
            cursor = self._connection.execute(
                "INSERT INTO files(path, digest, settings, size, mtime, pages, ready) VALUES (?, ?, ?, ?, ?, ?, 0)",
                values,
            )
        assert cursor.lastrowid is not None
        return File(cursor.lastrowid, *values, ready=False)

    def missing(self, file: File) -> list[int]:
        """Pages that are not there, or failed, from 0."""
        rows = self._connection.execute("SELECT number FROM pages WHERE file = ? AND failed = 0", (file.id,))
        there = {number for (number,) in rows}
        return [number for number in range(file.pages) if number not in there]

    def put(self, file: File, page: Page) -> None:
        """One page; it replaces a failed one. Pages of a ready document can be found at once."""
        content = json.dumps(page_to_dict(page), ensure_ascii=False)
        with self.transaction():
            found = self._connection.execute("SELECT ready FROM files WHERE id = ?", (file.id,)).fetchone()
            if found is None:
                return  # another process took the document away
            cursor = self._connection.execute(
                "INSERT INTO pages(file, number, failed, content) VALUES (?, ?, ?, ?) "
                "ON CONFLICT(file, number) DO UPDATE SET failed = excluded.failed, content = excluded.content "
                "RETURNING id",
                (file.id, page.number, bool(page.error), content),
            )
            (key,) = cursor.fetchone()
            if found[0]:
                self.index.put([(key, _words(page))])

    def finish(self, file: File) -> None:
        """Show a document whose pages are all there, and take its earlier version away."""
        with self.transaction():
            begun, before = self.file(file.path, ready=False), self.file(file.path)
            if begun is None or begun.id != file.id:
                return  # another process showed it, or began another version
            if before is not None:
                self._delete([before.id])
            rows = self._connection.execute("SELECT id, content FROM pages WHERE file = ?", (file.id,)).fetchall()
            self.index.put((key, _words(_page(content))) for key, content in rows)
            self._connection.execute("UPDATE files SET ready = 1 WHERE id = ?", (file.id,))

    def touch(self, file: File, path: str, size: int, mtime: int) -> None:
        """The same content at another place or time."""
        self._connection.execute(
            "UPDATE files SET path = ?, size = ?, mtime = ? WHERE id = ?", (path, size, mtime, file.id)
        )

    def remove(self, files: Iterable[File]) -> None:
        """Take documents away with all their words."""
        with self.transaction():
            self._delete([file.id for file in files])

    def page(self, key: int) -> tuple[File, Page] | None:
        """A page of a ready document by its key in the index; None when it is gone."""
        row = self._connection.execute(
            "SELECT f.id, f.path, f.digest, f.settings, f.size, f.mtime, f.pages, f.ready, p.content "
            "FROM pages p JOIN files f ON f.id = p.file WHERE p.id = ? AND f.ready = 1",
            (key,),
        ).fetchone()
        return None if row is None else (File(*row[:7], ready=True), _page(row[8]))

    def keys(self, digest: str, number: int) -> list[int]:
        """Keys of a page in all ready documents of this content."""
        rows = self._connection.execute(
            "SELECT p.id FROM pages p JOIN files f ON f.id = p.file "
            "WHERE f.digest = ? AND p.number = ? AND f.ready = 1",
            (digest, number),
        )
        return [key for (key,) in rows]

    def failed(self, file: File) -> dict[int, str]:
        """Failed pages of a document and why."""
        rows = self._connection.execute("SELECT content FROM pages WHERE file = ? AND failed = 1", (file.id,))
        return {page.number: page.error for (content,) in rows for page in [_page(content)]}

    def _delete(self, files: Sequence[int]) -> None:
        keys: list[int] = []
        for file in files:
            keys += [key for (key,) in self._connection.execute("SELECT id FROM pages WHERE file = ?", (file,))]
            self._connection.execute("DELETE FROM pages WHERE file = ?", (file,))
            self._connection.execute("DELETE FROM files WHERE id = ?", (file,))
        if keys:
            self.index.remove(keys)


def _page(content: str) -> Page:
    raw: dict[str, Any] = json.loads(content)
    return Document.from_dict({"pages": [raw]}).pages[0]


def _words(page: Page) -> str:
    """What a page is found by: what was read, and the words of a digital PDF's text layer where they differ."""
    return "\n\n".join([page.text, *(check.layer for check in page.checks)])
