"""A JSON schema in which every value has the place where it was read, and how the plain value is restored.

    {"total": {"type": "number"}}
    {"total": {"value": 12.5, "bbox_2d": [40, 310, 96, 330]}}       an answer, corners in resized pixels
    {"total": 12.5}, {"total": Field(12.5, page=0, box=(...))}      after `unwrap`

A value that is not present stays as the schema allows it: an absent key, or null, which has no place. Parts of a
schema that cannot be changed (`not`, `if`, free-form values) are left as they are; their values have no place.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from viewfinder.chat.documents.model_schema import schema_of_model
from viewfinder.errors import GrammarError
from viewfinder.media.transform import Transform
from viewfinder.outputs.json_schema import OPAQUE
from viewfinder.outputs.place import Corners
from viewfinder.outputs.written import FieldJson, ShortRepr

_LEAF_TYPES = ("string", "integer", "number", "boolean")
_PLACE = "viewfinder_place"


@dataclass(frozen=True, repr=False)
class Field(ShortRepr):
    """One value and where it was read.

    Attributes:
        value: as in the answer.
        path: keys and list places that lead to it, as `lines[2].price`.
        page: from 0; None where no place was given.
        box: in pixels of the original page; None where no place was given.
        confidence: probability of the value's own tokens, 0..1, when it is known.
        verified: whether the text layer of a digital PDF has the value there; None without one.
        source: characters of the reply's text.
    """

    value: Any
    path: str
    page: int | None = None
    box: Corners | None = None
    confidence: float | None = None
    verified: bool | None = None
    source: tuple[int, int] | None = None

    def to_dict(self) -> FieldJson:
        """JSON-ready, `page` from 1; absent values are left out."""
        result: FieldJson = {"path": self.path, "value": self.value}
        if self.box is not None:
            result["page"], result["box"] = None if self.page is None else self.page + 1, list(self.box)
        if self.confidence is not None:
            result["confidence"] = self.confidence
        if self.verified is not None:
            result["verified"] = self.verified
        return result


def schema_of(shape: Any) -> dict[str, Any]:
    """The JSON schema of a pydantic model, a schema, or a list of field names (a mapping adds descriptions).

    Fields given by name are texts, each of which may be null: not present.

    Raises:
        GrammarError: none of the three.
    """
    if hasattr(shape, "model_json_schema"):
        return schema_of_model(shape)
    if isinstance(shape, Mapping) and (not shape or {"type", "properties", "$ref", "anyOf", "enum"} & shape.keys()):
        return dict(shape)
    names = shape if isinstance(shape, Mapping) else dict.fromkeys(shape, "") if isinstance(shape, Sequence) else None
    if isinstance(shape, str) or not names or not all(isinstance(name, str) for name in names):
        raise GrammarError(
            f"{shape!r:.80} says nothing of what to extract; give a pydantic model, a JSON schema, or a list of names"
        )
    text = [{"type": "string"}, {"type": "null"}]
    properties = {name: {"anyOf": text, **({"description": said} if said else {})} for name, said in names.items()}
    return {"type": "object", "properties": properties, "required": list(names), "additionalProperties": False}


def with_places(schema: Mapping[str, Any], sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The schema in which each string, number and boolean has its box beside it.

    Args:
        sizes: (width, height) of each page in resized pixels, which bound the corners.
    """
    width, height = max(size[0] for size in sizes), max(size[1] for size in sizes)
    x, y = ({"type": "integer", "minimum": 0, "maximum": most} for most in (width, height))
    corners = {"type": "array", "prefixItems": [x, y, x, y], "items": False, "minItems": 4, "maxItems": 4}
    place: dict[str, Any] = {"anyOf": [corners, {"type": "null"}]}
    wrapped = _wrap(schema, _Wrapping(len(sizes)))
    return {**wrapped, "$defs": {**wrapped.get("$defs", {}), _PLACE: place}}


@dataclass(frozen=True)
class _Wrapping:
    pages: int

    def leaf(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        said = {key: schema[key] for key in ("title", "description") if key in schema}
        properties: dict[str, Any] = {"value": {k: v for k, v in schema.items() if k not in ("default", *said)}}
        if self.pages > 1:
            properties["page"] = {"enum": list(range(1, self.pages + 1))}
        properties["bbox_2d"] = {"$ref": f"#/$defs/{_PLACE}"}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
            **said,
        }


def _wrap(schema: Any, wrapping: _Wrapping) -> Any:
    if not isinstance(schema, Mapping) or any(key in schema for key in OPAQUE):
        return schema
    result = {key: value for key, value in schema.items() if key != "default"}
    for key in ("$defs", "definitions"):
        if isinstance(schema.get(key), Mapping):
            result[key] = {name: _wrap(part, wrapping) for name, part in schema[key].items()}
    if "enum" in schema or "const" in schema:
        return _wrap_choices(result, wrapping)
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            result[key] = [_wrap(part, wrapping) for part in schema[key]]
    kind = schema.get("type")
    if isinstance(kind, list):
        shared = {key: value for key, value in result.items() if key not in ("type", "title", "description")}
        return {"anyOf": [_wrap({**shared, "type": one}, wrapping) for one in kind]}
    if kind in _LEAF_TYPES:
        return wrapping.leaf(result)
    return _wrap_inside(result, wrapping)


def _wrap_choices(schema: dict[str, Any], wrapping: _Wrapping) -> dict[str, Any]:
    """Choices that are strings, numbers or booleans have a place; null, objects and arrays have none."""
    choices = schema["enum"] if "enum" in schema else [schema["const"]]
    placed = [choice for choice in choices if choice is not None and not isinstance(choice, list | dict)]
    bare = [choice for choice in choices if choice is None or isinstance(choice, list | dict)]
    branches = [wrapping.leaf({"enum": placed})] if placed else []
    branches += [{"enum": bare}] if bare else []
    kept = {key: schema[key] for key in ("title", "description", "$defs", "definitions") if key in schema}
    return {**kept, **(branches[0] if len(branches) == 1 else {"anyOf": branches})}


def _wrap_inside(schema: dict[str, Any], wrapping: _Wrapping) -> dict[str, Any]:
    if isinstance(schema.get("properties"), Mapping):
        schema["properties"] = {name: _wrap(part, wrapping) for name, part in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            schema[key] = _wrap(schema[key], wrapping)
    if isinstance(schema.get("prefixItems"), list):
        schema["prefixItems"] = [_wrap(part, wrapping) for part in schema["prefixItems"]]
    return schema


def unwrap(answer: Any, transforms: Sequence[Transform]) -> tuple[Any, list[Field]]:
    """The plain value of a wrapped answer, and its fields in order, boxes in original pixels."""
    fields: list[Field] = []
    return _unwrap(answer, "", transforms, fields), fields


def _unwrap(answer: Any, path: str, transforms: Sequence[Transform], fields: list[Field]) -> Any:
    if _is_leaf(answer):
        fields.append(_placed(answer, path, transforms))
        return answer["value"]
    if isinstance(answer, dict):
        return {key: _unwrap(part, _joined(path, key), transforms, fields) for key, part in answer.items()}
    if isinstance(answer, list):
        return [_unwrap(part, f"{path}[{i}]", transforms, fields) for i, part in enumerate(answer)]
    fields.append(Field(answer, path))
    return answer


def _joined(path: str, key: str) -> str:
    plain = key if key.isidentifier() else f"[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{plain}" if path and not plain.startswith("[") else path + plain


def _is_leaf(answer: Any) -> bool:
    """A value with its place. A user's own object with these keys is not one: its `value` would be an object again."""
    return (
        isinstance(answer, dict)
        and answer.keys() in ({"value", "bbox_2d"}, {"value", "page", "bbox_2d"})
        and not isinstance(answer["value"], dict | list | type(None))
        and (answer["bbox_2d"] is None or len(answer["bbox_2d"]) == 4)
    )


def _placed(leaf: dict[str, Any], path: str, transforms: Sequence[Transform]) -> Field:
    corners = leaf["bbox_2d"]
    field = Field(leaf["value"], path)
    if corners is None:
        return field
    page = int(leaf.get("page", 1)) - 1
    transform = transforms[page]
    (xa, ya, xb, yb) = corners
    inside = transform.clamp_box_model((min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)))
    return replace(field, page=page, box=transform.box_to_original(inside))


def example_of(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """What an answer looks like, for the prompt: names with empty texts, one item a list."""
    root = schema if root is None else root
    if depth > 12:
        return None
    if isinstance(reference := schema.get("$ref"), str):
        target: Any = root
        for name in reference.removeprefix("#/").split("/"):
            target = target.get(name, {}) if isinstance(target, Mapping) else {}
        return example_of(target, root, depth + 1)
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            return example_of(schema[key][0], root, depth + 1)
    if isinstance(schema.get("properties"), Mapping):
        return {name: example_of(part, root, depth + 1) for name, part in schema["properties"].items()}
    if isinstance(schema.get("items"), Mapping):
        return [example_of(schema["items"], root, depth + 1)]
    if isinstance(schema.get("prefixItems"), list):
        return [example_of(part, root, depth + 1) for part in schema["prefixItems"]]
    return 0 if schema.get("type") == "integer" else ""
