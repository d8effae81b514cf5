"""The official shapes, all kinds of them, and the quirks of real answers, against committed readings."""

import json
from pathlib import Path
from typing import Any

import pytest

from viewfinder.media.transform import Transform
from viewfinder.outputs.document import Document

GOLDEN = Path(__file__).parents[2] / "golden" / "documents"
HALF = Transform(original_size=(500, 600), resized_size=(1000, 1200))
WELL_FORMED = ["report_all_kinds", "checkpoint_article", "checkpoint_tables", "checkpoint_handwriting"]


def read(name: str) -> tuple[str, dict[str, Any]]:
    html = (GOLDEN / f"{name}.html").read_text().removesuffix("\n")
    return html, json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize("name", [*WELL_FORMED, "quirks"])
def test_reading(name: str) -> None:
    html, expected = read(name)
    page = Document.from_html(html, HALF).to_dict()["pages"][0]
    assert page["elements"] == expected["elements"]
    assert page["repairs"] == expected["repairs"]


@pytest.mark.parametrize("name", WELL_FORMED)
@pytest.mark.parametrize("transform", [None, HALF, Transform((3000, 1700), (1000, 1200), crop=(100, 50, 2900, 1600))])
def test_well_formed_text_comes_back_to_the_letter(name: str, transform: Transform | None) -> None:
    html, _ = read(name)
    document = Document.from_html(html, transform)
    assert document.to_html() == html
    assert Document.from_html(document.to_html(fenced=True), transform) == document
    assert document.repairs == []


def test_quirks_are_written_in_the_canonical_form() -> None:
    html, expected = read("quirks")
    repaired = Document.from_html(html, HALF).to_html()
    assert repaired == expected["html"]
    assert Document.from_html(repaired, HALF).to_html() == repaired


def test_every_kind_of_the_format_is_covered() -> None:
    kinds = {element["kind"] for name in WELL_FORMED for element in read(name)[1]["elements"]}
    assert kinds == {
        *("paragraph", "heading", "list", "table", "chart", "formula", "image", "music sheet", "chemical formula"),
        *("author", "break"),
    }


def test_pages() -> None:
    first, _ = read("report_all_kinds")
    second, _ = read("checkpoint_tables")
    document = Document.from_html(first + "\n" + second, [HALF, Transform.identity((1000, 1200))])
    assert [page.number for page in document.pages] == [0, 1]
    assert document.to_html() == first + "\n" + second
    assert [table.box for table in document.tables] == [(20, 40, 230, 90), (28, 40, 476, 210), (28, 440, 476, 480)]
    assert Document.from_dict(json.loads(json.dumps(document.to_dict()))) == document
