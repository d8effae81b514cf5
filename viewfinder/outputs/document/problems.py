"""What is wrong with the elements of a page after reading and repair, in words; nothing is changed."""

import re
from collections.abc import Sequence

from viewfinder.outputs.document.elements import Break, Element, Picture, Table, walk_tables

_DOLLAR = re.compile(r"(?<!\\)\$")


def problems(elements: Sequence[Element]) -> list[str]:
    """One phrase per problem, naming the element by its place (from 0) and kind."""
    found: list[str] = []
    for i, element in enumerate(elements):
        found += [f"{problem} in element {i} ({element.kind})" for problem in _of_element(element)]
    return found


def _of_element(element: Element) -> list[str]:
    found: list[str] = []
    if element.box is None and not isinstance(element, Break):
        found.append("no box")
    elif element.box is not None and (element.box[0] == element.box[2] or element.box[1] == element.box[3]):
        found.append("a box of no area")
    if (
        isinstance(element, Picture)
        and element.box
        and element.image_box
        and not _inside(element.image_box, element.box)
    ):
        found.append("an image box outside its element")
    if not isinstance(element, Picture | Table) and len(_DOLLAR.findall(element.text)) % 2:
        found.append("a formula that is not closed")
    for table in walk_tables((element,)):
        found += _of_table(table)
    return found


def _of_table(table: Table) -> list[str]:
    if not table.rows:
        return ["a table without rows"]
    holes = sum(cell is None for row in table.cell_grid() for cell in row)
    return [f"a ragged table ({holes} places without a cell)"] if holes else []


def _inside(inner: tuple[float, ...], outer: tuple[float, ...]) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]
