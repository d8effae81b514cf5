"""What is done to a JSON schema before a model is held to it."""

from collections.abc import Mapping
from typing import Any, cast

OPAQUE = ("allOf", "not", "if", "then", "else", "patternProperties", "dependentSchemas", "contains")
"""Words that make the names an object may have depend on several schemas at once: such a schema is left as it is."""


def closed(schema: Any, *, all_required: bool = False) -> Any:
    """The schema in which an object that lists its properties has no others, where the schema does not say.

    JSON schema would allow any, and a weak model goes on inventing them until its budget is spent. What obeys the
    result obeys the original.

    `all_required` also asks for every property that is listed, as OpenAI's `strict` has it.

        {"properties": {"a": {}}}  ->  {"properties": {"a": {}}, "additionalProperties": False}
    """
    if not isinstance(schema, Mapping) or any(key in schema for key in OPAQUE):
        return cast(Any, schema)
    result = dict(cast(Mapping[str, Any], schema))
    for key in ("$defs", "definitions", "properties"):
        if isinstance(parts := result.get(key), Mapping):
            named = cast(Mapping[str, Any], parts).items()
            result[key] = {name: closed(part, all_required=all_required) for name, part in named}
    for key in ("anyOf", "oneOf", "prefixItems"):
        if isinstance(choices := result.get(key), list):
            result[key] = [closed(part, all_required=all_required) for part in cast(list[Any], choices)]
    for key in ("items", "additionalProperties"):
        if key in result:
            result[key] = closed(result[key], all_required=all_required)
    if isinstance(result.get("properties"), Mapping) and not {"anyOf", "oneOf", "$ref"} & result.keys():
        result.setdefault("additionalProperties", False)
        if all_required:
            result["required"] = list(cast(Mapping[str, Any], result["properties"]))
    return result
