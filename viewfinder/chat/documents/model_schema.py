"""The JSON schema of a pydantic model, as pages are written and as a decoder can be held to it.

JSON schema's `time` and `date-time` have seconds and a zone (RFC 3339), which hardly a receipt does. Decoders hold a
model to them, so it would say that 17:07 is 17:07:00 UTC: a zone that nobody wrote, in a value that no longer compares
with others. pydantic reads times without either, and so may the answer be.

    at: datetime.time   17:07   17:07:30   17:07+01:00
"""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

_LEAP = "[0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00"
"""1996, 2000, 2024, and not 1900."""
_DAYS = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
_DATE = f"([1-9][0-9]{{3}}-{_DAYS}|({_LEAP})-02-29)"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_ZONE = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"


def schema_of_model(model: Any) -> dict[str, Any]:
    """The JSON schema of a pydantic model, for answers that it will read.

    `uniqueItems` is left out, which no decoding enforces: a set removes duplicates when it is validated.
    """
    return _without_unique(model.model_json_schema(schema_generator=_AsWritten))


class _AsWritten(GenerateJsonSchema):
    def date_schema(self, schema: Mapping[str, Any]) -> JsonSchemaValue:
        return _text(_DATE)

    def time_schema(self, schema: Mapping[str, Any]) -> JsonSchemaValue:
        return _text(_TIME + _zone(schema))

    def datetime_schema(self, schema: Mapping[str, Any]) -> JsonSchemaValue:
        return _text(f"{_DATE}[T ]{_TIME}{_zone(schema)}")


def _zone(schema: Mapping[str, Any]) -> str:
    """As pydantic's AwareDatetime and NaiveDatetime have it; else there may be one."""
    match schema.get("tz_constraint"):
        case None:
            return _ZONE + "?"
        case "naive":
            return ""
        case _:
            return _ZONE


def _text(pattern: str) -> JsonSchemaValue:
    return {"type": "string", "pattern": f"^({pattern})$"}


def _without_unique(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_unique(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {key: _without_unique(part) for key, part in schema.items() if key != "uniqueItems" or part is not True}
