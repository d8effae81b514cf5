import datetime
import json
from typing import Any

import jsonschema
import pytest
import torch
from pydantic import AwareDatetime, BaseModel, NaiveDatetime, TypeAdapter

from viewfinder.chat.documents.model_schema import schema_of_model
from viewfinder.engine.grammar import GrammarCompiler

EOS = 256
COMPILER = GrammarCompiler([*(bytes([i]) for i in range(256)), b"<|im_end|>"], [EOS])


class Visit(BaseModel):
    on: datetime.date
    at: datetime.time
    when: datetime.datetime
    aware: AwareDatetime
    naive: NaiveDatetime


WRITTEN = {
    "on": (
        ["2024-02-29", "2000-02-29", "1999-12-31"],
        ["2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "24-01-01"],
    ),
    "at": (["17:07", "17:07:30", "17:07:30.5", "17:07Z", "17:07+01:00"], ["24:00", "17:60", "7:05", "17", "17:07+1"]),
    "when": (["2024-02-29T17:07", "2024-02-29 17:07:30", "2024-02-29T17:07:30Z"], ["2024-02-29", "2023-02-29 17:07"]),
    "aware": (["2024-02-29T17:07Z", "2024-02-29 17:07:30-03:30"], ["2024-02-29T17:07"]),
    "naive": (["2024-02-29T17:07", "2024-02-29 17:07:30"], ["2024-02-29T17:07Z"]),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_times_may_be_answered_as_they_are_written_and_the_model_reads_them(name: str) -> None:
    field = schema_of_model(Visit)["properties"][name]
    kind = TypeAdapter(Visit.__annotations__[name])
    right, wrong = WRITTEN[name]
    for text in right:
        assert accepted(field, text), text
        jsonschema.validate(text, field)
        kind.validate_json(json.dumps(text))
    for text in wrong:
        assert not accepted(field, text), text


def test_whatever_a_decoder_held_to_it_writes_the_model_reads() -> None:
    schema = {**schema_of_model(Visit), "additionalProperties": False}
    for seed in range(30):
        Visit.model_validate(random_answer(schema, seed))


def test_of_a_set_a_list_is_asked() -> None:
    class Tagged(BaseModel):
        tags: set[str]

    assert schema_of_model(Tagged)["properties"] == {
        "tags": {"items": {"type": "string"}, "title": "Tags", "type": "array"}
    }


def accepted(schema: dict[str, Any], text: str) -> bool:
    """Whether a decoder lets a model write the text."""
    grammar = COMPILER.json_schema(schema)
    for byte in json.dumps(text).encode():
        if not grammar.allowed()[byte]:
            return False
        grammar.accept(byte)
    return bool(grammar.is_finished or grammar.allowed()[EOS])


def random_answer(schema: dict[str, Any], seed: int) -> Any:
    grammar = COMPILER.json_schema(schema)
    generator = torch.Generator().manual_seed(seed)
    ids: list[int] = []
    while not grammar.is_finished:
        ids.append(int(grammar.mask(torch.randn(EOS + 1, generator=generator)).argmax()))
        grammar.accept(ids[-1])
    return json.loads(bytes(i for i in ids if i != EOS))
