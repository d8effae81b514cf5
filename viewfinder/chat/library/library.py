"""`Library`: folders and shelf brought into line, pages searched, questions answered.

    library = Library("papers.db")
    library.add(viewfinder, ["papers/"])
    library.ask(viewfinder, "What was the total of March?")

A file that has not changed is not read again, one that was moved keeps its pages, one that is gone is forgotten
with its words. A file that vanished since is not quoted, even before the next `add`.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from viewfinder.chat.answer_cache import differences
from viewfinder.chat.documents.parse import DEFAULT_OPTIONS, ParseOptions, each_page, parse_settings
from viewfinder.chat.documents.sources import is_document, open_pages
from viewfinder.chat.library.ask import LibraryAnswer, answer_from
from viewfinder.chat.library.embedding import embed_pages
from viewfinder.chat.library.index import WordIndex
from viewfinder.chat.library.retriever import Retriever
from viewfinder.chat.library.search import Hit, find_pages
from viewfinder.chat.library.shelf import File, Shelf
from viewfinder.errors import MediaError, SettingsError, ViewfinderError
from viewfinder.media.source import DEFAULT_LIMITS, Limits
from viewfinder.messages import ChatModel
from viewfinder.processor.processor import Processor
from viewfinder.storage.system_errors import system_errors

Progress = Callable[[str, int, int], None]
"""Called with the file, its pages done, and its pages in all."""


class Reader(Protocol):
    """What reads and answers: a `Viewfinder`."""

    @property
    def model(self) -> ChatModel: ...
    @property
    def processor(self) -> Processor: ...


@dataclass
class Synced:
    """What `add` did: files by what became of them, pages read, and reasons of failures."""

    added: list[str] = field(default_factory=list[str])
    unchanged: list[str] = field(default_factory=list[str])
    moved: list[str] = field(default_factory=list[str])
    removed: list[str] = field(default_factory=list[str])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    pages: int = 0
    embedded: int = 0

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def sentence(self) -> str:
        counts = (
            f"{len(self.added)} read ({self.pages} pages), {len(self.unchanged)} unchanged, {len(self.moved)} moved"
        )
        embedded = f", {self.embedded} pages embedded" if self.embedded else ""
        lines = [f"{counts}, {len(self.removed)} removed, {len(self.failed)} failed{embedded}"]
        return "\n".join(lines + [f"  {file}: {reason}" for file, reason in self.failed.items()])


class Library:
    """A collection in one file. Use it from one thread, and as a context manager or `close` it."""

    def __init__(self, path: str | Path, index: Callable[..., Any] = WordIndex) -> None:
        """
        Args:
            path: the SQLite file; made when it is not there, for its owner alone.
            index: makes a `PageIndex` of an open SQLite connection.
        """
        self.shelf = Shelf(path, index)

    def __enter__(self) -> "Library":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.shelf.close()

    @system_errors()
    def add(
        self,
        reader: Reader,
        sources: Sequence[str | Path] = (),
        *,
        options: ParseOptions = DEFAULT_OPTIONS,
        progress: Progress | None = None,
        workers: int = 1,
        limits: Limits = DEFAULT_LIMITS,
        again: bool = False,
        retriever: Retriever | None = None,
    ) -> Synced:
        """Bring folders and files into the library; without `sources`, all folders added before.

        Files that are gone from one of the folders, or were added alone, are removed. An interrupted run goes on at
        the page where it stopped. What was removed stays out, until it is named in `sources` itself.

        Args:
            again: read unchanged documents too, and let a library that was read with other settings take these.
            retriever: embeds all pages of the library that are not, each kept as soon as it is there.

        Raises:
            MediaError: a source, or a folder added before, that does not exist; nothing was changed then.
            SettingsError: documents were read by another model or with other options, or embedded by another
                retriever; nothing was changed then.
        """
        settings = parse_settings(reader.model, reader.processor, options)
        if not again:
            self._check_settings(settings)
            if retriever is not None:
                self.shelf.vectors.check(retriever)
        roots = [Path(source).expanduser().resolve() for source in sources] or [Path(p) for p in self.shelf.roots()]
        absent = [root for root in roots if not root.exists()]
        if absent and (sources or not all(self.shelf.file(str(root)) for root in absent)):
            raise MediaError(f"there is no file or folder {absent[0]}; check the path, or remove it from the library")
        files: list[str] = []
        for root in roots:
            if sources:
                self.shelf.take_back(str(root))
            files += _documents(root) if root.exists() else []
            self.shelf.add_root(str(root))
        excluded = self.shelf.excluded()
        files = [file for file in files if not any(_below(file, path) for path in excluded)]
        synced = Synced()
        self._forget_vanished(roots, set(files), synced)
        for file in dict.fromkeys(files):
            try:
                self._add_file(reader, file, synced, options, progress, workers, limits, settings, again)
            except (ViewfinderError, OSError) as error:
                synced.failed[file] = " ".join(str(error).split())
        if retriever is not None:
            synced.embedded, failed = embed_pages(self.shelf, retriever, again=again, progress=progress, limits=limits)
            synced.failed = failed | synced.failed
        return synced

    @system_errors()
    def remove(self, source: str | Path) -> list[str]:
        """Take a file, or all below a folder, out of the library; what was taken."""
        path = str(Path(source).expanduser().resolve())
        files = [file for ready in (True, False) for file in self.shelf.files(ready) if _below(file.path, path)]
        self.shelf.remove(files)
        self.shelf.remove_root(path)
        self.shelf.exclude(path)
        return sorted({file.path for file in files})

    def files(self) -> list[File]:
        """Documents that can be found."""
        return self.shelf.files()

    @system_errors()
    def search(self, query: str, limit: int = 10, *, retriever: Retriever | None = None) -> list[Hit]:
        """Pages that have words of the query, the best first; none of files that can no longer be read.

        With a retriever, pages that look like an answer too; the two lists are fused (`search.reciprocal_ranks`).

        Raises:
            MediaError, SettingsError: no page is embedded, or by another retriever.
        """
        return find_pages(self.shelf, query, limit, retriever)

    @system_errors()
    def ask(
        self, reader: Reader, question: str, *, limit: int = 5, retriever: Retriever | None = None, **options: Any
    ) -> LibraryAnswer:
        """An answer over the pages that `search` finds, with citations to page and box, or "not in these documents".

        Options as in `viewfinder.chat.library.ask.answer_from`: `look`, `sampling`.
        """
        pages = [(hit.file, hit.page) for hit in self.search(question, limit, retriever=retriever)]
        return answer_from(reader.model, question, pages, **options)

    def embedded(self) -> dict[str, int]:
        """Pages with vectors, by the digest of their file."""
        return self.shelf.vectors.counts()

    def _forget_vanished(self, roots: Sequence[Path], files: set[str], synced: Synced) -> None:
        """Remove what is gone, except content that turned up at another path."""
        gone = [
            file
            for file in self.shelf.files()
            if file.path not in files and any(_below(file.path, str(root)) for root in roots)
        ]
        if not gone:
            return
        for file in gone:
            self.shelf.remove_root(file.path)  # of a file that was added alone
        known = {file.path for file in self.shelf.files()}
        fresh = {_digest(Path(path)): path for path in sorted(files - known)}
        for file in gone:
            path = fresh.pop(file.digest, None)
            if path is not None:
                status = Path(path).stat()
                self.shelf.touch(file, path, status.st_size, status.st_mtime_ns)
                synced.moved.append(path)
        removed = [file for file in gone if self.shelf.file(file.path) is not None]
        self.shelf.remove(removed)
        synced.removed += [file.path for file in removed]

    def _add_file(
        self,
        reader: Reader,
        path: str,
        synced: Synced,
        options: ParseOptions,
        progress: Progress | None,
        workers: int,
        limits: Limits,
        wanted: dict[str, Any],
        again: bool,
    ) -> None:
        status = Path(path).stat()
        there = self.shelf.file(path)
        same_times = there is not None and (there.size, there.mtime) == (status.st_size, status.st_mtime_ns)
        if there is not None and same_times and not again and not self.shelf.missing(there):
            if path not in synced.moved:
                synced.unchanged.append(path)
            return
        with open_pages(path, limits) as pages:
            settings = json.dumps(wanted, sort_keys=True)
            if there is not None and there.digest == pages.digest and not again:
                self.shelf.touch(there, path, status.st_size, status.st_mtime_ns)
                target = there
            else:
                target = self.shelf.begin(path, pages.digest, settings, status.st_size, status.st_mtime_ns, len(pages))
            todo = self.shelf.missing(target)
            for page in each_page(reader.model, reader.processor, pages, todo, options, workers):
                self.shelf.put(target, page)
                synced.pages += 1
                if progress is not None:
                    progress(path, target.pages - len(todo) + todo.index(page.number) + 1, target.pages)
        if not target.ready:
            self.shelf.finish(target)
        (synced.added if todo else synced.unchanged).append(path)
        shown = target if target.ready else self.shelf.file(path)  # None where another process took it away
        for number, reason in self.shelf.failed(shown).items() if shown is not None else ():
            synced.failed[path] = f"page {number + 1}: {reason}"

    def _check_settings(self, settings: dict[str, Any]) -> None:
        for file in self.shelf.files():
            if (read := file.read_with) != json.loads(json.dumps(settings)):
                raise SettingsError(
                    f"{file.path} was read with other settings: {differences(read, settings)}. Give the same settings, "
                    "or read the documents again (`library add --again`)"
                )


def _documents(root: Path) -> list[str]:
    if root.is_file():
        return [str(root)]
    return sorted(str(path) for path in root.rglob("*") if is_document(path))


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
