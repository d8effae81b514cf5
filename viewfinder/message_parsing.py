"""Conversations in OpenAI's and the official Qwen message shapes, read into `Message`; an unknown key is an error."""

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from viewfinder.errors import MessageError
from viewfinder.messages import DocumentPart, ImagePart, Message, Part, TextPart, ToolCall, VideoPart

_TYPES = ("text", "input_text", "image", "image_url", "input_image", "video", "video_url", "document")


_FRAMES = re.compile(r"\s*data:video/(jpeg|jpg|png|webp)\s*;\s*base64\s*,", re.IGNORECASE)


_PARTS: dict[str, type[Part]] = {"image": ImagePart, "video": VideoPart, "document": DocumentPart, "text": TextPart}


def parse_messages(raw: Sequence[Any]) -> tuple[Message, ...]:
    """Read a conversation in OpenAI's or the official Qwen shape.

    A part's kind is given by its keys, image before video before text, as in the official template;
    `image_url` may be a string or `{"url": ...}` with budgets, and `video_url` likewise. A null key is absent. A clip
    may be vLLM's list of frames, `data:video/jpeg;base64,FRAME,FRAME`, whose `fps` is the rate they were taken at.

    Raises:
        MessageError: an unknown key or type, a part of no known kind, or a message without role or content.
    """
    return tuple(_message(item, f"messages[{i}]") for i, item in enumerate(raw))


def _message(raw: Any, where: str) -> Message:
    if isinstance(raw, Message):
        return raw
    if not isinstance(raw, dict) or "role" not in raw:
        raise MessageError(
            f"{where} is {_show(raw)}, expected an object with 'role' and 'content'; give each message both"
        )
    fields: dict[str, Any] = dict(raw)  # pyright: ignore[reportUnknownArgumentType]
    content: Any = fields.pop("content", None)
    calls = tuple(_tool_call(c, f"{where}.tool_calls") for c in (fields.pop("tool_calls", None) or ()))
    role = fields.pop("role")
    for ignorable in ("name", "tool_call_id"):  # OpenAI's bookkeeping, which ChatML does not carry
        fields.pop(ignorable, None)
    if fields:
        raise MessageError(f"{where} has unknown keys {sorted(fields)}; allowed are role, content and tool_calls")
    if content is None:
        content = []
    items: list[Any] = [content] if isinstance(content, str) else list(content)
    return Message(
        role=role,
        parts=tuple(_part(p, f"{where}.content[{i}]") for i, p in enumerate(items)),
        tool_calls=calls,
    )


def _part(raw: Any, where: str) -> Part:
    if isinstance(raw, (TextPart, ImagePart, VideoPart, DocumentPart)):
        return raw
    if isinstance(raw, str):
        return TextPart(text=raw)
    if not isinstance(raw, dict):
        raise MessageError(f"{where} is {_show(raw)}, expected an object such as {{'type': 'text', 'text': ...}}")
    fields: dict[str, Any] = {key: value for key, value in raw.items() if value is not None}  # pyright: ignore
    kind = fields.pop("type", "text")
    if kind not in _TYPES:
        raise MessageError(f"{where} has the type {_show(kind)}, expected one of {', '.join(_TYPES)}")
    fields.pop("detail", None)  # OpenAI's hint for image size; budgets are explicit here
    for key, part in _PARTS.items():
        if f"{key}_url" in fields:
            fields = _opened(fields, key, where)
        if key in fields:
            return _build(part, _listed(fields, where) if key == "video" else fields, where)
    raise MessageError(
        f"{where} has keys {sorted(fields)} and none of image, image_url, video, video_url, document, text"
    )


def _opened(fields: dict[str, Any], kind: str, where: str) -> dict[str, Any]:
    """The fields of a part whose URL is a text, or an object with `url` and budgets."""
    value = fields.pop(f"{kind}_url")
    if not isinstance(value, dict):
        return {kind: value, **fields}
    inner: dict[str, Any] = {k: v for k, v in value.items() if v is not None and k != "detail"}  # pyright: ignore
    if "url" not in inner:
        raise MessageError(f"{where}.{kind}_url has keys {sorted(inner)} and no url; give one")
    if twice := sorted(key for key in inner.keys() & fields.keys() if inner[key] != fields[key]):
        raise MessageError(f"{where} has {twice[0]} in {kind}_url and beside it with different values; give it once")
    return {kind: inner.pop("url"), **inner, **fields}


def _listed(fields: dict[str, Any], where: str) -> dict[str, Any]:
    """vLLM's list of frames in one URI as a list of pictures; other clips as they are."""
    clip = fields["video"]
    match = _FRAMES.match(clip) if isinstance(clip, str) else None
    if match is None:
        return fields
    frames = clip[match.end() :].split(",")
    if not all(frame.strip() for frame in frames):
        raise MessageError(f"{where} has an empty frame among {len(frames)}; leave it out")
    pictures = [f"data:image/{match.group(1)};base64,{frame}" for frame in frames]
    rate = {"sample_fps": fields.pop("fps")} if "fps" in fields and "sample_fps" not in fields else {}
    return {**rate, **fields, "video": pictures}


def _build(cls: type[Part], fields: dict[str, Any], where: str) -> Part:
    try:
        return cls(**fields)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        allowed = ", ".join(name for name in cls.model_fields if name != "type")
        raise MessageError(f"{where}: {key}: {problem['msg']}; keys of this part are {allowed}") from error


def _tool_call(raw: Any, where: str) -> ToolCall:
    if isinstance(raw, ToolCall):
        return raw
    try:
        call: Any = raw.get("function", raw)
        arguments: Any = call["arguments"]
        return ToolCall(name=call["name"], arguments=json.loads(arguments) if isinstance(arguments, str) else arguments)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MessageError(f"{where} has {_show(raw)}, expected {{'name': ..., 'arguments': {{...}}}}") from error


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
