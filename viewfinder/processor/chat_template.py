"""Conversation to ChatML: text, token ids and loss mask from one walk over the messages (facts 3 and 4.6).

The text equals the official template's; tools are written as Qwen-Agent writes them. What people type is
always plain text, whatever it looks like; only this file puts control tokens. Knows how many tokens each
medium takes from the caller, and nothing else about pixels.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from viewfinder.errors import MessageError
from viewfinder.messages import DocumentPart, ImagePart, Message, TextPart, ToolCall, VideoPart
from viewfinder.processor.tokenizer import Tokenizer

VERSION = 1
"""Raised whenever equal messages would give other tokens; part of the stamp."""

DEFAULT_SYSTEM = "You are a helpful assistant."
IMAGE_PAD, VIDEO_PAD = "<|image_pad|>", "<|video_pad|>"

_TOOLS_PROMPT = """\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{signatures}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""
_CALL_MARKS = re.compile("(</?tool_call>)")


@dataclass(frozen=True)
class Segment:
    """A run of text, or one control token.

    Attributes:
        text: what the template shows here.
        is_token: `text` is the name of one token.
        is_trained: the model is taught to produce this.
    """

    text: str
    is_token: bool = False
    is_trained: bool = False


@dataclass(frozen=True)
class Rendered:
    """A conversation in ChatML: its segments, and its media in the order of their placeholders."""

    segments: tuple[Segment, ...]
    media: tuple[ImagePart | VideoPart, ...]

    @property
    def text(self) -> str:
        """The whole prompt, with one placeholder for each medium."""
        return "".join(segment.text for segment in self.segments)

    def encode(self, tokenizer: Tokenizer, media_tokens: Sequence[int]) -> tuple[list[int], list[bool]]:
        """Ids, each medium's placeholder repeated `media_tokens` times, and which of them carry loss.

        `A<|im_end|>` as an answer gives ids `[A, im_end]` and mask `[True, True]`; the header before it
        gives only False.
        """
        assert len(media_tokens) == len(self.media), f"{len(media_tokens)} sizes for {len(self.media)} media"
        counts = iter(media_tokens)
        ids: list[int] = []
        mask: list[bool] = []
        for segment in self.segments:
            if segment.is_token:
                repeat = next(counts) if segment.text in (IMAGE_PAD, VIDEO_PAD) else 1
                new = [tokenizer.token_id(segment.text)] * repeat
            else:
                new = tokenizer.encode(segment.text)
            ids += new
            mask += [segment.is_trained] * len(new)
        return ids, mask


def render(
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool = True,
    add_vision_id: bool = False,
    tools: Sequence[dict[str, Any]] = (),
    train: bool = False,
    default_system: str | None = DEFAULT_SYSTEM,
) -> Rendered:
    """Write a conversation as ChatML.

    A conversation that brings no system turn gets one of `default_system`, unless that is None. `add_vision_id`
    numbers media as `Picture 1: ` and `Video 1: ` over the whole conversation. `train`
    leaves out the generation prompt and is otherwise the same text: one turn is told to the model in one
    way only. Loss falls on assistant turns, from after `<|im_start|>assistant\\n` up to the line end after
    `<|im_end|>`. An assistant's header and its answer are cut apart before encoding, so that what was
    generated is also what is read back.

    Raises:
        MessageError: no messages, tool calls outside an assistant turn, or media inside one.
    """
    if not messages:
        raise MessageError("the conversation has no messages; give at least one user message")
    writer = _Writer(add_vision_id)
    turns = list(messages)
    after = "\n\n" + _tools_prompt(tools) if tools else ""
    if turns[0].role == "system":
        writer.turn(turns.pop(0), after=after)
    elif default_system is not None or tools:
        system = Message(role="system", parts=(TextPart(text=default_system or ""),))
        writer.turn(system, after=after if default_system else after.lstrip())
    for is_tool, group in groupby(turns, key=lambda message: message.role == "tool"):
        if is_tool:
            writer.tool_responses(list(group))
        else:
            for message in group:
                writer.turn(message)
    if add_generation_prompt and not train:
        writer.header("assistant")
    return writer.finish()


class _Writer:
    """Collects segments; neighbouring text of one kind becomes one segment, as it is encoded in one go."""

    def __init__(self, add_vision_id: bool) -> None:
        self._add_vision_id = add_vision_id
        self._segments: list[Segment] = []
        self._media: list[ImagePart | VideoPart] = []
        self._seen = {"Picture": 0, "Video": 0}

    def turn(self, message: Message, after: str = "") -> None:
        trained = message.role == "assistant"
        if message.tool_calls and not trained:
            raise MessageError(
                f"a {message.role} message has tool_calls, which only assistant messages make; move them"
            )
        start = len(self._segments)
        self.header(message.role)
        # An operator's or the model's own call marks are real tokens; a user's are text.
        marked = message.role in ("system", "assistant")
        self._content(message, trained=trained, marked=marked)
        calls = "\n".join(_format_call(call) for call in message.tool_calls)
        if calls and message.text and not message.text.endswith("\n"):
            calls = "\n" + calls
        self._text(calls + after, trained=trained, marked=marked)
        self._close(trained)
        if not message.trained:  # after it is cut into segments, so that its tokens are the same
            self._segments[start:] = [replace(segment, is_trained=False) for segment in self._segments[start:]]

    def tool_responses(self, messages: Sequence[Message]) -> None:
        """Results of tools come as one user turn."""
        self.header("user")
        for i, message in enumerate(messages):
            self._text("\n<tool_response>\n" if i else "<tool_response>\n")
            self._content(message, trained=False, marked=False)
            self._text("\n</tool_response>")
        self._close(trained=False)

    def header(self, role: str) -> None:
        self._token("<|im_start|>")
        self._text(f"{role}\n")

    def finish(self) -> Rendered:
        return Rendered(tuple(self._segments), tuple(self._media))

    def _close(self, trained: bool) -> None:
        self._token("<|im_end|>", trained)
        self._text("\n", trained)

    def _content(self, message: Message, *, trained: bool, marked: bool) -> None:
        for part in message.parts:
            if isinstance(part, TextPart):
                self._text(part.text, trained, marked)
            else:
                assert not isinstance(part, DocumentPart), "the processor turns documents into pages first"
                if trained:
                    raise MessageError(
                        "an assistant message holds a picture or clip, which the model cannot produce; "
                        "move it to a user message"
                    )
                self._medium(part)

    def _medium(self, part: ImagePart | VideoPart) -> None:
        name, pad = ("Picture", IMAGE_PAD) if isinstance(part, ImagePart) else ("Video", VIDEO_PAD)
        self._seen[name] += 1
        if self._add_vision_id:
            self._text(f"{name} {self._seen[name]}: ")
        for token in ("<|vision_start|>", pad, "<|vision_end|>"):
            self._token(token)
        self._media.append(part)

    def _token(self, name: str, trained: bool = False) -> None:
        self._segments.append(Segment(name, is_token=True, is_trained=trained))

    def _text(self, text: str, trained: bool = False, marked: bool = False) -> None:
        for piece in _CALL_MARKS.split(text) if marked else (text,):
            if marked and _CALL_MARKS.fullmatch(piece):
                self._token(piece, trained)
            elif piece and self._segments and self._joins(self._segments[-1], trained):
                self._segments[-1] = Segment(self._segments[-1].text + piece, is_trained=trained)
            elif piece:
                self._segments.append(Segment(piece, is_trained=trained))

    @staticmethod
    def _joins(last: Segment, trained: bool) -> bool:
        # An assistant's header is not trained and its answer is, so these two never join.
        return not last.is_token and last.is_trained == trained


def _tools_prompt(tools: Sequence[dict[str, Any]]) -> str:
    """Signatures one a line; a bare function is wrapped in OpenAI's envelope."""
    wrapped = (tool if "function" in tool else {"type": "function", "function": tool} for tool in tools)
    return _TOOLS_PROMPT.format(signatures="\n".join(json.dumps(tool, ensure_ascii=False) for tool in wrapped))


def _format_call(call: ToolCall) -> str:
    body = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
    return f"<tool_call>\n{body}\n</tool_call>"
