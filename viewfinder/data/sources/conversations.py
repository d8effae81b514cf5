"""Rows of fine-tuning files as people have them: the official format of Qwen's fine-tuning code, LLaVA's, ShareGPT's.

    [{"image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat is this?"},
                                          {"from": "gpt", "value": "A cat."}]}]

also with `images`, `video`, `videos`, OpenAI's `messages`, and for preference pairs `chosen` and `rejected`
(words or turns; `rejected_image(s)` where the worse answer is about other pictures). JSON or one row a line.
Boxes and points in answers are pixels of the original picture unless the file's are those of the resized one.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from viewfinder.data.sample import Sample
from viewfinder.data.sources.rows import RowSource
from viewfinder.errors import DataError
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Message, Part, TextPart, VideoPart, parse_messages

ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_TAG = re.compile(r"<(image|video)>\n?")
_NUMBERS = re.compile(r'("(?:bbox_2d|point_2d)"\s*:\s*)\[([^\[\]]*)\]')


class ConversationSource(RowSource):
    """A file of conversations, media relative to it (or to `media`)."""

    name = "conversations"

    def __init__(
        self, path: str, media: str | None = None, coordinates: str = "original", task: str = "chat", **about: Any
    ) -> None:
        super().__init__(read_rows(path), **about)
        self.path, self.coordinates, self.task = Path(path), coordinates, task
        self.media = Path(media) if media else self.path.parent

    def make(self, row: Any, number: int) -> Sample:
        raw = read_object(row)
        sample = read_row(raw, self.media, self.coordinates, self.task)
        for part in sample.media:
            if isinstance(part, ImagePart):
                load_image(part.image)  # a damaged picture is this row's fault, and found now
        said = {key: str(raw.get(key) or "") for key in ("id", "licence", "language")}
        return replace(sample, **said)

    def describe(self, number: int) -> str:
        return f"{self.path.name} row {number + 1}"


def read_rows(path: str | Path) -> list[Any]:
    """The rows of a `.json` list, or the lines of a `.jsonl` as they stand.

    Raises:
        DataError: no such file, or not of that form.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        lines = path.suffix == ".jsonl"
        rows = [line for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no file of conversations ({error}); give a JSON list or JSON lines") from error
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path} holds no rows; expected a list of objects with 'conversations' or 'messages'")
    return rows


def read_object(row: Any) -> dict[str, Any]:
    """A row as an object; lines of JSON are read.

    Raises:
        DataError: it is none.
    """
    if isinstance(row, str):
        try:
            row = json.loads(row)
        except ValueError as error:
            raise DataError(f"the line is no JSON ({error})") from error
    if not isinstance(row, dict):
        raise DataError(f"the row is a {type(row).__name__}, expected an object with 'conversations'")
    return row


def read_row(raw: Mapping[str, Any], media: Path, coordinates: str = "original", task: str = "chat") -> Sample:
    """One row as a sample.

    Raises:
        DataError: an unknown role, a row without turns, or tags and files that do not match in number.
    """
    turns = raw.get("conversations") or raw.get("messages")
    if not isinstance(turns, list) or not turns:
        raise DataError(f"the row has keys {sorted(raw)} and no turns; give 'conversations' or 'messages'")
    files = _files(raw, media)
    messages = _messages(raw, turns, files)
    sample = Sample(messages=messages, task=str(raw.get("task", task)), domain="file", lineage=("conversations",))
    if "rejected" in raw:
        sample = _with_pair(sample, raw, turns, media)
    if coordinates == "model":
        return sample
    spelt = tuple(_spell(m) if m.role == "assistant" else m for m in sample.messages)
    rejected = None if sample.rejected is None else _spell(sample.rejected)
    forms = tuple("inline" if m.role == "assistant" and _NUMBERS.search(m.text) else "" for m in spelt)
    if any(forms) and len(sample.media) > 1:
        raise DataError(
            "an answer names places and the row shows several pictures, so it is not known in which; use one picture "
            "a row, or write pixels of the resized pictures and set data.coordinates=model"
        )
    if rejected is not None and _NUMBERS.search(rejected.text):
        forms = (*forms[:-1], "inline")
    return replace(sample, messages=spelt, rejected=rejected, forms=forms)


def _messages(raw: Mapping[str, Any], turns: Sequence[Any], files: list[Part]) -> tuple[Message, ...]:
    if not all(isinstance(turn, dict) and "from" in turn and "value" in turn for turn in turns):
        return parse_messages(turns)
    tags = sum(len(_TAG.findall(str(turn["value"]))) for turn in turns)
    if tags > len(files) or 0 < tags < len(files):
        raise DataError(f"the turns have {tags} <image> or <video> tags for {len(files)} files; give one for each")
    left = list(files)
    first = [] if tags else left  # without tags the files stand before the first question, as in LLaVA
    messages: list[Message] = []
    if "system" in raw:
        messages.append(Message(role="system", parts=(TextPart(text=str(raw["system"])),)))
    for turn in turns:
        role = ROLES.get(turn["from"])
        if role is None:
            raise DataError(f"a turn is from {turn['from']!r}; known are {', '.join(ROLES)}")
        parts = _parts(str(turn["value"]), left)
        if role == "user" and first:
            parts, first = [*first, *parts], []
        messages.append(Message(role=role, parts=tuple(parts)))
    return tuple(messages)


def _parts(text: str, files: list[Part]) -> list[Part]:
    parts: list[Part] = []
    at = 0
    for match in _TAG.finditer(text):
        if text[at : match.start()]:
            parts.append(TextPart(text=text[at : match.start()]))
        part = files.pop(0)
        if part.type != match[1]:
            raise DataError(f"a tag <{match[1]}> stands where the next file is a {part.type}; order them alike")
        parts.append(part)
        at = match.end()
    return [*parts, TextPart(text=text[at:])] if text[at:] or not parts else parts


def _files(raw: Mapping[str, Any], media: Path, prefix: str = "") -> list[Part]:
    found: list[Part] = []
    for key in ("image", "images", "video", "videos"):
        value = raw.get(prefix + key) or []
        for name in [value] if isinstance(value, str) else value:
            path = name if "://" in str(name) or str(name).startswith("data:") else media / str(name)
            if isinstance(path, Path) and not path.is_file():
                raise DataError(f"{key} {str(name)!r} is missing: there is no {path}")
            source = str(path)
            found.append(ImagePart(image=source) if key.startswith("image") else VideoPart(video=source))
    return found


def _with_pair(sample: Sample, raw: Mapping[str, Any], turns: Sequence[Any], media: Path) -> Sample:
    """The better answer as the last turn, the worse as `rejected`, or as a conversation about other media."""
    question = sample.messages
    if "chosen" in raw:
        question = question[:-1] if question[-1].role == "assistant" else question
        sample = replace(sample, messages=(*question, _answer(raw["chosen"])))
    else:
        question = question[:-1]
    rejected = _answer(raw["rejected"])
    others = _files(raw, media, "rejected_")
    if not others:
        return replace(sample, rejected=rejected)
    asked = [turn for turn in turns if ROLES.get(turn.get("from")) != "assistant"] if "chosen" in raw else turns[:-1]
    other = (*_messages(raw, asked, others), rejected)
    return replace(sample, rejected=rejected, truth={"rejected_messages": other})


def _answer(value: Any) -> Message:
    if isinstance(value, dict):
        value = value.get("value", value.get("content", ""))
    return Message(role="assistant", parts=(TextPart(text=str(value)),))


def _spell(message: Message) -> Message:
    """Lists of places with one space after each comma and whole numbers, as `places` rewrites them."""

    def one(match: re.Match[str]) -> str:
        try:
            numbers = [str(round(float(value))) for value in match[2].split(",")]
        except ValueError:
            return match[0]  # left for the check of places, which says what is wrong
        return f"{match[1]}[{', '.join(numbers)}]"

    parts = tuple(TextPart(text=_NUMBERS.sub(one, p.text)) if isinstance(p, TextPart) else p for p in message.parts)
    return message.model_copy(update={"parts": parts})
