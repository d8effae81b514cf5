"""A collection of documents: parsed once, searched, and asked with citations to page and box.

`shelf` keeps files and pages in one SQLite file, `index` finds pages by words (one small interface, so that a
server can stand in), `page_vectors` by what they look like to a `retriever`, `search` by both; `library` brings folders
and shelf into line, `ask` answers over the pages found.
"""

from viewfinder.chat.library.ask import Citation, LibraryAnswer
from viewfinder.chat.library.index import PageIndex, WordIndex
from viewfinder.chat.library.library import Hit, Library, Synced
from viewfinder.chat.library.page_vectors import Look
from viewfinder.chat.library.retriever import Retriever

__all__ = ["Citation", "Hit", "Library", "LibraryAnswer", "Look", "PageIndex", "Retriever", "Synced", "WordIndex"]
