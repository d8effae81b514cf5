"""Pages by what they look like: a file of vectors beside a library, searched by late interaction.

    retriever = Retriever.load("vidore/colqwen2.5-base", adapter="colqwen2.5-v0.2/")
    pages = PageVectors("papers.vectors")
    pages.add(retriever, ["papers/march.pdf"])
    for look in pages.search(retriever, "revenue by quarter", limit=5):
        look.draw().save(...)

Each page has one vector for each token that the model reads of it: those of the picture stand for patches of 28 x 28
pixels of what it saw, so that a hit shows which part of the page answered the query.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from viewfinder.chat.documents.sources import open_pages
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.errors import CheckpointError, MediaError
from viewfinder.model import load_model
from viewfinder.model.late_interaction import LateInteraction, max_similarity, rough_similarity, to_bytes
from viewfinder.model.lora import load_adapter, merge_adapters
from viewfinder.outputs.boxes import Box
from viewfinder.processor.chat_template import Rendered, Segment
from viewfinder.processor.processor import Prepared, Processor
from viewfinder.storage.atomic import replacing

_PAGE = (
    *(("<|im_start|>", True), ("user\n", False), ("<|vision_start|>", True), ("<|image_pad|>", True)),
    *(("<|vision_end|>", True), ("Describe the image.", False), ("<|im_end|>", True), ("<|endoftext|>", True)),
)
"""What stands around a page, as colpali-engine writes it."""
_PADS_BEHIND_QUERY = 10
_MOST_TOKENS = 768
"""Of a page's picture: what the published adapters were trained with."""
_CELL = 28
_SHORTLIST = 100
"""Pages that are scored exactly, of those with the highest rough scores."""


class Retriever:
    """A model that gives vectors, and its processor."""

    def __init__(self, model: LateInteraction, processor: Processor) -> None:
        self.model = model
        self.processor = processor

    @classmethod
    def load(cls, name: str, adapter: str | Path | None = None, *, dtype: torch.dtype | None = None) -> Self:
        """A checkpoint with the projection, and with a PEFT adapter merged into it where one is given.

        Raises:
            CheckpointError: it has no projection, or the adapter fits no layer.
        """
        directory = find_checkpoint(name)
        model = load_model(directory, dtype=dtype)
        if not isinstance(model, LateInteraction):
            raise CheckpointError(
                f"{name} has no custom_text_proj, so it gives no vectors to search by; take a ColQwen2.5 checkpoint"
            )
        if adapter is not None:
            load_adapter(model, adapter)
            merge_adapters(model)
        return cls(model, Processor.from_pretrained(directory, max_pixels=_MOST_TOKENS * _CELL**2))

    @torch.inference_mode()
    def page(self, image: Any) -> tuple[Float[Tensor, "T 128"], Prepared]:
        """Vectors of a page, and what they were made of."""
        part = self.processor.fit(image)
        rendered = Rendered(tuple(Segment(text, is_token=token) for text, token in _PAGE), (part,))
        prepared = self.processor.prepare_rendered(rendered)
        return self.model.vectors(prepared.inputs), prepared

    @torch.inference_mode()
    def query(self, text: str) -> Float[Tensor, "T 128"]:
        """Vectors of a query: its words, and ten paddings that the model may use for more of them."""
        segments = [Segment(text), *[Segment("<|endoftext|>", is_token=True)] * _PADS_BEHIND_QUERY]
        return self.model.vectors(self.processor.prepare_rendered(Rendered(tuple(segments), ())).inputs)


@dataclass(frozen=True)
class Look:
    """A page that answers a query, and where it does.

    Attributes:
        page: from 0.
        score: the sum over the query's tokens of the largest similarity.
        box: of the patch that matched best, in pixels of `size`; None where words around the picture did.
        size: of the page as it was embedded (width, height).
    """

    file: str
    page: int
    score: float
    box: tuple[float, float, float, float] | None
    size: tuple[int, int]

    def draw(self) -> Image.Image:
        """The page with the patch on it."""
        from viewfinder.outputs.draw import draw

        with open_pages(self.file) as pages:
            picture = pages.picture(self.page)
        if self.box is None:
            return picture.image
        scale = picture.image.width / self.size[0]
        return draw(picture, [Box(*(value * scale for value in self.box), label=f"{self.score:.1f}")])


class PageVectors:
    """Vectors of pages in one file, which `add` replaces whole."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.vectors = torch.zeros(0, 128, dtype=torch.bfloat16)
        self.starts = [0]
        self.pages: list[dict[str, Any]] = []
        self._bytes: Tensor | None = None
        if self.path.exists():
            self._read()

    def __len__(self) -> int:
        return len(self.pages)

    def add(self, retriever: Retriever, files: Sequence[str | Path]) -> int:
        """Embed all pages of these files, in place of what was known of them; gives the number of pages."""
        names = {str(Path(file).resolve()) for file in files}
        keep = [i for i, page in enumerate(self.pages) if page["file"] not in names]
        parts = [self.vectors[self.starts[i] : self.starts[i + 1]] for i in keep]
        known = [self.pages[i] for i in keep]
        for name in sorted(names):
            with open_pages(name) as pages:
                for number in range(len(pages)):
                    vectors, prepared = retriever.page(pages.picture(number))
                    info = prepared.media[0]
                    pads = prepared.inputs.input_ids == retriever.processor.image_token_id
                    first = int(pads.nonzero()[0])
                    grid = [info.grid_thw[1] // 2, info.grid_thw[2] // 2]
                    size = info.original_size
                    known.append({"file": name, "page": number, "first": first, "grid": grid, "size": size})
                    parts.append(vectors.to(torch.bfloat16))
        self.pages = known
        self.vectors = torch.cat([self.vectors[:0], *parts])
        self.starts = _starts(parts)
        self._bytes = None
        self._write()
        return len(known) - len(keep)

    def search(self, retriever: Retriever, text: str, *, limit: int = 10) -> list[Look]:
        """The pages with the highest scores, the best first."""
        return self.looks(retriever.query(text), limit=limit)

    def looks(self, query: Float[Tensor, "T 128"], *, limit: int = 10) -> list[Look]:
        """As `search`, for the vectors of a query."""
        chosen = self._shortlist(query, max(_SHORTLIST, 4 * limit))
        parts = [self.vectors[self.starts[i] : self.starts[i + 1]] for i in chosen]
        scores = max_similarity(query, torch.cat([self.vectors[:0], *parts]), _starts(parts))
        best = scores.topk(min(limit, len(scores)))
        return [
            self._look(query, chosen[int(i)], float(score)) for score, i in zip(best.values, best.indices, strict=True)
        ]

    def _shortlist(self, query: Tensor, count: int) -> list[int]:
        """Pages among which the best are: all of a small library, else those with the highest rough scores."""
        if len(self) <= count:
            return list(range(len(self)))
        if self._bytes is None:
            self._bytes = to_bytes(self.vectors)
        return rough_similarity(query, self._bytes, self.starts).topk(count).indices.tolist()

    def _look(self, query: Tensor, i: int, score: float) -> Look:
        """The patch that the single best product is with: token 5 of a grid of 4 columns is row 1, column 1."""
        page = self.pages[i]
        own = self.vectors[self.starts[i] : self.starts[i + 1]].float()
        token = int((query.float() @ own.T).amax(0).argmax()) - page["first"]
        rows, columns = page["grid"]
        width, height = page["size"]
        box = None
        if 0 <= token < rows * columns:
            row, column = divmod(token, columns)
            x, y = width / columns, height / rows
            box = (column * x, row * y, (column + 1) * x, (row + 1) * y)
        return Look(page["file"], page["page"], score, box, (width, height))

    def _write(self) -> None:
        with replacing(self.path) as partial:
            tensors = {"vectors": self.vectors.contiguous(), "starts": torch.tensor(self.starts)}
            save_file(tensors, partial, metadata={"pages": json.dumps(self.pages)})

    def _read(self) -> None:
        try:
            tensors = load_file(self.path)
            with safe_open(self.path, framework="pt") as file:
                self.pages = json.loads(file.metadata()["pages"])
            self.vectors, self.starts = tensors["vectors"], tensors["starts"].tolist()
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise MediaError(f"{self.path} holds no vectors of pages ({error}); add the documents again") from error


def _starts(parts: Sequence[Tensor]) -> list[int]:
    return [0, *accumulate(len(part) for part in parts)]
