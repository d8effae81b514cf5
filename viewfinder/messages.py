"""What people say to a model and what it says back: parts, messages, replies, and the `ChatModel` protocol.

OpenAI's and the official Qwen message shapes both parse into `Message`; an unknown key is an error,
never ignored. Knows nothing of pixels, tokens or tensors, so that evaluation, agents and filters can
talk to any model: in process, our server, or another engine's.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Protocol, TypedDict, Unpack, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

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
