"""What a document becomes: Markdown, data, tables, web pages."""

import json
import re

import pandas
import pytest
from PIL import Image as PillowImage

from tests.outputs.document.test_golden import HALF, WELL_FORMED, read
from viewfinder.media.transform import Transform
from viewfinder.outputs.document import (
    Cell,
    Document,
    Formula,
    Heading,
    Image,
    ListBlock,
    ListItem,
    Page,
    Paragraph,
    Row,
    Table,
    escape,
)


def document(name: str) -> Document:
    return Document.from_html(read(name)[0], HALF)


def test_markdown_of_an_article() -> None:
    text = document("checkpoint_article").to_markdown()
    assert text.startswith(
        "# Slow Heating of Copper Vessels\n\nA. Weaver<sup>1</sup>, B. Potter<sup>2</sup>\n\n*Institute"
    )
    assert "\n\n1. Fill the vessel.\n2. Heat it:\n   - slowly\n   - evenly\n3. Wait.\n\n" in text
    assert "\n\n$$\nQ = m c \\Delta T\n$$\n\n![image](page-1-figure-8.png)\n\n**Figure 1.** The vessel" in text


def test_markdown_of_tables() -> None:
    text = document("checkpoint_tables").to_markdown()
    assert text.startswith("<table>\n<thead>")  # spans have no form in Markdown
    assert "| Quarter | Units |\n| --- | --- |\n| Q1 | 1,200 |\n| Q2 | 950 |\n" in text
    assert text.endswith("Legend\n\n| a |\n| --- |\n")


def test_markdown_cannot_be_broken_out_of() -> None:
    page = "<p>1. no list</p><p># no heading</p><table><tr><td>a | b</td></tr></table><p>&lt;script></p>"
    assert Document.from_html(page).to_markdown() == (
        "1\\. no list\n\n\\# no heading\n\n| a \\| b |\n| --- |\n\n&lt;script>\n"
    )
    formula = '<div class="formula"><div>a<b &lt;script></div></div>'
    assert "<script" not in Document.from_html(formula).to_markdown()
    music = '<div class="music sheet"><div>```\nescape</div></div>'
    assert Document.from_html(music).to_markdown().splitlines()[2:] == ["````abc", "```", "escape", "````"]


def test_the_grid_repeats_a_cell_over_all_its_places() -> None:
    rows = (Row((Cell("a", rowspan=2), Cell("b"))), Row((Cell("c"),)), Row((Cell("d", colspan=2),)))
    table = Table(None, rows)
    assert table.grid() == [["a", "b"], ["a", "c"], ["d", "d"]]
    assert (table.num_columns, table.num_header_rows) == (2, 0)
    assert Table(None).grid() == []


def test_pandas() -> None:
    first, last = document("checkpoint_tables").tables
    frame = first.to_pandas()
    assert list(frame.columns) == ["Item", "Price net", "Price gross"]
    assert frame["Item"].tolist() == ["Tea", "Milk | oat"]
    assert last.to_pandas().to_numpy().tolist() == [["a"]]
    units = document("checkpoint_tables").charts[0].to_pandas()
    assert units["Units"].tolist() == [1200, 950]
    rows = tuple(Row((Cell(text),)) for text in ["12 %", "(3)", "$1,000.5", ""])
    numbers = Table(None, rows).to_pandas()[0].tolist()
    assert numbers[:3] == [12, -3, 1000.5]
    assert pandas.isna(numbers[3])


def test_text_and_boxes() -> None:
    page = document("report_all_kinds").pages[0]
    assert page.text.startswith(
        "The boiler was inspected in March & found safe.\n\nMonth\tPressure\nMarch\t2.4 bar\n\n"
    )
    assert [box.label for box in page.boxes()][:3] == ["paragraph", "table", "chart"]
    assert page.boxes()[0].xyxy == (20, 15, 230, 31)
    assert page.size == (500, 600)


@pytest.mark.parametrize("name", WELL_FORMED)
def test_dictionaries_come_back(name: str) -> None:
    whole = document(name)
    again = Document.from_dict(json.loads(json.dumps(whole.to_dict())))
    assert again == whole
    assert again.to_html() == whole.to_html()


def test_figures_are_cropped_at_any_scale() -> None:
    scan = PillowImage.new("RGB", (1500, 1800), "white")  # three times the original page
    figures = document("checkpoint_article").figures([scan])
    assert {name: crop.size for name, crop in figures.items()} == {
        "page-1-figure-7.png": (480, 135),
        "page-1-figure-8.png": (585, 405),
    }


def test_what_has_no_area_has_no_figure() -> None:
    flat = '<div class="image" data-bbox="1 2 9 2"><img data-bbox="1 2 9 2"/></div>'
    narrow = '<div class="image" data-bbox="1 2 1 9"><img data-bbox="1 2 1 9"/></div>'
    page = Document.from_html(flat + narrow, Transform.identity((10, 10)))
    assert page.figures([PillowImage.new("RGB", (10, 10))]) == {}


def test_an_image_without_a_box_of_its_own() -> None:
    page = '<div class="image" data-bbox="1 2 9 9"><img/></div>'
    document = Document.from_html(page, Transform.identity((10, 10)))
    assert document.repairs == []
    assert document.figures([PillowImage.new("RGB", (20, 20))])["page-1-figure-0.png"].size == (16, 14)


def test_a_heading_is_one_line_of_markdown() -> None:
    assert Document.from_html("<h3>two<br>lines\nhere</h3>").to_markdown() == "### two lines here\n"


def test_web_pages_stand_alone() -> None:
    scan = PillowImage.new("RGB", (500, 600), "white")
    whole = document("checkpoint_article")
    clean, viewer = whole.to_clean_html([scan]), whole.to_viewer([scan])
    assert clean.count("data:image/jpeg;base64,") == 1  # the formula is given in words
    assert "data-bbox" not in clean
    assert viewer.count("data:image/jpeg;base64,") == 1
    assert 'style="border-color:rgb(230,25,75);left:13.00%;top:5.00%;width:77.00%;height:4.17%"' in viewer
    for text in (clean, viewer):
        assert not re.search(r'(?:src|href)="(?!data:)', text)
        assert "default-src 'none'" in text
    assert viewer.count('data-i="0-3"') == 2
    assert "<script>" not in clean


def test_a_document_made_in_code() -> None:
    """As the data engine makes them: typed elements first, canonical text from them."""
    made = Page(
        (
            Heading((10, 10, 90, 20), "Title", 2),
            Paragraph((10, 25, 90, 40), escape("a<b & c")),
            ListBlock((10, 45, 90, 60), (ListItem("one"), ListItem("two", (10, 52, 90, 60))), ordered=True),
            Table((10, 65, 90, 80), (Row((Cell("x", header=True),), "head"), Row((Cell("1"),), "body")), name="table0"),
            Formula((10, 85, 50, 95), content=escape(r"x < y")),
            Image((55, 85, 90, 95), image_box=(55, 85, 90, 93), role="caption", paragraphs=("A dot.",)),
        ),
        Transform((100, 100), (200, 200)),
    )
    html = Document((made,)).to_html(fenced=True)
    assert html == (
        "```html\n<html><body>\n"
        '<h2 data-bbox="20 20 180 40">Title</h2>\n'
        '<p data-bbox="20 50 180 80">a&lt;b & c</p>\n'
        '<ol data-bbox="20 90 180 120"><li>one</li><li data-bbox="20 104 180 120">two</li></ol>\n'
        '<table data-bbox="20 130 180 160" class="table0"><thead><tr><th>x</th></tr></thead>'
        "<tbody><tr><td>1</td></tr></tbody></table>\n"
        '<div class="formula" data-bbox="20 170 100 190"><img/><div>x &lt; y</div></div>\n'
        '<div class="image caption" data-bbox="110 170 180 190"><img data-bbox="110 170 180 186"/><p>A dot.</p></div>\n'
        "</body></html>\n```"
    )
    assert Document.from_html(html, made.transform).pages[0].elements == made.elements


def test_validate() -> None:
    page = (
        '<p data-bbox="1 2 1 9">x</p><p data-bbox="1 2 3 4">costs $5</p><p>y</p><table data-bbox="1 2 3 4"></table>'
        '<table data-bbox="1 2 3 4"><tr><td>a<td>b<tr><td>c</table>'
        '<div class="image" data-bbox="1 2 3 4"><img data-bbox="0 2 3 4"></div>'
    )
    assert Document.from_html(page).validate() == [
        "page 1: a box of no area in element 0 (paragraph)",
        "page 1: a formula that is not closed in element 1 (paragraph)",
        "page 1: no box in element 2 (paragraph)",
        "page 1: a table without rows in element 3 (table)",
        "page 1: a ragged table (1 places without a cell) in element 4 (table)",
        "page 1: an image box outside its element in element 5 (image)",
    ]
