"""Fuzzed JSON schemas under random logits: what is written always obeys, by an independent validator."""

import json
import random
from typing import Any

import jsonschema
import pytest
import torch

from viewfinder.engine.grammar import GrammarCompiler
from viewfinder.engine.schema import MAX_INTEGER, bounded
from viewfinder.errors import GrammarError

EOS = 256


@pytest.fixture(scope="module")
def compiler() -> GrammarCompiler:
    return GrammarCompiler([*(bytes([i]) for i in range(256)), b"<|im_end|>"], [EOS])


def random_schema(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    kinds = ["string", "integer", "number", "boolean", "null", "enum", "const", "short", "pattern", "range"]
    kinds += ["array", "object", "anyOf", "tuple", "nullable"] * 2 if depth < 3 else []
    kind = rng.choice(kinds) if depth else "object"
    match kind:
        case "enum":
            return {"enum": rng.sample(["red", "blue", 'a "b"', "红", 1, 2.5, None, True], rng.randint(1, 4))}
        case "const":
            return {"const": rng.choice(["x", 7, False, [1, "a"], {"k": 1}])}
        case "short":
            return {"type": "string", "minLength": rng.randint(0, 3), "maxLength": rng.randint(3, 9)}
        case "pattern":
            return {
                "type": "string",
                "pattern": rng.choice(["^[A-Z]{2}\\d{3}$", "^\\d{4}-\\d{2}-\\d{2}$", "^(yes|no)$"]),
            }
        case "range":
            low = rng.randint(-500, 500)
            kind = rng.choice(["integer", "number"])
            return {"type": kind, "minimum": low, "maximum": low + rng.randint(0, 900)}
        case "array":
            low = rng.randint(0, 2)
            items = random_schema(rng, depth + 1)
            return {"type": "array", "items": items, "minItems": low, "maxItems": low + rng.randint(0, 3)}
        case "tuple":
            parts = [random_schema(rng, depth + 1) for _ in range(rng.randint(1, 3))]
            return {"type": "array", "prefixItems": parts, "items": False, "minItems": len(parts)}
        case "anyOf":
            return {"anyOf": [random_schema(rng, depth + 1) for _ in range(rng.randint(1, 3))]}
        case "nullable":
            return {"anyOf": [random_schema(rng, depth + 1), {"type": "null"}]}
        case "object":
            names = rng.sample(["total", "date", "sub total", "items", 'q"', "größe", "n"], rng.randint(1, 5))
            properties = {name: random_schema(rng, depth + 1) for name in names}
            required = [name for name in names if rng.random() < 0.6]
            return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        case _:
            return {"type": kind}


def write(compiler: GrammarCompiler, schema: dict[str, Any], seed: int) -> str:
    grammar = compiler.json_schema(schema)
    generator = torch.Generator().manual_seed(seed)
    bias = torch.zeros(257)
    bias[list(b'"}],')] = 4.0
    bias[EOS] = 4.0
    ids: list[int] = []
    while not grammar.is_finished:
        ids.append(int(grammar.mask(torch.randn(257, generator=generator) + bias).argmax()))
        grammar.accept(ids[-1])
        assert len(ids) < 50_000
    return bytes(i for i in ids if i != EOS).decode()


@pytest.mark.parametrize("block", range(10))
def test_random_answers_obey_random_schemas(compiler: GrammarCompiler, block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        schema = random_schema(random.Random(seed))
        text = write(compiler, schema, seed)
        value = json.loads(text)
        jsonschema.validate(value, schema)
        assert text == json.dumps(value, ensure_ascii=False) or "\\" in text or "." in text or "e" in text.lower()


def test_answers_are_spaced_as_json_dumps_does(compiler: GrammarCompiler) -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}, "b": {"const": [2, 3]}}, "required": ["a", "b"]}
    schema["additionalProperties"] = False
    assert write(compiler, schema, 0) == '{"a": 1, "b": [2, 3]}'
    grammar = compiler.json_schema(schema)
    grammar.accept(ord("{"))
    assert grammar.allowed().nonzero()[0].tolist() == [ord('"')]


def test_definitions_and_unbounded_parts_come_to_an_end(compiler: GrammarCompiler) -> None:
    line = {"type": "object", "properties": {"text": {"type": "string"}, "n": {"type": "integer"}}}
    schema = {
        "$defs": {"line": line},
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/line"}}},
    }
    schema["required"] = ["a"]
    for seed in range(5):
        jsonschema.validate(json.loads(write(compiler, schema, seed)), schema)


def test_bounded_narrows_and_never_widens() -> None:
    assert bounded({"type": "integer"}) == {"type": "integer", "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER}
    assert bounded({"type": "integer", "minimum": 3}) == {"type": "integer", "minimum": 3, "maximum": MAX_INTEGER + 3}
    upper = {"type": "integer", "exclusiveMaximum": 3}
    assert bounded(upper) == {**upper, "minimum": -MAX_INTEGER}
    far = -5 * MAX_INTEGER
    assert bounded({"type": "integer", "maximum": far}) == {
        "type": "integer",
        "maximum": far,
        "minimum": far - MAX_INTEGER,
    }
    assert bounded({"type": "integer", "minimum": -far})["maximum"] == MAX_INTEGER - far
    for untouched in (
        {"type": "string"},
        {"type": "string", "pattern": "a+"},
        {"enum": [1]},
        {"const": 2},
    ):
        assert bounded(untouched) == untouched
    nested = {"type": "object", "properties": {"properties": {"type": "array", "items": {"type": "integer"}}}}
    assert bounded(nested)["properties"]["properties"]["maxItems"] == 1024
    assert bounded(nested)["properties"]["properties"]["items"]["minimum"] == -MAX_INTEGER


@pytest.mark.parametrize(
    "schema", [{"type": "string", "uniqueItems": 3, "type ": 1, "format": "no-such"}, {"$ref": "#/no"}]
)
def test_what_cannot_be_enforced_is_refused(compiler: GrammarCompiler, schema: dict[str, Any]) -> None:
    with pytest.raises(GrammarError, match="the JSON schema cannot be compiled"):
        compiler.json_schema(schema)
