"""From pixels of the original, as samples are stored, to pixels of what a processor shows, and back.

A sample is stored once and used at any resolution: its answers hold original pixels in canonical text, and
each text names its form. Rewriting parses and formats with the very functions that read a model's answers
(`outputs`), so what is trained is what can be read back.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from viewfinder.data.place_marks import rewrite_places
from viewfinder.data.sample import FormatName, Sample
from viewfinder.errors import DataError
from viewfinder.media.image import Picture
from viewfinder.media.source import DEFAULT_LIMITS, Limits
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, Message, TextPart, VideoPart
from viewfinder.outputs.actions import format_action, read_action, tool_schema
from viewfinder.outputs.boxes import format_boxes, parse_boxes
from viewfinder.outputs.document.document import Page
from viewfinder.outputs.places import find_places
from viewfinder.outputs.points import format_points, parse_points
from viewfinder.outputs.tool_calls import split_tool_calls
from viewfinder.processor.loading import load_part
from viewfinder.processor.processor import Prepared, Processor
from viewfinder.processor.settings import ProcessorSettings

_LIST = re.compile(r"```json\n\[.*?\]\n```", re.DOTALL)
_INLINE = re.compile(r"\[(\d+), (\d+)(?:, (\d+), (\d+))?\]")


@dataclass(frozen=True)
class ModelView:
    """A sample as one processor shows it: what is said, the tools on offer, and each medium's transform."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...]
    transforms: tuple[Transform, ...]
    rejected: Message | None = None


def for_model(sample: Sample, processor: Processor, limits: Limits = DEFAULT_LIMITS) -> ModelView:
    """The sample in pixels of what `processor` shows.

    Raises:
        DataError: a form that does not exist, or that names a medium which is not there.
        MediaError: a medium that cannot be read.
    """
    if not any(sample.forms) and sample.device is None:
        return ModelView(sample.messages, (), (), sample.rejected)
    transforms = tuple(transform_of(part, processor.settings, limits) for part in sample.media)
    return rewrite(sample, [original_of(t) for t in transforms], transforms)


def prepare(sample: Sample, processor: Processor, *, train: bool = True, **options: Any) -> Prepared:
    """Inputs of a sample with labels; options as in `Processor.prepare`."""
    view = for_model(sample, processor, options.get("limits", DEFAULT_LIMITS))
    return processor.prepare(view.messages, train=train, tools=view.tools, **options)


def transform_of(
    part: ImagePart | VideoPart, settings: ProcessorSettings, limits: Limits = DEFAULT_LIMITS
) -> Transform:
    """Where the original lies in what the model sees; pixels are not resized for it."""
    if isinstance(part, ImagePart) and isinstance(part.image, Image.Image):
        picture = Picture(part.image, Transform.identity(part.image.size))
        part = part.model_copy(update={"image": picture})
    return load_part(part, settings, limits, pixels=False).transform


def rewrite(sample: Sample, before: Sequence[Transform], after: Sequence[Transform]) -> ModelView:
    """Every place, read by `before` of its medium and written by `after`."""
    messages = tuple(_rewrite_turn(message, i, sample, before, after) for i, message in enumerate(sample.messages))
    rejected = sample.rejected
    if rejected is not None:
        rejected = _rewrite_turn(rejected, len(messages) - 1, sample, before, after)
    tools: tuple[dict[str, Any], ...] = ()
    if sample.device is not None:
        tools = (tool_schema(sample.device, *after[-1].resized_size),)
    return ModelView(messages, tools, tuple(after), rejected)


def original_of(transform: Transform) -> Transform:
    """The frame that places of a stored sample are in: pixels of the original."""
    return Transform.identity(transform.original_size)


def _rewrite_turn(
    message: Message, index: int, sample: Sample, before: Sequence[Transform], after: Sequence[Transform]
) -> Message:
    try:
        return _rewrite_message(message, sample.form_of(index), before, after)
    except DataError as error:
        raise DataError(f"turn {index + 1}: {error}") from error


def _rewrite_message(
    message: Message, form: FormatName, before: Sequence[Transform], after: Sequence[Transform]
) -> Message:
    if not form:
        return message
    name, _, number = form.partition("@")
    medium = int(number) if number else 0
    if name not in FORMS or medium >= len(after):
        raise DataError(
            f"the form {form!r} of a {message.role} turn is unknown or names a medium that is not there "
            f"({len(after)} are), so its places cannot be written; forms are {', '.join(FORMS)}"
        )
    parts = tuple(
        TextPart(text=FORMS[name](part.text, before[medium], after[medium])) if isinstance(part, TextPart) else part
        for part in message.parts
    )
    return message.model_copy(update={"parts": parts})


def _boxes(text: str, before: Transform, after: Transform) -> str:
    return _LIST.sub(lambda m: format_boxes(parse_boxes(m[0], before), after), text)


def _points(text: str, before: Transform, after: Transform) -> str:
    return _LIST.sub(lambda m: format_points(parse_points(m[0], before), after), text)


def _points_xml(text: str, before: Transform, after: Transform) -> str:
    return format_points(parse_points(text, before), after, style="xml")


def _plain_boxes(text: str, before: Transform, after: Transform) -> str:
    lines: list[str] = []
    for box in parse_boxes(text, before):
        corners = after.clamp_box_model(after.box_to_model(box.xyxy))
        lines.append(f"{','.join(str(round(c)) for c in corners)} {box.label}")
    return "\n".join(lines)


def _html(text: str, before: Transform, after: Transform) -> str:
    """A page, between the marks of a fence or not, as it was."""
    written = replace(Page.from_html(text, before), transform=after).to_html()
    return f"```html\n{written}\n```" if text.startswith("```html") else written


def _action(text: str, before: Transform, after: Transform) -> str:
    thought, calls = split_tool_calls(text)
    written = [format_action(read_action(call, before), after) for call in calls]
    return "\n".join([*([thought] if thought else []), *written])


def _inline(text: str, before: Transform, after: Transform) -> str:
    def one(match: re.Match[str]) -> str:
        numbers = [float(n) for n in match.groups() if n is not None]
        places = [
            after.clamp_model(after.to_model(before.to_original((x, y))))
            for x, y in zip(*[iter(numbers)] * 2, strict=True)
        ]
        return f"[{', '.join(str(round(value)) for place in places for value in place)}]"

    return _INLINE.sub(one, text)


FORMS: dict[str, Callable[[str, Transform, Transform], str]] = {
    "boxes": _boxes,
    "points": _points,
    "points xml": _points_xml,
    "plain boxes": _plain_boxes,
    "html": _html,
    "action": _action,
    "inline": _inline,
    "marked": rewrite_places,
}
"""Rewriters by form: text, the transform to read it by, the transform to write it by."""


_ANY_SIZE = Transform.identity((1 << 20, 1 << 20))
_OTHER = re.compile(r"<html|<tool_call>|\"value\"\s*:|data-bbox")
"""Pages, actions and fields with their places have forms of their own."""
_COUNTED = re.compile(r"\s*There (?:is|are) \d+ .+\.\s*")
_BETWEEN = re.compile(r"```(?:json)?|[\s\[\],]")


def canonical_answer(text: str) -> str | None:
    """The answer in the form that is asked for; the same where it has it, None where it is of another kind.

    Words around the places are none of the form: with them, the answer is "" (it cannot be rewritten without loss).
    """
    if text.strip() == "[]":
        return format_boxes([], _ANY_SIZE)
    places = [] if _OTHER.search(text) else find_places(text)
    if not places:
        return None
    only_points = all(place.kind == "point" for place in places)
    listing = (
        format_points(parse_points(text, _ANY_SIZE), _ANY_SIZE)
        if only_points
        else format_boxes(parse_boxes(text, _ANY_SIZE), _ANY_SIZE)
    )
    rest, end = "", 0
    for place in places:
        rest, end = rest + text[end : max(end, place.start)], max(end, place.end)
    after = _COUNTED.search(text, end)
    rest += text[end : after.start() if after else None]
    if _BETWEEN.sub("", rest):
        return ""
    return f"{listing}\n\n{after[0].strip()}" if after else listing


def differing_answers(samples: Sequence[Sample]) -> dict[str, dict[str, str]]:
    """By sample that has some: each answer in another form, and what it should be ("" where only a person can say)."""
    found: dict[str, dict[str, str]] = {}
    for number, sample in enumerate(samples, 1):
        answers = [message.text for message in sample.messages if message.role == "assistant"]
        wrong = {text: right for text in answers if (right := canonical_answer(text)) is not None and right != text}
        if wrong:
            found[sample.id or f"row {number}"] = wrong
    return found


def rewrite_rows(rows: Sequence[Any], answers: dict[str, str]) -> list[Any]:
    """Rows of a file with these texts replaced wherever they stand whole; lines of JSON are read first."""

    def rewrite(part: Any) -> Any:
        if isinstance(part, str):
            return answers.get(part) or part
        if isinstance(part, list):
            return [rewrite(one) for one in part]
        return {key: rewrite(one) for key, one in part.items()} if isinstance(part, dict) else part

    return [rewrite(json.loads(row) if isinstance(row, str | bytes) else row) for row in rows]
