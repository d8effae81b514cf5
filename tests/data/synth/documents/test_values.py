import json
from typing import Any

import numpy as np
import pytest

from tests.data.synth.pixels import background, measured, off_by
from viewfinder.chat.documents.fields import example_of, unwrap, with_places
from viewfinder.data.places import FORMS
from viewfinder.data.synth.documents.forms import draw_form
from viewfinder.data.synth.documents.invoices import draw_invoice
from viewfinder.data.synth.documents.receipts import draw_receipt
from viewfinder.data.synth.documents.values import Leaf, example, extraction, leaves, placed, plain
from viewfinder.data.synth.kinds import Options
from viewfinder.media.transform import Transform

EASY = Options(max_side=280, difficulty=0.1)
HARD = Options(min_side=300, max_side=700, difficulty=1.0)
TREE: dict[str, Any] = {
    "total": Leaf("$4.20", (40, 31, 96, 39)),
    "paid": Leaf(True, (4, 3, 9, 9)),
    "count": Leaf(3, (1, 2, 3, 4)),
    "items": [{"name": Leaf("Tea", (5, 6, 7, 8))}, {"name": Leaf("Milk", (5, 16, 7, 18))}],
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "total": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "paid": {"type": "boolean"},
        "count": {"type": "integer"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
}


def test_questions_and_answers_are_those_of_users_extraction() -> None:
    assert example(TREE, places=True) == example_of(with_places(SCHEMA, [(100, 100)]))
    assert example(TREE, places=False) == example_of(SCHEMA)
    value, fields = unwrap(placed(TREE), [Transform.identity((100, 100))])
    assert value == plain(TREE)
    assert [(f.path, f.value, f.box) for f in fields] == [(path, leaf.value, leaf.box) for path, leaf in leaves(TREE)]


def test_boxes_of_values_follow_the_picture() -> None:
    exchange = extraction(TREE, places=True)
    start = Transform.identity((100, 50))
    answer = json.loads(FORMS[exchange.form](exchange.answer, start, start.then_resize((200, 200))))
    assert answer["total"] == {"value": "$4.20", "bbox_2d": [80, 124, 192, 156]}
    assert "[0, 0, 0, 0]" in exchange.question


@pytest.mark.parametrize("draw", [draw_receipt, draw_form, draw_invoice])
@pytest.mark.parametrize("options", [EASY, HARD])
def test_boxes_of_values_are_those_of_their_ink(draw: Any, options: Options) -> None:
    compared = 0
    for seed in range(8):
        document = draw(np.random.default_rng(seed), options)
        ground = background(document.image)
        for path, leaf in leaves(document.values):
            if isinstance(leaf.value, bool):
                continue
            found = measured(document.image, leaf.box, ground, reach=0)
            assert found is not None, path
            assert off_by(found, leaf.box) <= 1, (seed, path)
            wider = measured(document.image, leaf.box, ground, reach=1)
            assert wider is not None
            # a rule may run a pixel below, never beside: letters do not go on past the box
            assert abs(wider[0] - leaf.box[0]) <= 1, (seed, path)
            compared += 1
    assert compared > 15


@pytest.mark.parametrize("options", [EASY, HARD])
def test_receipts_add_up(options: Options) -> None:
    for seed in range(12):
        values = draw_receipt(np.random.default_rng(seed), options).values
        if "items" not in values or "subtotal" in values or "tax" in values or "total" not in values:
            continue
        prices = [cents(item["price"].value) for item in values["items"]]
        assert sum(prices) == cents(values["total"].value)


def cents(text: str) -> int:
    return int("".join(c for c in text if c.isdigit()))


@pytest.mark.parametrize("options", [EASY, HARD])
def test_invoices_add_up(options: Options) -> None:
    compared = 0
    for seed in range(20):
        values = draw_invoice(np.random.default_rng(seed), options).values
        total = 0
        for row in values["items"]:
            if "quantity" in row:
                assert row["quantity"].value * cents(row["unit_price"].value) == cents(row["amount"].value)
            total += cents(row["amount"].value)
        if "subtotal" in values:
            assert cents(values["subtotal"].value) == total
            total += cents(values["tax"].value) - (cents(values["discount"].value) if "discount" in values else 0)
        if "total" in values:
            assert cents(values["total"].value) == total
            compared += 1
    assert compared > 12
