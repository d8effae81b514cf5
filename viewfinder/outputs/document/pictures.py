"""The `<div>`s of QwenVL HTML -> `Image`, `Chart`, `Formula`, `MusicSheet`, `ChemicalFormula`.

Each holds an `<img>` that says where the picture is, and then what it shows, in a tag of its own or loose.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from viewfinder.outputs.document.elements import (
    Chart,
    ChemicalFormula,
    Corners,
    Formula,
    Image,
    MusicSheet,
    Picture,
    Written,
)
from viewfinder.outputs.document.html_inline import inline_content
from viewfinder.outputs.document.html_tree import Node
from viewfinder.outputs.document.tables import read_table

ReadBox = Callable[[Node, bool], Corners | None]

_ROLE = re.compile(r"[\w.\- ]{1,60}")
_IMAGE_ROLES: dict[str, Literal["", "caption", "ocr"]] = {"image": "", "image caption": "caption", "image ocr": "ocr"}
_NO_TAGS = frozenset[str]()


def role_of(node: Node) -> str:
    """The class of a node where it is a plain name, else ""."""
    name = node.attributes.get("class", "").strip()
    return name if _ROLE.fullmatch(name) else ""


def read_picture(node: Node, box: ReadBox, repairs: list[str]) -> Picture | None:
    """The picture of a `<div>`; None where its class names none.

    Args:
        box: reads the box of a node; its second argument says whether one is expected.
        repairs: what had to be changed is appended.
    """
    name = re.sub(r"[\s_]+", " ", node.attributes.get("class", "")).strip().lower()
    base, _, variant = name.replace(".", " ", 1).partition(" ")
    image, body, gaps = _split(node)
    around: dict[str, Any] = {"gaps": gaps, **_image_fields(image, box)}
    if name in _IMAGE_ROLES:
        picture = Image(box(node, True), role=_IMAGE_ROLES[name], paragraphs=_paragraphs(body), **around)
    elif name == "chart":
        picture = _chart(node, body, around, box, repairs)
    elif name == "music sheet":
        picture = _written(MusicSheet(box(node, True), **around), node, body)
    elif name == "chemical formula":
        picture = _written(ChemicalFormula(box(node, True), **around), node, body)
    elif base == "formula":
        picture = _written(Formula(box(node, True), variant=variant.replace(" ", "_"), **around), node, body)
    else:
        return None
    return picture


def _split(node: Node) -> tuple[Node | None, list[Node | str], tuple[str, str, str]]:
    """The image, what else there is, and the white space before, between and after."""
    image = next((child for child in node.nodes if child.tag == "img"), None)
    body: list[Node | str] = []
    gaps, place = ["", "", ""], 0
    for child in node.children:
        if isinstance(child, str) and not child.strip():
            gaps[place] = child
        elif child is image:
            place = 1
        else:
            body.append(child)
            place = 2
    return image, body, (gaps[0], gaps[1], gaps[2])


def _image_fields(image: Node | None, box: ReadBox) -> dict[str, Any]:
    if image is None:
        return {"has_image": False}
    end = re.search(r"\s?/?>\Z", image.source)
    return {"has_image": True, "image_box": box(image, False), "image_end": end.group() if end else "/>"}


def _paragraphs(body: list[Node | str]) -> tuple[str, ...]:
    paragraphs = [child for child in body if isinstance(child, Node) and child.tag == "p"]
    loose = inline_content([child for child in body if isinstance(child, str) or child.tag != "p"]).strip()
    return (*(inline_content(paragraph.children) for paragraph in paragraphs), *([loose] if loose else []))


def _chart(node: Node, body: list[Node | str], around: dict[str, Any], box: ReadBox, repairs: list[str]) -> Chart:
    found = next((child for child in body if isinstance(child, Node) and child.tag == "table"), None)
    own = box(node, True)
    if found is None:
        return Chart(own, paragraphs=_paragraphs(body), **around)
    table = replace(read_table(found, repairs), box=box(found, False), name=role_of(found), lead="")
    return Chart(own, table=table, paragraphs=_paragraphs([child for child in body if child is not found]), **around)


def _written(kind: Written, node: Node, body: list[Node | str]) -> Written:
    """Everything in the body is the content: of its `<div>`, or loose."""
    holder = next((child for child in body if isinstance(child, Node) and child.tag in ("div", "p")), None)
    parts: list[Node | str] = []
    for child in body:
        parts += child.children if isinstance(child, Node) and child is holder else [child]
    content = inline_content(parts, _NO_TAGS)
    notation = node.attributes.get("format", kind.notation)
    return replace(
        kind,
        content=content,
        notation=notation if _ROLE.fullmatch(notation) else kind.notation,
        has_body=holder is not None or bool(content.strip()),
    )
