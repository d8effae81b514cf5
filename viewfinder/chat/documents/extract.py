"""Values by schema: decoded under it, each with the box it was read from, "not present" legal.

The answer obeys the schema by construction. Where the PDF has a text layer each value is looked up in it:
`Field.verified` says whether it stands there, and a value without a box gets the one of its words.
"""

import copy
import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from viewfinder.chat.documents.asking import model_sampling
from viewfinder.chat.documents.fields import Field, example_of, schema_of, unwrap, with_places
from viewfinder.chat.documents.lookup import look_up
from viewfinder.chat.documents.sources import open_pages, page_numbers
from viewfinder.errors import GrammarError
from viewfinder.media.source import DEFAULT_LIMITS, Limits
from viewfinder.messages import ChatModel, Reply, Sampling, user
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.json_schema import closed
from viewfinder.outputs.results import confidence, transform_of
from viewfinder.outputs.written import ExtractionJson, to_frame
from viewfinder.processor.processor import Processor

T = TypeVar("T")

_AMOUNT = re.compile(r"[^\d.,+-]{0,5}([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)[^\d.,]{0,5}")
MAX_NEW_TOKENS = 4096


@dataclass(frozen=True)
class Extraction(Generic[T]):
    """What was taken from a document.

    Attributes:
        value: an instance of the pydantic model, or the JSON value.
        data: the JSON value in any case.
        fields: each value with its path, page and box, in order.
        reply: of the model.
    """

    value: T
    data: Any
    fields: tuple[Field, ...]
    reply: Reply = dataclasses.field(repr=False)

    def __getitem__(self, path: str) -> Field:
        """The field at a path such as `lines[0].price`."""
        return next(field for field in self.fields if field.path == path)

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each value; pandas must be installed."""
        return to_frame(self.fields)

    def to_dict(self) -> ExtractionJson:
        """JSON-ready."""
        return {"data": self.data, "fields": [field.to_dict() for field in self.fields]}


def extract(
    model: ChatModel,
    processor: Processor,
    source: Any,
    shape: Any,
    *,
    pages: Sequence[int] | None = None,
    places: bool = True,
    max_pixels: int | None = None,
    sampling: Sampling | None = None,
    limits: Limits = DEFAULT_LIMITS,
    password: str | None = None,
) -> Extraction[Any]:
    """Take values from a picture or PDF, all its pages in one request.

    Args:
        shape: a pydantic model, a JSON schema, or a list of field names (texts that may be null). A field is
            given up as not present where the schema allows it: null, or an optional key.
        pages: which, from 0; all when None.
        places: also ask for boxes; False asks in the short official form.
        password: opens a PDF that is locked.

    Raises:
        GrammarError: the shape is no schema that can be enforced, the answer was cut before its end, or it does
            not pass the pydantic model's own checks.
        MediaError, ContextLengthError: the document cannot be read, or has too many pages for one request.
    """
    schema = closed(schema_of(shape))
    with open_pages(source, limits, password) as opened:
        numbers = page_numbers(opened, pages, limits)
        pictures = [opened.picture(number) for number in numbers]
        layers = [opened.words(number, picture) for number, picture in zip(numbers, pictures, strict=True)]
    limit = min(max_pixels or processor.settings.max_pixels, processor.settings.max_pixels)
    parts = [processor.fit(picture, limit) for picture in pictures]
    asked_schema = with_places(schema, [part.image.size for part in parts]) if places else schema
    prompt = prompts.extract_prompt(json.dumps(example_of(asked_schema), ensure_ascii=False), _descriptions(schema))
    reply = model.chat(
        [user(*parts, prompt)], schema=asked_schema, sampling=model_sampling(model, sampling, MAX_NEW_TOKENS)
    )
    transforms = [transform_of(reply, part, i) for i, part in enumerate(parts)]
    data, fields = unwrap(_read(reply), transforms)
    fields = [_numbered(field, numbers) for field in _with_confidence(look_up(fields, layers), reply)]
    return Extraction(_instance(shape, data), data, tuple(fields), reply)


def _read(reply: Reply) -> Any:
    """The JSON of an answer; a fence around it, which other servers' models write, is taken off."""
    text = re.sub(r"^\s*```(?:json)?\s*|\s*```\s*$", "", reply.text)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        reason = "was cut" if reply.finish_reason != "stop" else f"is no JSON ({error})"
        raise GrammarError(
            f"the answer {reason} after {len(reply.text)} characters, so its values cannot be trusted; "
            "allow more tokens (max_new_tokens), or ask for fewer fields or pages"
        ) from error


def _instance(shape: Any, data: Any) -> Any:
    if not hasattr(shape, "model_validate"):
        return data
    try:
        return shape.model_validate_json(json.dumps(data))
    except ValidationError as error:
        wrong = [problem["loc"] for problem in error.errors() if problem["type"] == "decimal_parsing"]
        if wrong and (plain := _plain_amounts(data, wrong)) != data:
            return _instance(shape, plain)
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise GrammarError(
            f"the answer obeys the schema of {shape.__name__} but not its own checks ({place}: {problem['msg']}); "
            "loosen the check or extract by the plain schema"
        ) from error


def _plain_amounts(data: Any, places: Sequence[tuple[int | str, ...]]) -> Any:
    """The data with texts such as `$1,234.50` at these places as plain decimals; what is no amount stays."""
    data = copy.deepcopy(data)
    for place in places:
        inside = data
        try:
            for key in place[:-1]:
                inside = inside[key]
            if amount := _AMOUNT.fullmatch(str(inside[place[-1]])):
                inside[place[-1]] = amount[1].replace(",", "")
        except (KeyError, IndexError, TypeError):  # the place runs through a union, whose branch is part of it
            continue
    return data


def _descriptions(schema: dict[str, Any]) -> dict[str, str]:
    properties: dict[str, Any] = schema.get("properties") or {}
    return {name: part["description"] for name, part in properties.items() if part.get("description")}


def _numbered(field: Field, numbers: Sequence[int]) -> Field:
    """The page as the document counts it, from the place among those that were shown."""
    return field if field.page is None else dataclasses.replace(field, page=numbers[field.page])


def _with_confidence(fields: Sequence[Field], reply: Reply) -> list[Field]:
    """Each value's own tokens; values are found one after the other, in the order they were written."""
    at = 0
    result: list[Field] = []
    for field in fields:
        written = json.dumps(field.value, ensure_ascii=False)
        start = reply.text.find(written, at)
        if start < 0:
            result.append(field)
            continue
        at = start + len(written)
        sure = confidence(reply, start, at)
        result.append(dataclasses.replace(field, confidence=sure, source=(start, at)))
    return result


def field_boxes(extraction: Extraction[Any], page: int) -> list[Box]:
    """The boxes of a page, labelled with path and value, to draw."""
    return [
        Box(*field.box, label=f"{field.path}: {field.value}", confidence=field.confidence)
        for field in extraction.fields
        if field.box is not None and field.page == page
    ]
