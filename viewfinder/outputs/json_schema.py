"""What is done to a JSON schema before a model is held to it."""

from collections.abc import Mapping
from typing import Any, cast

OPAQUE = ("allOf", "not", "if", "then", "else", "patternProperties", "dependentSchemas", "contains")
"""Words that make the names an object may have depend on several schemas at once: such a schema is left as it is."""


def closed(schema: Any) -> Any:
    """The schema in which an object that lists its properties has no others, where the schema does not say.

    JSON schema would allow any, and a weak model goes on inventing them until its budget is spent. What obeys the
    result obeys the original.

        {"properties": {"a": {}}}  ->  {"properties": {"a": {}}, "additionalProperties": False}
    """
    if not isinstance(schema, Mapping) or any(key in schema for key in OPAQUE):
        return cast(Any, schema)
    result = dict(cast(Mapping[str, Any], schema))
    for key in ("$defs", "definitions", "properties"):
        if isinstance(parts := result.get(key), Mapping):
            result[key] = {name: closed(part) for name, part in cast(Mapping[str, Any], parts).items()}
    for key in ("anyOf", "oneOf", "prefixItems"):
        if isinstance(choices := result.get(key), list):
            result[key] = [closed(part) for part in cast(list[Any], choices)]
    for key in ("items", "additionalProperties"):
        if key in result:
            result[key] = closed(result[key])
    if isinstance(result.get("properties"), Mapping) and not {"anyOf", "oneOf", "$ref"} & result.keys():
        result.setdefault("additionalProperties", False)
    return result
