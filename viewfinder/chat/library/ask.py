"""A question over pages: an answer with citations to page and box, or "not in these documents".

The model is given the elements of the pages as numbered passages and answers under a schema that lets it cite
only those, so that each citation has a page and a box by construction; saying that the answer is not there is
always allowed. Without a single page that shares a word with the question the model is not asked at all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from viewfinder.chat.documents.asking import model_sampling, worth_keeping
from viewfinder.chat.documents.sources import open_pages
from viewfinder.messages import ChatModel, ImagePart, Part, Reply, Sampling, user
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.document import Page
from viewfinder.outputs.document.truth import fold
from viewfinder.outputs.draw import draw
from viewfinder.outputs.loose_json import find_value
from viewfinder.outputs.place import Corners
from viewfinder.outputs.written import CitationJson, LibraryAnswerJson, to_frame

NOT_FOUND = "not in these documents"
_MAX_CITATIONS = 5
_MAX_NEW_TOKENS = 1024
_NUMBER = re.compile(r"\d[\d.,:/-]*")


@dataclass(frozen=True)
class Citation:
    """What an answer rests on.

    Attributes:
        file: its path.
        page: from 0.
        box: of the element, in pixels of the page as `Page.size` has it; None where the page gives none.
        size: of that page.
        text: of the element.
        element: its place on the page, from 0.
    """

    file: str
    page: int
    box: Corners | None
    size: tuple[float, float]
    text: str
    element: int

    def draw(self) -> Image.Image:
        """The page with the element on it."""
        with open_pages(self.file) as pages:
            picture = pages.picture(self.page)
        return draw(picture, [] if self.box is None else [Box(*self.box, label=str(self.element + 1))], note="")

    def to_dict(self) -> CitationJson:
        box = None if self.box is None else list(self.box)
        size = list(self.size)
        return {
            "file": self.file,
            "page": self.page + 1,
            "box": box,
            "size": size,
            "element": self.element,
            "text": self.text,
        }


@dataclass(frozen=True)
class LibraryAnswer:
    """An answer over a collection.

    Attributes:
        found: whether the documents hold the answer.
        text: the answer, or `NOT_FOUND`.
        citations: at least one where `found`.
        supported: every number of the answer stands in a cited passage; None where it has none.
        reply: of the model; None when no page shared a word with the question.
    """

    found: bool
    text: str
    citations: tuple[Citation, ...] = ()
    supported: bool | None = None
    reply: Reply | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.text

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each citation; pandas must be installed."""
        return to_frame(self.citations)

    def to_dict(self) -> LibraryAnswerJson:
        cited = [citation.to_dict() for citation in self.citations]
        return {"found": self.found, "answer": self.text, "supported": self.supported, "citations": cited}


def answer_from(
    model: ChatModel,
    question: str,
    pages: Sequence[tuple[str, Page]],
    *,
    look: bool = False,
    max_pixels: int | None = None,
    max_characters: int = 16_000,
    sampling: Sampling | None = None,
) -> LibraryAnswer:
    """Answer a question from pages, the best first.

    Args:
        pages: files and their pages.
        look: also show the model the pages themselves, drawn again from their files.
        max_characters: of passages in all; pages beyond are left out.
    """
    passages = number_passages(pages, max_characters)
    if not passages:
        return LibraryAnswer(False, NOT_FOUND)
    parts: list[Part | str] = [*(_pictures(pages, max_pixels) if look else []), library_prompt(question, passages)]
    how = model_sampling(model, sampling, _MAX_NEW_TOKENS)
    reply = model.chat([user(*parts)], schema=answer_schema(list(passages)), sampling=how)
    return _read(reply, passages)


def number_passages(pages: Sequence[tuple[str, Page]], max_characters: int) -> dict[str, Citation]:
    """The elements that have words, named `1.1`, `1.2` ... by page and place, while they fit."""
    passages: dict[str, Citation] = {}
    left = max_characters
    for rank, (file, page) in enumerate(pages, 1):
        for i, element in enumerate(page.elements):
            text = element.text.strip()[: max(left, 0)]
            if text:
                passages[f"{rank}.{i + 1}"] = Citation(file, page.number, element.box, page.size, text, i)
                left -= len(text)
    return passages


def library_prompt(question: str, passages: dict[str, Citation]) -> str:
    """The passages, page by page, and then the question."""
    lines: list[str] = []
    last = ""
    for name, passage in passages.items():
        page = f"{Path(passage.file).name}, page {passage.page + 1}"
        if page != last:
            lines.append(f"\n{page}:")
            last = page
        lines.append(f"[{name}] {passage.text}")
    listed = "\n".join(lines).strip()
    return (
        "Answer the question from these passages only, and cite the numbers of those that hold the answer. "
        f'If none does, answer {{"found": false}}.\n\n{listed}\n\nQuestion: {question.strip()}'
    )


def answer_schema(names: Sequence[str]) -> dict[str, Any]:
    """Not found, or passages out of `names` and then the answer."""
    cited = {"type": "array", "items": {"enum": list(names)}, "minItems": 1, "maxItems": _MAX_CITATIONS}
    found = {"found": {"const": True}, "citations": cited, "answer": {"type": "string", "minLength": 1}}
    absent = {"found": {"const": False}}
    branches = [
        {"type": "object", "properties": part, "required": list(part), "additionalProperties": False}
        for part in (found, absent)
    ]
    return {"anyOf": branches}


def _read(reply: Reply, passages: dict[str, Citation]) -> LibraryAnswer:
    """An answer without a citation that is really there counts as none."""
    value = find_value(worth_keeping(reply)[0])
    if not isinstance(value, dict) or value.get("found") is not True:
        return LibraryAnswer(False, NOT_FOUND, reply=reply)
    names = value.get("citations")
    cited = [
        passages[name] for name in dict.fromkeys(map(str, names if isinstance(names, list) else ())) if name in passages
    ]
    text = str(value.get("answer") or "").strip()
    if not cited or not text:
        return LibraryAnswer(False, NOT_FOUND, reply=reply)
    numbers = {number.strip(".,:/-") for number in _NUMBER.findall(fold(text))}
    shown = fold(" ".join(citation.text for citation in cited))
    supported = all(number in shown for number in numbers) if numbers else None
    return LibraryAnswer(True, text, tuple(cited), supported, reply)


def _pictures(pages: Sequence[tuple[str, Page]], max_pixels: int | None) -> list[ImagePart]:
    parts: list[ImagePart] = []
    for file, page in pages:
        with open_pages(file) as opened:
            parts.append(ImagePart(image=opened.picture(page.number), max_pixels=max_pixels))
    return parts
