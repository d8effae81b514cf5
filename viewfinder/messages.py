"""What people say to a model and what it says back: parts, messages, replies, and the `ChatModel` protocol.

OpenAI's and the official Qwen message shapes both parse into `Message`; an unknown key is an error,
never ignored. Knows nothing of pixels, tokens or tensors, so that evaluation, agents and filters can
talk to any model: in process, our server, or another engine's.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Protocol, TypedDict, Unpack, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from viewfinder.errors import MessageError

_TYPES = ("text", "input_text", "image", "image_url", "input_image", "video", "video_url", "document")
_FRAMES = re.compile(r"\s*data:video/(jpeg|jpg|png|webp)\s*;\s*base64\s*,", re.IGNORECASE)

MediaSource = Any
"""A path, URL, `data:` URI, bytes, or a decoded `Picture` / `Clip` / PIL image / list of frames."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class TextPart(_Part):
    type: Literal["text"] = "text"
    text: str


class ImagePart(_Part):
    """A still picture. Pixel budgets bound height x width after resizing."""

    type: Literal["image"] = "image"
    image: MediaSource
    min_pixels: int | None = Field(default=None, gt=0)
    max_pixels: int | None = Field(default=None, gt=0)
    resized_height: int | None = Field(default=None, gt=0)
    resized_width: int | None = Field(default=None, gt=0)


class VideoPart(_Part):
    """A clip: a file, or frames (list, array, tensor) with `sample_fps`. Times are seconds of the original."""

    type: Literal["video"] = "video"
    video: MediaSource
    fps: float | None = Field(default=None, gt=0)
    nframes: int | None = Field(default=None, gt=0)
    min_frames: int | None = Field(default=None, gt=0)
    max_frames: int | None = Field(default=None, gt=0)
    min_pixels: int | None = Field(default=None, gt=0)
    max_pixels: int | None = Field(default=None, gt=0)
    total_pixels: int | None = Field(default=None, gt=0)
    resized_height: int | None = Field(default=None, gt=0)
    resized_width: int | None = Field(default=None, gt=0)
    video_start: float | None = Field(default=None, ge=0)
    video_end: float | None = Field(default=None, gt=0)
    sample_fps: float | None = Field(default=None, gt=0)
    raw_fps: float | None = Field(default=None, gt=0)
    frame_times: tuple[float, ...] | None = None
    value_range: tuple[float, float] | None = None  # black and white of an array that holds no bytes


class DocumentPart(_Part):
    """Pages of a PDF, each of which becomes an image. `pages` counts from 1, as people do; None is all."""

    type: Literal["document"] = "document"
    document: MediaSource
    pages: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    password: str | None = None
    min_pixels: int | None = Field(default=None, gt=0)
    max_pixels: int | None = Field(default=None, gt=0)


Part = TextPart | ImagePart | VideoPart | DocumentPart
_PARTS: dict[str, type[Part]] = {"image": ImagePart, "video": VideoPart, "document": DocumentPart, "text": TextPart}


class ToolCall(_Part):
    name: str
    arguments: dict[str, Any]


class Message(BaseModel):
    """One turn. `tool_calls` appear on assistant turns; a `tool` turn answers them.

    `trained=False` shows an assistant turn in training and takes no loss from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: str
    parts: tuple[Part, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    trained: bool = True

    @property
    def text(self) -> str:
        """All text parts, joined without a separator, as the chat template does."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


class Sampling(BaseModel):
    """How tokens are chosen. `temperature=0` or `top_p=0` is greedy; `seed` makes a sampled answer repeatable.

    Attributes:
        top_k: 0 or -1 keep all tokens.
        min_p: tokens less likely than this share of the likeliest one's probability are left out.
        repetition_penalty: divides the odds of tokens of prompt and answer.
        presence_penalty: taken once from the logits of tokens of the answer; `frequency_penalty` once for each time.
        logit_bias: added to the logits of token ids.
        min_tokens: the answer does not end by itself before. `ignore_eos`: it ends at `max_new_tokens` only, or at
            `stop` and `stop_token_ids`, whose text is not shown.
        skip_special_tokens: the text has no control tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    max_new_tokens: int = Field(default=1024, gt=0)
    temperature: float = Field(default=0.0, ge=0)
    top_k: int = Field(default=0, ge=-1)
    top_p: float = Field(default=1.0, ge=0, le=1)
    min_p: float = Field(default=0.0, ge=0, le=1)
    repetition_penalty: float = Field(default=1.0, ge=0.01)  # far under it logits are no numbers any more
    presence_penalty: float = Field(default=0.0, ge=-2, le=2)
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2)
    logit_bias: dict[int, float] = Field(default_factory=dict[int, float])
    min_tokens: int = Field(default=0, ge=0)
    ignore_eos: bool = False
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    skip_special_tokens: bool = True
    seed: int | None = None


class Usage(BaseModel):
    """Tokens of one request; `media_tokens` are those of the prompt that stand for pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prompt_tokens: int = 0
    completion_tokens: int = 0
    media_tokens: int = 0


class MediaInfo(BaseModel):
    """What the model saw of one picture or clip. Sizes are (width, height) in pixels; times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["image", "video"]
    original_size: tuple[int, int]
    resized_size: tuple[int, int]
    grid_thw: tuple[int, int, int]
    tokens: int
    transform: dict[str, Any]
    second_per_grid_ts: float | None = None
    frame_times: tuple[float, ...] | None = None
    duration: float | None = None
    notes: tuple[str, ...] = ()


class Reply(BaseModel):
    """A model's whole answer. `logprobs` are natural logarithms, one per completion token when known."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str
    finish_reason: Literal["stop", "length", "loop", "cancelled"] = "stop"
    tokens: tuple[int, ...] = ()
    token_texts: tuple[str, ...] = ()
    logprobs: tuple[float, ...] = ()
    usage: Usage = Usage()
    media: tuple[MediaInfo, ...] = ()
    stamp: str = ""


class ChatOptions(TypedDict, total=False):
    """What may be said beside the messages.

    Attributes:
        tools: signatures (JSON schema) of functions that the model may call.
        schema: JSON schema, or grammar: Lark text, that constrains the answer's text; not both.
        sampling: the model's own when absent or None.
    """

    tools: Sequence[dict[str, Any]]
    schema: dict[str, Any] | None
    grammar: str | None
    sampling: Sampling | None


@runtime_checkable
class ChatModel(Protocol):
    """Anything that answers messages. All of evaluation, agents and filters is written against this.

    Classes that inherit from it need `stream` only.
    """

    def chat(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Reply:
        """Answer a conversation, whole."""
        *_, last = self.stream(messages, **options)
        assert isinstance(last, Reply)
        return last

    def stream(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Iterator[str | Reply]:
        """Pieces of the answer's text as they come, then the whole `Reply`; joined pieces equal its text."""
        ...


def user(*parts: Part | str) -> Message:
    """A user turn; strings become text parts."""
    return Message(role="user", parts=tuple(TextPart(text=p) if isinstance(p, str) else p for p in parts))


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
