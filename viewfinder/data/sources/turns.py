"""Turns and answers in the spellings that fine-tuning files have, as messages.

A turn is `{"role", "content"}` or `{"from", "value"}`; its content is words or parts. `loss`, `weight` and `train` say
whether an assistant's turn is learnt from. An answer is words, a turn, parts, or a conversation that ends with it.
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from viewfinder.data.sources.keys import Keys, absent, as_value, show
from viewfinder.data.sources.row_media import RowMedia, has_marks
from viewfinder.errors import DataError, MessageError
from viewfinder.message_parsing import parse_messages
from viewfinder.messages import Message, Part, TextPart

ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant"), "assistant"),
    **dict.fromkeys(("tool", "observation", "tool_response"), "tool"),
    "system": "system",
}
_OF_TURN = frozenset(("name", "tool_call_id", "id"))
_PLAIN, _SHARED = {"role", "content"}, {"from", "value"}
_LOSS = ("loss", "weight", "train", "training")
_SOURCES = ("image", "image_url", "video", "video_url", "url", "path")


def read_turns(turns: Any, media: RowMedia, system: str = "") -> tuple[Message, ...]:
    """A conversation; the row's media stand where its turns mark them.

    Raises:
        DataError: no turns, an unknown role or key, or marks and files that do not match in number.
    """
    turns = as_value(turns, "the turns are a text that is")
    if not isinstance(turns, list | tuple) or not turns:
        raise DataError(f"the row's turns are {show(turns)}, so it has no turns; give a list of them")
    messages = [_turn(turn, number, media) for number, turn in enumerate(turns, 1)]
    if system:
        if has_marks(system):
            raise DataError("key 'system' has the mark of a medium, which only turns show; move it to a user turn")
        if messages[0].role == "system" and messages[0].text != system:
            raise DataError("key 'system' and the first turn are two different system prompts; give one")
        if messages[0].role != "system":
            messages.insert(0, Message(role="system", parts=(TextPart(text=system),)))
    if first := media.finish():
        at = next((i for i, message in enumerate(messages) if message.role == "user"), None)
        if at is None:
            raise DataError("the conversation has media and no user turn to show them in; give one")
        messages[at] = messages[at].model_copy(update={"parts": (*first, *messages[at].parts)})
    return tuple(messages)


def _turn(raw: Any, number: int, media: RowMedia) -> Message:
    if not isinstance(raw, Mapping):
        raise DataError(f"turn {number} is {show(raw)}, expected an object with role and content, or from and value")
    if raw.keys() == _PLAIN or raw.keys() == _SHARED:  # nearly every turn of nearly every file
        keys, (name, content) = None, (raw.get("role") or raw.get("from"), raw.get("content") or raw.get("value"))
    else:
        keys = Keys(raw, _OF_TURN)
        name, content = keys.take("role", "from"), keys.take("content", "value")
    role = ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise DataError(f"a turn is from {name!r}; known are {', '.join(ROLES)}")
    parts = _content(content, media, f"turn {number}")
    if role == "assistant" and any(not isinstance(part, TextPart) for part in parts):
        raise DataError(f"turn {number} is an assistant's and shows a picture or clip, which the model cannot make")
    if keys is None:
        return Message(role=role, parts=tuple(parts))
    trained = _trained(keys, role, number)
    calls = keys.take("tool_calls")
    keys.finish(f"turn {number}")
    if calls is not None:
        calls = parse_messages([{"role": role, "content": None, "tool_calls": _without_nulls(calls)}])[0].tool_calls
    return Message(role=role, parts=tuple(parts), tool_calls=calls or (), trained=trained)


def _trained(keys: Keys, role: str, number: int) -> bool:
    key = keys.find(*_LOSS)
    if not key:
        return True
    value = keys.take(key)
    if value not in (0, 1):
        raise DataError(f"key {key!r} of turn {number} is {show(value)}; a turn is learnt from (1) or not (0)")
    if value and role != "assistant":
        raise DataError(f"key {key!r} of turn {number} asks to learn from a {role} turn; only answers are learnt")
    return bool(value) or role != "assistant"


def _content(content: Any, media: RowMedia, where: str) -> list[Part]:
    if content is None or isinstance(content, str):
        return media.parts_of(content or "")
    if isinstance(content, int | float) and not isinstance(content, bool):
        return [TextPart(text=str(content))]
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list | tuple):
        raise DataError(f"{where} says {show(content)}, expected words or a list of parts")
    if sum(isinstance(item, str) for item in content) > 1:
        raise DataError(
            f"{where} says {len(content)} texts ({show(content)}); which is it? Write parts with their type"
        )
    parts = [part for item in content for part in _part(item, media, where)]
    return parts or [TextPart(text="")]


def _part(raw: Any, media: RowMedia, where: str) -> list[Part]:
    if isinstance(raw, str):
        return media.parts_of(raw)
    if not isinstance(raw, Mapping):
        raise DataError(f"a part of {where} is {show(raw)}, expected words or an object with type")
    keys = Keys(raw, ("detail",))
    kind = keys.text("type").removesuffix("_url").removeprefix("input_")
    kind = kind or keys.find("text", *_SOURCES).removesuffix("_url")
    if kind == "text":
        text = keys.text("text")
        keys.finish(f"a text of {where}")
        return media.parts_of(text)
    if kind not in ("image", "video"):
        raise DataError(
            f"a part of {where} is of type {kind or sorted(keys.values)!r}; known are text, image and video"
        )
    key = keys.find(kind, f"{kind}_url", "url", "path")
    if not key:
        number = keys.take("index")
        keys.finish(f"a {kind} of {where}")
        if number is not None and type(number) is not int:
            raise DataError(f"key 'index' of a {kind} of {where} is {show(number)}, expected a whole number")
        return media.place(kind, number)
    return [_given(kind, key, keys, media, where)]


def _given(kind: str, key: str, keys: Keys, media: RowMedia, where: str) -> Part:
    """A part that brings its own file, whose budgets `parse_messages` reads."""
    media.given += 1
    source = keys.take(key)
    inside = dict(source) if isinstance(source, Mapping) and "url" in source else {}
    source = inside.pop("url", source)
    frames = list(source) if kind == "video" and isinstance(source, list | tuple) else None
    found = [media.part("image", one, key) for one in frames] if frames else [media.part(kind, source, key)]
    files = [part.image if kind == "image" or frames else part.video for part in found]  # type: ignore[union-attr]
    rest = {name: value for name, value in keys.values.items() if name not in ("type", key)}
    raw = {kind: files if frames else files[0], **inside, **rest}
    if unknown := next((name for name in rest if name in _SOURCES), None):
        raise DataError(f"a {kind} of {where} is given as {key!r} and as {unknown!r}; give one")
    try:
        return parse_messages([{"role": "user", "content": [raw]}])[0].parts[0]
    except MessageError as error:
        raise DataError(f"a part of {where} with key {key!r} cannot be read: {error}") from error


def read_answer(value: Any, key: str, media: RowMedia) -> tuple[Message, ...]:
    """An answer, or the conversation that ends with it.

    Raises:
        DataError: several answers, or an object that is none.
    """
    if isinstance(value, Mapping):
        value = [value]
    if isinstance(value, list | tuple):
        items = [item for item in value if not absent(item)]
        if items and all(isinstance(item, Mapping) and {"role", "from"} & set(item) for item in items):
            about = media if ROLES.get(_role(items[0])) != "assistant" else media.without_files()
            return read_turns(items, about)
        if len(items) == 1 and isinstance(items[0], str | int | float):
            value = items[0]
        elif items and all(isinstance(item, Mapping) and "type" in item for item in items):
            value = "".join(part.text for part in _content(items, media, f"key {key!r}") if isinstance(part, TextPart))
        else:
            raise DataError(f"key {key!r} holds {len(items)} values ({show(value)}); which of them is the answer?")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DataError(f"key {key!r} is {show(value)}, which is no answer in words; write the words")
    if isinstance(value, str) and has_marks(value):
        raise DataError(f"key {key!r} is an answer with the mark of a picture, which the model cannot make")
    return (Message(role="assistant", parts=(TextPart(text=str(value)),)),)


def _role(turn: Mapping[str, Any]) -> str:
    return str(turn.get("role") or turn.get("from"))


def lettered(options: Any) -> str:
    """Choices one a line: `["red", "blue"]` or its text gives "A. red" and "B. blue"."""
    if isinstance(options, str):
        try:
            options = ast.literal_eval(options)
        except (ValueError, SyntaxError):
            raise DataError(f"key 'options' is {show(options)}, expected a list of choices") from None
    if not isinstance(options, Sequence) or not all(isinstance(one, str | int | float) for one in options):
        raise DataError(f"key 'options' is {show(options)}, expected a list of choices")
    return "\n".join(f"{chr(65 + i)}. {one}" for i, one in enumerate(options))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list | tuple) else value
