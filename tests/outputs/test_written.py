"""What results write as JSON is what their types and schemas say; results are short to look at."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from viewfinder.chat.documents.extract import Extraction
from viewfinder.chat.documents.fields import Field
from viewfinder.chat.library.ask import Citation, LibraryAnswer
from viewfinder.messages import Reply
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.counts import Count
from viewfinder.outputs.document import Document
from viewfinder.outputs.points import Point
from viewfinder.outputs.spans import Span
from viewfinder.outputs.written import json_schema_of

PAGE = (
    '<html><body>\n<h1 data-bbox="1 2 30 40">A</h1>\n<p data-bbox="1 50 30 60">B</p>\n'
    '<ol start="3"><li>C</li></ol>\n<table><tr><th>D</th></tr><tr><td>1</td></tr></table>\n'
    '<div class="formula">$x^2$</div>\n</body></html>'
)
BOX = Box(1, 2.345, 30, 40, "cup", confidence=0.8756, clamped=True, text="T", extra={"k": 1}, verified=True)
FIELDS = (Field("4.50", "total", page=0, box=(1, 2, 3, 4), confidence=0.5, verified=False), Field(None, "date"))
RESULTS: list[Any] = [
    *(BOX, Box(1, 2, 3, 4), Point(1, 2), Point(1, 2, "x", 0.5, True, {"k": 1})),
    *(Span(0.5, 2.0), Span(0.5, 2.0, "jump", 0.9, (0.5, 1.0), True)),
    *(Count(3), Count(2, 2, 2, (Point(1, 2), Point(3, 4)), 0.9)),
    Document.from_html(PAGE),
    Extraction({"total": "4.50"}, {"total": "4.50"}, FIELDS, Reply(text="", finish_reason="stop")),
    LibraryAnswer(True, "It is 4.50.", (Citation("a.pdf", 1, None, (100.0, 200.0), "4.50", 3),), True),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_json_is_as_the_type_says(result: Any) -> None:
    adapter = TypeAdapter(type(result).to_dict.__annotations__["return"])
    adapter.validate_python(result.to_dict(), strict=True)
    with pytest.raises(ValidationError):
        adapter.validate_python({**result.to_dict(), "another": 1})


def test_the_schema_names_what_must_be_there() -> None:
    schema = json_schema_of(Box)
    assert schema["required"] == ["box", "label"]
    assert schema["additionalProperties"] is False
    assert "page" in json_schema_of(Document)["$defs"]["PageJson"]["properties"]


def test_pages_count_from_one_and_older_files_are_read() -> None:
    document = Document.from_html("\n".join([PAGE, PAGE]))
    told = document.to_dict()
    assert [page["page"] for page in told["pages"]] == [1, 2]
    assert Document.from_dict(told).to_dict() == told
    older = {
        "pages": [
            {**{k: v for k, v in page.items() if k != "page"}, "number": i} for i, page in enumerate(told["pages"])
        ]
    }
    assert Document.from_dict(older).to_dict() == told
    assert RESULTS[-1].to_dict()["citations"][0]["page"] == 2
    assert RESULTS[-2].to_dict()["fields"][0]["page"] == 1


def test_results_are_short_to_look_at() -> None:
    assert repr(BOX) == (
        "Box(1, 2.35, 30, 40, label='cup', confidence=0.88, clamped=True, text='T', extra={'k': 1}, verified=True)"
    )
    assert repr(Span(0.5, 2.0)) == "Span(0.5, 2)"
    assert repr(Count(2, points=(Point(1, 2),))) == "Count(2, points=(Point(1, 2),))"
    assert repr(Document.from_html(PAGE)) == "Document(1 pages, 5 elements)"
    assert "Reply" not in repr(RESULTS[-2])


@pytest.mark.parametrize("result", [RESULTS[7], *RESULTS[-3:]], ids=lambda result: type(result).__name__)
def test_results_are_tables(result: Any) -> None:
    pytest.importorskip("pandas")
    rows = {"Count": 2, "Document": 5, "Extraction": 2, "LibraryAnswer": 1}[type(result).__name__]
    assert len(result.to_pandas()) == rows
