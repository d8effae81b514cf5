"""Values by schema, from an answer that obeys it: boxes in pixels of the page, the text layer as a witness."""

import json
import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
import torch
from PIL import Image
from pydantic import AfterValidator, BaseModel

from bench.document_files import lines_of, write_pdf
from tests.doubles import small_processor
from tests.engine.test_schema import EOS, random_schema
from viewfinder.chat import Viewfinder
from viewfinder.chat.documents.extract import field_boxes
from viewfinder.chat.documents.fields import example_of, schema_of, unwrap, with_places
from viewfinder.engine.grammar import GrammarCompiler
from viewfinder.errors import GrammarError
from viewfinder.media.transform import Transform
from viewfinder.messages import Message, Reply

PICTURE = Image.new("RGB", (400, 200), "white")  # seen as 392x196


class Line(BaseModel):
    name: str
    price: float


class Price(BaseModel):
    amount: Decimal


class Receipt(BaseModel):
    shop: str | None
    paid: Literal["cash", "card"]
    lines: list[Line]


class Answering:
    """Answers with the JSON given, which must obey the schema it was asked with."""

    def __init__(self, answer: Any, **cut: Any) -> None:
        self.processor = small_processor()
        self.answer, self.cut = answer, cut
        self.prompt = ""

    def chat(self, messages: Sequence[Message], *, schema: dict[str, Any], **_: Any) -> Reply:
        text = self.answer if isinstance(self.answer, str) else json.dumps(self.answer)
        if not self.cut:
            jsonschema.validate(json.loads(text), schema)
        self.prompt = messages[-1].parts[-1].text
        pieces = {"token_texts": tuple(text), "logprobs": tuple(-0.5 if c == "9" else 0.0 for c in text)}
        return Reply(text=text, media=self.processor.plan(messages).media, **pieces, **self.cut)


def take(answer: Any, shape: Any, source: Any = PICTURE, **options: Any) -> Any:
    chat = Answering(answer)
    return Viewfinder(chat, chat.processor).extraction(source, shape, **options)


def placed(value: Any, *box: int, **page: int) -> dict[str, Any]:
    return {"value": value, **page, "bbox_2d": list(box) or None}


RECEIPT = {
    "shop": placed("Corner", 98, 49, 196, 98),
    "paid": placed("card"),
    "lines": [{"name": placed("tea", 0, 0, 28, 14), "price": placed(2.5, 49, 0, 98, 14)}],
}


def test_a_pydantic_model_in_an_instance_out_with_places() -> None:
    found = take(RECEIPT, Receipt)
    assert found.value == Receipt(shop="Corner", paid="card", lines=[Line(name="tea", price=2.5)])
    assert [field.path for field in found.fields] == ["shop", "paid", "lines[0].name", "lines[0].price"]
    assert found["shop"].box == pytest.approx((100, 50, 200, 100))  # pixels of the original
    assert found["lines[0].price"].box == pytest.approx((50, 0, 100, 14.2857), abs=1e-3)
    assert found["paid"].box is None
    assert [box.label for box in field_boxes(found, 0)] == ["shop: Corner", "lines[0].name: tea", "lines[0].price: 2.5"]
    assert Viewfinder(Answering(RECEIPT), small_processor()).extract(PICTURE, Receipt) == found.value


def test_names_give_texts_that_may_be_absent() -> None:
    found = take({"iban": placed("DE9", 0, 0, 98, 28), "due": None}, ["iban", "due"])
    assert found.value == {"iban": "DE9", "due": None}
    assert found["due"].box is None
    assert found["iban"].confidence == pytest.approx(0.6065, abs=1e-3)  # exp(-0.5) of the one digit


def test_the_prompt_shows_names_and_descriptions() -> None:
    chat = Answering({"iban": None})
    Viewfinder(chat, chat.processor).extract(PICTURE, {"iban": "the account of the seller"}, places=False)
    assert '"iban"' in chat.prompt
    assert "the account of the seller" in chat.prompt


def test_places_can_be_left_out() -> None:
    found = take({"shop": None, "paid": "cash", "lines": []}, Receipt, places=False)
    assert found.value.paid == "cash"
    assert all(field.box is None for field in found.fields)


@pytest.mark.parametrize("shape", ["iban", [], [1, 2], 7])
def test_what_is_no_shape_is_refused(shape: Any) -> None:
    with pytest.raises(GrammarError, match="give a pydantic model, a JSON schema, or a list of names"):
        take({}, shape)


def test_an_answer_cut_before_its_end_is_no_value() -> None:
    chat = Answering('{"iban": {"value": "DE', finish_reason="length")
    with pytest.raises(GrammarError, match=r"was cut after .* allow more tokens"):
        Viewfinder(chat, chat.processor).extract(PICTURE, ["iban"])


def test_checks_beyond_the_schema_are_named() -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value

    class Pair(BaseModel):
        count: Annotated[int, AfterValidator(even)]

    with pytest.raises(GrammarError, match=r"not its own checks \(count: .*must be even"):
        take({"count": placed(3)}, Pair)


def test_the_text_layer_says_what_stands_there_and_where(report: Path) -> None:
    answer = {
        "title": placed("Sheet 3 of the report", 10, 10, 60, 20, page=2),
        "total": placed(21.5, page=1),
        "owner": placed("Nobody", 10, 10, 60, 20, page=1),
    }
    shape = {"type": "object", "properties": {"title": {"type": "string"}, "total": {"type": "number"}}}
    shape["properties"]["owner"] = {"type": "string"}
    found = take(answer, shape, str(report), pages=[1, 3])
    assert (found["title"].page, found["title"].verified) == (3, True)  # pages count as the document's
    x1, y1, x2, y2 = found["title"].box
    assert 120 < x1 < 130
    assert 305 < x2 < 320
    assert 130 < y1 < y2 < 165  # where its words stand, not where the model said
    assert (found["total"].page, found["total"].verified) == (3, True)  # without a place it is looked up on all pages
    assert found["owner"].verified is False


def test_a_number_of_the_layer_may_be_grouped(tmp_path: Path) -> None:
    write_pdf(tmp_path / "sum.pdf", [lines_of(["Paid in all 1,234.50 and due (17)"])])
    shape = {"type": "object", "properties": {"paid": {"type": "number"}, "due": {"type": "integer"}}}
    found = take({"paid": placed(1234.5, 0, 0, 9, 9), "due": placed(-17)}, shape, str(tmp_path / "sum.pdf"))
    assert [field.verified for field in found.fields] == [True, True]
    assert found["paid"].box[0] > 120


TRANSFORMS = [Transform((400, 200), (392, 196)), Transform((800, 400), (392, 196))]


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize("seed", range(12))
def test_fuzzed_schemas_with_places_are_obeyed_and_come_apart_again(seed: int, pages: int) -> None:
    """What is written under the schema with places, by random logits, obeys the plain schema once taken apart."""
    schema = random_schema(random.Random(1000 + seed))
    wrapped = with_places(schema, [(392, 196)] * pages)
    answer = _random_answer(wrapped, seed)
    jsonschema.validate(answer, wrapped)
    value, fields = unwrap(answer, TRANSFORMS)
    jsonschema.validate(value, schema)
    for field in fields:
        if field.box is not None:
            width, height = TRANSFORMS[field.page].original_size
            assert 0 <= field.box[0] <= field.box[2] <= width
            assert 0 <= field.box[1] <= field.box[3] <= height


def test_a_users_object_with_our_keys_is_left_alone() -> None:
    properties = {
        "value": {"type": "string"},
        "bbox_2d": {"type": "array", "items": {"type": "integer"}, "maxItems": 4},
    }
    schema = {"type": "object", "properties": properties, "required": ["value", "bbox_2d"]}
    corner = [placed(n, 0, 0, 1, 1) for n in (1, 2, 3, 4)]
    value, fields = unwrap({"value": placed("v", 0, 0, 9, 9), "bbox_2d": corner}, TRANSFORMS)
    assert value == {"value": "v", "bbox_2d": [1, 2, 3, 4]}
    assert [field.path for field in fields] == ["value", *(f"bbox_2d[{i}]" for i in range(4))]
    jsonschema.validate({"value": placed("v"), "bbox_2d": corner}, with_places(schema, [(392, 196)]))


def test_objects_have_no_properties_beside_those_listed() -> None:
    with pytest.raises(jsonschema.ValidationError):
        take({**RECEIPT, "mood": placed("good")}, Receipt)


def test_references_are_followed() -> None:
    schema = schema_of(Receipt)
    assert "$defs" in schema
    jsonschema.validate(RECEIPT, with_places(schema, [(392, 196)]))
    assert example_of(schema) == {"shop": "", "paid": "", "lines": [{"name": "", "price": ""}]}


_COMPILER = GrammarCompiler([*(bytes([i]) for i in range(256)), b"<|im_end|>"], [EOS])


def _random_answer(schema: dict[str, Any], seed: int) -> Any:
    grammar = _COMPILER.json_schema(schema)
    generator = torch.Generator().manual_seed(seed)
    bias = torch.zeros(257)
    bias[list(b'"}],')] = 4.0
    bias[EOS] = 4.0
    ids: list[int] = []
    while not grammar.is_finished:
        ids.append(int(grammar.mask(torch.randn(257, generator=generator) + bias).argmax()))
        grammar.accept(ids[-1])
        assert len(ids) < 20_000
    return json.loads(bytes(i for i in ids if i != EOS))


class Bill(BaseModel, strict=True):
    tags: set[str]
    total: Decimal
    lines: list[Price] = []


def test_sets_and_decimals() -> None:
    places = {"bbox_2d": None}
    answer = {
        "tags": [{"value": "tea", **places}, {"value": "milk", **places}, {"value": "tea", **places}],
        "total": {"value": "$1,234.50", **places},
        "lines": [{"amount": {"value": "12 €", **places}}, {"amount": {"value": 0.1, **places}}],
    }
    bill = take(answer, Bill).value
    assert bill == Bill(
        tags={"tea", "milk"},
        total=Decimal("1234.50"),
        lines=[Price(amount=Decimal(12)), Price(amount=Decimal("0.1"))],
    )
    with pytest.raises(GrammarError, match="total"):
        take({**answer, "total": {"value": "12 or 13", **places}}, Bill)


def test_a_set_can_be_enforced() -> None:
    schema = with_places(schema_of(Bill), [(100, 100)])
    GrammarCompiler([bytes([i]) for i in range(256)] + [b""], [256]).json_schema(schema)
