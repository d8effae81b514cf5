"""A folder of reports and a reader of their text layers, who also answers questions over passages."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.document_files import LayerChat, lines_of, write_pdf
from tests.doubles import small_processor
from viewfinder.chat import Viewfinder
from viewfinder.chat.library.index import query_words
from viewfinder.messages import ImagePart, Message, Reply

TEXTS = {
    "alpha": [["Annual meeting", "The treasurer Mira Okafor paid 4,310.00 euros for the roof."], ["Nothing else here"]],
    "beta": [["Garden club", "Tulips are planted in October by the volunteers."]],
}


class Clerk(LayerChat):
    """Reads pages by their text layer; over passages, answers with the first that has all words of the question."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.questions: list[str] = []
        self.pictures = 0

    def chat(self, messages: Sequence[Message], *, schema: dict[str, Any] | None = None, **options: Any) -> Reply:
        if schema is None:
            return super().chat(messages, **options)
        self.pictures += sum(isinstance(part, ImagePart) for part in messages[-1].parts)
        prompt = messages[-1].parts[-1].text
        self.questions.append(prompt)
        wanted = set(query_words(prompt.rpartition("Question:")[2]))
        for name, text in re.findall(r"^\[(\S+)] (.*)$", prompt, re.MULTILINE):
            if wanted <= set(re.findall(r"\w+", text.casefold())):
                return Reply(text=json.dumps({"found": True, "citations": [name], "answer": text}))
        return Reply(text='{"found": false}')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    for name, pages in TEXTS.items():
        write_pdf(folder / f"{name}.pdf", [lines_of(page) for page in pages])
    return folder


@pytest.fixture
def clerk() -> Callable[[Path], Viewfinder]:
    """A reader for one file: its text layer is looked up there, by the number that the page shows."""
    return lambda path: Viewfinder(Clerk(path), small_processor(max_pixels=952 * 1344))
