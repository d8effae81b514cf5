"""Pages by what they look like: vectors in the library's own file, kept by content and searched by late interaction.

A page is named by the digest of its file and its number, so a copy or a file that was moved is not embedded again.
Vectors vanish with the last document of that digest. One library holds the vectors of one retriever.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from viewfinder.chat.library.retriever import Retriever
from viewfinder.errors import MediaError, SettingsError
from viewfinder.media.image import Picture
from viewfinder.model.late_interaction import DIM, RoughPages, max_similarity
from viewfinder.outputs.place import Corners

_SHORTLIST = 32
"""Pages that are scored exactly, of those with the highest rough scores."""
_TABLES = """
CREATE TABLE IF NOT EXISTS vectors(
    digest TEXT NOT NULL, page INTEGER NOT NULL, retriever TEXT NOT NULL, place TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY(digest, page));
CREATE TRIGGER IF NOT EXISTS forget_vectors AFTER DELETE ON files
    WHEN NOT EXISTS (SELECT 1 FROM files WHERE digest = OLD.digest)
    BEGIN DELETE FROM vectors WHERE digest = OLD.digest; END;
"""


@dataclass(frozen=True)
class Look:
    """How a page answers a query, and where it does.

    Attributes:
        score: the sum over the query's tokens of the largest similarity.
        box: of the patch that matched best, in pixels of `size`; None where words around the picture did.
        size: of the page as it was embedded (width, height).
    """

    score: float
    box: Corners | None
    size: tuple[int, int]


class PageMatrix:
    """The vectors of many pages in memory; of more than 32, a shortlist by bytes is scored exactly."""

    def __init__(self, parts: Sequence[Float[Tensor, "_ 128"]]) -> None:
        self.parts = [part.to(torch.bfloat16) for part in parts]
        self._rough = RoughPages(self.parts) if len(parts) > _SHORTLIST else None

    def best(self, query: Float[Tensor, "Q 128"], limit: int) -> list[tuple[int, float]]:
        """Indices and scores of the pages with the highest scores, the best first."""
        count = max(_SHORTLIST, 3 * limit)
        chosen = list(range(len(self.parts)))
        if self._rough is not None and count < len(self.parts):
            chosen = self._rough.scores(query).topk(count).indices.tolist()
        scores = max_similarity(query, [self.parts[i] for i in chosen])
        top = scores.topk(min(limit, len(scores)))
        return [(chosen[i], score) for i, score in zip(top.indices.tolist(), top.values.tolist(), strict=True)]


class PageVectors:
    """The vectors of a library, in its SQLite file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_TABLES)
        self._loaded: tuple[object, list[tuple[str, int, dict[str, Any]]], PageMatrix] | None = None

    def counts(self) -> dict[str, int]:
        """Pages embedded, by the digest of their file."""
        return dict(self._connection.execute("SELECT digest, count(*) FROM vectors GROUP BY digest").fetchall())

    @property
    def retriever(self) -> str | None:
        """The fingerprint of the retriever whose vectors these are; None where there are none."""
        row = self._connection.execute("SELECT retriever FROM vectors LIMIT 1").fetchone()
        return row and row[0]

    def check(self, retriever: Retriever) -> None:
        """That the vectors here are this retriever's, if there are any.

        Raises:
            SettingsError: they are another's.
        """
        if self.retriever not in (None, retriever.fingerprint):
            raise SettingsError(
                f"the pages of this library were embedded by retriever {self.retriever}, and this one is "
                f"{retriever.fingerprint}, so scores would mean nothing; give that one, or embed all pages by this one "
                "(`library add --again`)"
            )

    def clear(self) -> None:
        """Forget all vectors."""
        self._connection.execute("DELETE FROM vectors")

    def missing(self, digest: str, pages: int) -> list[int]:
        """Pages of a file that are not embedded, from 0."""
        there = {page for (page,) in self._connection.execute("SELECT page FROM vectors WHERE digest = ?", (digest,))}
        return [page for page in range(pages) if page not in there]

    def put(self, digest: str, page: int, retriever: Retriever, picture: Picture) -> None:
        """Embed a page; nothing is kept where its file was removed meanwhile."""
        vectors, prepared = retriever.page(picture)
        info = prepared.media[0]
        first = int((prepared.inputs.input_ids == retriever.processor.image_token_id).nonzero()[0])
        place = {"first": first, "grid": [side // 2 for side in info.grid_thw[1:]], "size": info.original_size}
        data = vectors.to(torch.bfloat16).contiguous().view(torch.uint8).numpy().tobytes()
        self.check(retriever)  # another process may have begun with another one
        self._connection.execute(
            "INSERT OR REPLACE INTO vectors SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM files WHERE digest = ?)",
            (digest, page, retriever.fingerprint, json.dumps(place), data, digest),
        )

    def search(self, retriever: Retriever, text: str, limit: int) -> list[tuple[str, int, Look]]:
        """Digests, pages and looks of the pages with the highest scores, the best first.

        Raises:
            MediaError: no page is embedded.
            SettingsError: they were embedded by another retriever.
        """
        self.check(retriever)
        names, matrix = self._read()
        if not names:
            raise MediaError(
                "no page of this library is embedded, so it cannot be searched by looks; run `library add` with this "
                "--retriever, or search without it"
            )
        query = retriever.query(text)
        found = matrix.best(query, limit)
        return [(*names[i][:2], _look(query, matrix.parts[i], score, names[i][2])) for i, score in found]

    def _read(self) -> tuple[list[tuple[str, int, dict[str, Any]]], PageMatrix]:
        """All vectors, once for each state of the file."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        state = (version, self._connection.total_changes)
        if self._loaded is None or self._loaded[0] != state:
            rows = list(self._rows())
            self._loaded = (state, [row[:3] for row in rows], PageMatrix([row[3] for row in rows]))
        return self._loaded[1:]

    def _rows(self) -> Iterator[tuple[str, int, dict[str, Any], Tensor]]:
        chosen = (
            "SELECT digest, page, place, data FROM vectors WHERE digest IN (SELECT digest FROM files WHERE ready = 1)"
        )
        for digest, page, place, data in self._connection.execute(chosen):
            numbers = torch.from_numpy(np.frombuffer(bytearray(data), dtype=np.int16)).view(torch.bfloat16)
            yield digest, page, json.loads(place), numbers.view(-1, DIM)


def _look(query: Tensor, page: Tensor, score: float, place: dict[str, Any]) -> Look:
    """The patch that the single best product is with: token 5 of a grid of 4 columns is row 1, column 1."""
    token = int((query.float() @ page.float().T).amax(0).argmax()) - place["first"]
    (rows, columns), (width, height) = place["grid"], place["size"]
    box = None
    if 0 <= token < rows * columns:
        row, column = divmod(token, columns)
        x, y = width / columns, height / rows
        box = (column * x, row * y, (column + 1) * x, (row + 1) * y)
    return Look(score, box, (width, height))
