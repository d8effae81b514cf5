"""Which pages speak of what: `PageIndex`, and one over SQLite's full text search.

Another engine (OpenSearch, Qdrant) stands in by the same three methods. Keys are numbers that the shelf gives
out; an index may know pages that the shelf no longer has, which are passed over.

Words of scripts without spaces are indexed letter by letter and searched as phrases.
"""

import re
import sqlite3
from collections.abc import Iterable
from typing import Protocol

_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"\w+")
_STOP = frozenset(
    (
        *("a", "about", "according", "an", "and", "any", "are", "as", "at", "be", "been", "by", "can", "could", "did"),
        *(
            "do",
            "does",
            "find",
            "for",
            "from",
            "give",
            "had",
            "has",
            "have",
            "how",
            "i",
            "in",
            "is",
            "it",
            "its",
            "list",
        ),
        *("many", "me", "much", "my", "of", "on", "or", "our", "please", "say", "says", "show", "tell", "that", "the"),
        *("their", "there", "these", "this", "those", "to", "was", "we", "were", "what", "when", "where", "which"),
        *("who", "whom", "whose", "why", "will", "with", "would", "you", "your", "document", "documents", "page"),
    )
)


class PageIndex(Protocol):
    """Pages by their words."""

    def put(self, pages: Iterable[tuple[int, str]]) -> None:
        """Add pages, or replace those of the same key; a page is a key and its text."""
        ...

    def remove(self, keys: Iterable[int]) -> None:
        """Forget pages, so that none of their words can be found again."""
        ...

    def search(self, query: str, limit: int) -> list[tuple[int, float]]:
        """Keys and scores of pages that have at least one word of the query, the best (highest score) first."""
        ...


class WordIndex:
    """SQLite FTS5: words without endings and accents, ranked by BM25."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, tokenize='porter unicode61 remove_diacritics 2')"
        )

    def put(self, pages: Iterable[tuple[int, str]]) -> None:
        for key, text in pages:
            self._connection.execute("DELETE FROM words WHERE rowid = ?", (key,))
            self._connection.execute("INSERT INTO words(rowid, text) VALUES (?, ?)", (key, spaced(text.casefold())))

    def remove(self, keys: Iterable[int]) -> None:
        self._connection.executemany("DELETE FROM words WHERE rowid = ?", [(key,) for key in keys])
        # without this the words of removed pages stay in older parts of the index
        self._connection.execute("INSERT INTO words(words) VALUES ('optimize')")

    def search(self, query: str, limit: int) -> list[tuple[int, float]]:
        match = match_expression(query)
        if not match:
            return []
        found = self._connection.execute(
            "SELECT rowid, -bm25(words) FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?", (match, limit)
        )
        return [(int(key), float(score)) for key, score in found]


def spaced(text: str) -> str:
    """Text in which each letter of a script without spaces is a word of its own."""
    return _UNSPACED.sub(r" \g<0> ", text)


def query_words(query: str) -> list[str]:
    """The words of a question that say what it is about; all of them when none does."""
    words = list(dict.fromkeys(_WORD.findall(query.casefold())))
    return [word for word in words if word not in _STOP] or words


def match_expression(query: str) -> str:
    """Any of the words, each quoted so that nothing in it is an operator.

    `Who owes 5%?` gives `"owes" OR "5"`, 发票号码 gives `"发 票 号 码"`. A word whose folded form is another (`straße`,
    `strasse`) is looked for in both: indexes of earlier versions are not folded.
    """
    unfolded = [word for word in _WORD.findall(query.lower()) if word != word.casefold()]
    phrases = [" ".join(spaced(word).split()) for word in [*query_words(query), *unfolded]]
    return " OR ".join(f'"{phrase}"' for phrase in phrases)
