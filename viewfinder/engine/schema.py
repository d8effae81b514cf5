"""A JSON schema with an end: generous limits where the schema sets none.

Constrained decoding never breaks a schema, but inside a bare `"type": "integer"` a weak model may write
digits until its budget is spent. Every limit narrows: what obeys the result obeys the original.
"""

from collections.abc import Mapping
from typing import Any

MAX_ITEMS = 1024
MAX_INTEGER = 10**15

_SUBSCHEMAS = ("items", "additionalProperties", "not", "if", "then", "else", "contains")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions", "patternProperties")


def bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `schema` with limits on arrays and integers that had none. Strings are left: counting their
    characters would double the cost of each token, and the loop guard watches them.

    `{"type": "integer"}` becomes `{"type": "integer", "minimum": -10**15, "maximum": 10**15}`.
    """
    result = dict(schema)
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, Mapping):
            result[key] = {name: _bounded_any(part) for name, part in value.items()}
        elif key in _LISTS and isinstance(value, list):
            result[key] = [_bounded_any(part) for part in value]
        elif key in _SUBSCHEMAS:
            result[key] = _bounded_any(value)
    return {**result, **_limits(schema)}


def _bounded_any(schema: Any) -> Any:
    return bounded(schema) if isinstance(schema, Mapping) else schema


def _limits(schema: Mapping[str, Any]) -> dict[str, int]:
    """Only for a plain type: enumerations and references are finite or limited elsewhere."""
    match schema.get("type"):
        case "array" if "maxItems" not in schema and not isinstance(schema.get("items"), list):
            return {"maxItems": max(MAX_ITEMS, schema.get("minItems", 0))}
        case "integer" if not {"enum", "const"} & schema.keys():
            limits: dict[str, int] = {}
            low, high = (
                schema.get("minimum", schema.get("exclusiveMinimum")),
                schema.get("maximum", schema.get("exclusiveMaximum")),
            )
            if low is None:
                limits["minimum"] = min(-MAX_INTEGER, int(high or 0) - MAX_INTEGER)
            if high is None:
                limits["maximum"] = max(MAX_INTEGER, int(low or 0) + MAX_INTEGER)
            return limits
        case _:
            return {}
