"""Embedding the pages of a shelf that are not, one after another; each is kept as soon as it is there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from viewfinder.chat.documents.sources import open_pages
from viewfinder.chat.library.retriever import Retriever
from viewfinder.chat.library.shelf import Shelf
from viewfinder.errors import MediaError
from viewfinder.media.source import DEFAULT_LIMITS, Limits


def embed_pages(
    shelf: Shelf,
    retriever: Retriever,
    *,
    again: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[int, dict[str, str]]:
    """The number of pages embedded, and files of which some could not be, with the reason.

    Args:
        again: forget the vectors of another retriever first.
        progress: called with the file, its pages embedded, and its pages in all.

    Raises:
        SettingsError: the vectors here are another retriever's.
    """
    vectors, count = shelf.vectors, 0
    failed: dict[str, str] = {}
    if again and vectors.retriever != retriever.fingerprint:
        vectors.clear()
    for file in shelf.files():
        if not (todo := vectors.missing(file.digest, file.pages)):
            continue
        with _said_of(file.path, failed), open_pages(file.path, limits) as pages:
            if pages.digest != file.digest:
                raise MediaError("it changed since it was read; add it again")
            for done, number in enumerate(todo, file.pages - len(todo) + 1):
                with _said_of(file.path, failed):
                    vectors.put(file.digest, number, retriever, pages.picture(number))
                    count += 1
                if progress is not None:
                    progress(file.path, done, file.pages)
    return count, failed


@contextmanager
def _said_of(file: str, failed: dict[str, str]) -> Iterator[None]:
    """What is wrong with a file's pictures is a line of the result, not the end of the run."""
    try:
        yield
    except (MediaError, OSError) as error:
        failed.setdefault(file, f"not embedded: {' '.join(str(error).split())}")
