"""The pages of a shelf that answer a query: by their words, and with a retriever by what they look like too."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image

from viewfinder.chat.documents.sources import open_pages
from viewfinder.chat.library.page_vectors import Look
from viewfinder.chat.library.retriever import Retriever
from viewfinder.chat.library.shelf import Shelf
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.document import Page
from viewfinder.outputs.draw import draw

_DEPTH = 50
"""Pages of each ranking that are fused, at least."""
_RANK_OFFSET = 60


@dataclass(frozen=True)
class Hit:
    """A page that answers a query.

    Attributes:
        score: of its words (BM25); with a retriever, the sum of reciprocal ranks by words and looks; higher is better.
        look: its score by looks and the patch that matched; None without a retriever, or where it is not among the
            fifty best by looks.
    """

    file: str
    page: Page
    score: float
    look: Look | None = None

    def to_dict(self) -> dict[str, Any]:
        """Pages count from 1; `look` only where there is one."""
        row = {"file": self.file, "page": self.page.number + 1, "score": self.score, "text": self.page.text}
        return row if self.look is None else {**row, "look": asdict(self.look)}

    def draw(self) -> Image.Image:
        """The page, with the patch that matched on it."""
        with open_pages(self.file) as pages:
            picture = pages.picture(self.page.number)
        if self.look is None or self.look.box is None:
            return draw(picture, [], note="")
        return draw(picture, [Box(*self.look.box, label=f"{self.look.score:.1f}")])


def find_pages(shelf: Shelf, query: str, limit: int, retriever: Retriever | None = None) -> list[Hit]:
    """As `Library.search`."""
    depth = max(_DEPTH, 4 * limit)
    found = shelf.index.search(query, depth)
    looks: dict[int, Look] = {}
    if retriever is not None:
        for digest, number, look in shelf.vectors.search(retriever, query, depth):
            looks |= dict.fromkeys(shelf.keys(digest, number), look)
        found = reciprocal_ranks([key for key, _ in found], [*looks])
    hits: list[Hit] = []
    for key, score in found:
        page = shelf.page(key)
        if page is not None and os.access(page[0].path, os.R_OK):
            hits.append(Hit(page[0].path, page[1], score, looks.get(key)))
        if len(hits) == limit:
            break
    return hits


def reciprocal_ranks(*rankings: Sequence[int]) -> list[tuple[int, float]]:
    """Keys of several rankings with the sum of 1 / (60 + rank) over those that have them, the highest first.

    The rule and the number are of Cormack, Clarke and Büttcher (2009). Of equal sums the key that is met first comes
    first: [7, 8] and [9, 8] give 8 (2/62), 7 (1/61), 9 (1/61).
    """
    sums: dict[int, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            sums[key] = sums.get(key, 0.0) + 1 / (_RANK_OFFSET + rank)
    return sorted(sums.items(), key=lambda item: -item[1])
