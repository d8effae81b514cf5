"""A PDF with a text layer and a reader that answers from it; `bench.document_files` has both."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.document_files import LayerChat, lines_of, write_pdf
from tests.doubles import small_processor
from viewfinder.chat import Viewfinder

TEXTS = [[f"Sheet {n} of the report", f"The total of item {n} is {7 * n}.50 euros."] for n in range(5)]
SEEN = 952 * 1344


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pages of two paragraphs each."""
    path = tmp_path_factory.mktemp("paper") / "report.pdf"
    write_pdf(path, [lines_of(text) for text in TEXTS])
    return path


@pytest.fixture
def reader() -> Callable[[LayerChat], Viewfinder]:
    return lambda chat: Viewfinder(chat, small_processor(max_pixels=SEEN))
