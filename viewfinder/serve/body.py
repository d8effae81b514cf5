"""What every request body is: null is the default, and what is unknown is refused by its nearest known name."""

import difflib
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Finite = Annotated[float, Field(allow_inf_nan=False)]
_DEEPEST = 48
Known = TypeVar("Known", bound="Body")
ignored: ContextVar[list[str]] = ContextVar("ignored")
"""Fields of the request at hand that a lenient server did not take, for the header of its answer."""


class Body(BaseModel):
    """A field that is null is absent. An unknown field is an error, or kept in `model_extra` by a lenient copy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def known_elsewhere(cls) -> tuple[str, ...]:
        """Names that are no fields of the engine and known all the same."""
        return ()

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        given = {name: value for name, value in data.items() if value is not None}
        known = {field.alias or name for name, field in cls.model_fields.items()} | {*cls.known_elsewhere()}
        unknown = [str(name) for name in given if name not in known]
        if unknown and cls.model_config.get("extra") != "forbid":
            ignored.get([]).extend(unknown)
        elif unknown:
            near = difflib.get_close_matches(unknown[0], sorted(known), 1)
            hint = f"did you mean {near[0]}?" if near else "remove it or check its spelling"
            raise PydanticCustomError(
                "unknown_field", "{name} is not a field here; {hint}", {"name": unknown[0][:80], "hint": hint}
            )
        return given


PageNumber = Annotated[int, Field(ge=1, le=10**6)]
"""Pages count from 1, in requests and in answers."""


def from_zero(pages: Sequence[int] | None) -> tuple[int, ...] | None:
    """Pages as the decoders count them: 1, 3 become 0, 2."""
    return None if pages is None else tuple(page - 1 for page in pages)


def lenient(shape: type[Known]) -> type[Known]:
    """The same body that keeps its unknown fields in `model_extra` and names them in `ignored`, refusing none."""
    relaxed = type(shape.__name__, (shape,), {"model_config": ConfigDict(extra="allow"), "__doc__": shape.__doc__})
    return cast("type[Known]", relaxed)


def check_json(value: Any, depth: int = 0) -> None:
    """Refuse what would hurt further inside: nesting without end, and halves of characters.

    Raises:
        ValueError: says which.
    """
    if depth > _DEEPEST:
        raise ValueError(f"is nested over {_DEEPEST} levels deep")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("holds a lone surrogate, which is no text") from None
    elif isinstance(value, dict):
        for key, part in value.items():
            check_json(key, depth)
            check_json(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            check_json(part, depth + 1)
