"""Fields that other APIs have and this engine does not: taken at the value that changes nothing, refused by name else.

Shared by the endpoints in OpenAI's and Anthropic's newer forms, whose fields are listed in `docs/serving.md`.
"""

from typing import Any

from pydantic import model_validator

from viewfinder.serve.body import Body
from viewfinder.serve.protocol import Coordinates, MediaDefaults

Refused = dict[str, str]
"""Name of a field -> why it is refused, and what to do instead."""


class OwnFields(Body):
    """What this server adds to the forms of others, as in chat completions."""

    coordinates: Coordinates | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    mm_processor_kwargs: MediaDefaults | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    seed: int | None = None

    @property
    def own(self) -> dict[str, Any]:
        """These fields, for the chat request."""
        return {name: getattr(self, name) for name in OwnFields.model_fields}

    @classmethod
    def refused(cls) -> Refused:
        """Fields that only null is taken for."""
        return {}

    @model_validator(mode="before")
    @classmethod
    def _say_why(cls, data: Any) -> Any:
        """Say why a field that cannot be honored is not taken; where it asks for nothing it is left out."""
        if not isinstance(data, dict):
            return data
        reasons = cls.refused()
        if asked := [name for name in reasons if data.get(name)]:
            raise ValueError(f"{asked[0]} is not taken: {reasons[asked[0]]}")
        return {name: value for name, value in data.items() if name not in reasons}
