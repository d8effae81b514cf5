"""Values of a document with their places, and asking for them: by JSON, by question, by place.

The JSON forms are those in which users' extraction asks and is answered: plain (`{"total": "$4.20"}`) or with places
(`{"total": {"value": "$4.20", "bbox_2d": [40, 310, 96, 330]}}`); what is not on the page is null.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick, some, weighted
from viewfinder.data.synth.exchange import Exchange, converse, one_or_two
from viewfinder.data.synth.grounds import camera
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.media.transform import Transform
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes


@dataclass(frozen=True)
class Leaf:
    """A value as printed (or the number it means) and the box of its ink."""

    value: str | int | float | bool
    box: PixelRectangle


Tree = Leaf | Mapping[str, Any] | Sequence[Any] | None
"""Leaves in objects and lists; None is what is not there."""


def plain(tree: Tree) -> Any:
    """The JSON value."""
    if isinstance(tree, Leaf):
        return tree.value
    if isinstance(tree, Mapping):
        return {key: plain(part) for key, part in tree.items()}
    return None if tree is None else [plain(part) for part in tree]


def placed(tree: Tree) -> Any:
    """The JSON value with the box of each value."""
    if isinstance(tree, Leaf):
        return {"value": tree.value, "bbox_2d": list(tree.box)}
    if isinstance(tree, Mapping):
        return {key: placed(part) for key, part in tree.items()}
    return None if tree is None else [placed(part) for part in tree]


def example(tree: Tree, places: bool) -> Any:
    """What the question shows: empty texts and zeros, one item a list; unknown is a text."""
    if isinstance(tree, Mapping):
        return {key: example(part, places) for key, part in tree.items()}
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        return [example(tree[0], places)] if tree else []
    empty = 0 if isinstance(tree, Leaf) and type(tree.value) is int else ""
    return {"value": empty, "bbox_2d": [0, 0, 0, 0]} if places else empty


def leaves(tree: Tree, path: str = "") -> list[tuple[str, Leaf]]:
    """All leaves with their paths, as `lines[2].price`."""
    if isinstance(tree, Leaf):
        return [(path, tree)]
    if isinstance(tree, Mapping):
        inside = [leaves(part, f"{path}.{key}" if path else key) for key, part in tree.items()]
    else:
        inside = [leaves(part, f"{path}[{i}]") for i, part in enumerate(tree or ())]
    return [leaf for part in inside for leaf in part]


def extraction(tree: Mapping[str, Any], places: bool) -> Exchange:
    """Take these values, in this order."""
    question = prompts.extract_prompt(json.dumps(example(tree, places), ensure_ascii=False))
    truth = {"data": plain(tree), "boxes": {path: list(leaf.box) for path, leaf in leaves(tree)}}
    if places:
        answer = json.dumps(placed(tree), ensure_ascii=False)
        return Exchange("extract", question, answer, "inline", truth=truth)
    return Exchange("extract", question, json.dumps(plain(tree), ensure_ascii=False), truth=truth)


@dataclass
class ValuePage:
    """A document as drawn.

    Attributes:
        values: all that is there, by key.
        absent: keys that may be asked for and are not there.
        names: how a key is called in speech; its words by default. What is true or false is a box to tick.
        lines: all lines of text from top to bottom; `readable` whether they may be asked for.
    """

    image: Image.Image
    values: dict[str, Any] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    readable: bool = True


def page_sample(rng: np.random.Generator, options: Options, page: ValuePage, most: int) -> Sample:
    """A photograph of a document and one or two questions about it, of `most` keys at once where it is hardest."""

    def ask() -> Exchange:
        if page.readable and chance(rng, 0.08):
            text = "\n".join(page.lines)
            return Exchange("read", prompts.read_prompt(), text, truth={"text": text})
        return ask_values(rng, page, 2 + round((most - 2) * options.difficulty))

    exchanges = one_or_two(rng, ask)
    return converse(exchanges, camera(rng, page.image, options.difficulty), lineage=("typeset",))


def ask_values(rng: np.random.Generator, page: ValuePage, most: int) -> Exchange:
    """One question about the values of a document, `most` of them at once."""
    values, absent, frame = page.values, page.absent, Transform.identity(page.image.size)
    task = weighted(rng, {"extract": 5.0, "ask": 2.0, "locate": 1.2})
    single = {key: tree for key, tree in values.items() if isinstance(tree, Leaf)}
    called = {key: page.names.get(key, key.replace("_", " ")) for key in (*single, *absent)}
    if task == "extract" or not single:
        chosen = some(rng, list(values), number(rng, 1, max(1, most)))
        if absent and chance(rng, 0.2):
            chosen.insert(number(rng, 0, len(chosen)), pick(rng, absent))
        return extraction({key: values.get(key) for key in chosen}, places=chance(rng, 0.65))
    if absent and chance(rng, 0.1):
        key = pick(rng, absent)
        if task == "locate":
            return _located(called[key], [], frame)
        return Exchange("ask", f"What is the {called[key]}?", "There is none.", truth={"answer": None})
    key = pick(rng, list(single))
    if task == "locate":
        return _located(called[key], [single[key]], frame)
    question, value = f"What is the {called[key]}?", single[key].value
    if isinstance(value, bool):
        question, value = f"Is the {called[key]} ticked?", "Yes" if value else "No"
    return Exchange("ask", question, str(value), truth={"answer": str(value)})


def _located(name: str, found: Sequence[Leaf], frame: Transform) -> Exchange:
    boxes = [Box(*map(float, leaf.box), label=name) for leaf in found]
    truth = {"boxes": [list(leaf.box) for leaf in found]}
    return Exchange("locate", prompts.locate_prompt(f"the {name}"), format_boxes(boxes, frame), "boxes", truth=truth)
