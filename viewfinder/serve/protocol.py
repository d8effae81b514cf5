"""The bodies of chat requests, in OpenAI's shapes and ours, and their messages as `viewfinder.messages` has them."""

import json
from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from viewfinder.errors import MessageError
from viewfinder.messages import Message, Part, VideoPart
from viewfinder.outputs.tool_calls import CLOSING, OPENING
from viewfinder.serve.body import Body, Finite, check_json
from viewfinder.serve.openai_fields import UNUSED, without_unused
from viewfinder.serve.sampling_fields import SamplingFields
from viewfinder.serve.structured import StructureFields

_BOOKKEEPING = ("cache_control", "uuid", "annotations")  # of parts: where others cache, and what they cite
Coordinates = Literal["original", "model"]


class StreamOptions(Body):
    include_usage: bool = False
    continuous_usage_stats: bool = False
    include_obfuscation: bool = False


class FunctionCall(Body):
    name: str
    arguments: str | dict[str, Any] = ""


class AssistantToolCall(Body):
    """A call as clients keep it: `index` is left over from a stream. Broken arguments are read as text."""

    id: str | None = None
    index: int | None = None
    cache_control: dict[str, Any] | None = None
    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(Body):
    """`content` is text, or parts as `viewfinder.messages` reads them and OpenAI's `file` and `refusal`.

    What agents keep of an answer is taken back: thoughts of models that think are not shown to this one.
    """

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[AssistantToolCall] | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None
    audio: None = None
    function_call: FunctionCall | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    provider_specific_fields: Any = None
    index: int | None = None
    id: str | None = None
    cache_control: dict[str, Any] | None = None

    @field_validator("content")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        check_json(value)
        return value


class Function(Body):
    name: str = Field(min_length=1, max_length=128)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @field_validator("parameters")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        check_json(value)
        return value


class Tool(Body):
    type: Literal["function"]
    function: Function
    cache_control: dict[str, Any] | None = None


class NamedFunction(Body):
    name: str


class NamedTool(Body):
    type: Literal["function"]
    function: NamedFunction


class MediaDefaults(Body):
    """vLLM's `mm_processor_kwargs`: for every part without its own."""

    fps: Finite | None = Field(default=None, gt=0, description="Of a list of frames: the rate they were taken at.")
    nframes: int | None = Field(default=None, gt=0)
    min_frames: int | None = Field(default=None, gt=0)
    max_frames: int | None = Field(default=None, gt=0)
    min_pixels: int | None = Field(default=None, gt=0, le=10**9)
    max_pixels: int | None = Field(default=None, gt=0, le=10**9)
    total_pixels: int | None = Field(default=None, gt=0, le=10**12)

    def fill(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The messages with these values where a part has none."""
        return tuple(
            message.model_copy(update={"parts": tuple(self._filled(part) for part in message.parts)})
            for message in messages
        )

    def _filled(self, part: Part) -> Part:
        given = self.model_dump(exclude_none=True)
        if isinstance(part, VideoPart):
            if part.nframes is not None or part.fps is not None:
                given = {key: value for key, value in given.items() if key not in ("fps", "nframes")}
            if isinstance(part.video, list) and "fps" in given:
                given["sample_fps"] = given.pop("fps")
        update = {key: value for key, value in given.items() if getattr(part, key, value) is None}
        return part.model_copy(update=update)


class ChatTemplateKwargs(Body):
    """Variables of chat templates: those that change nothing in this model's."""

    add_vision_id: Literal[False] | None = None
    add_generation_prompt: Literal[True] | None = None
    enable_thinking: bool | None = None
    thinking: bool | None = None


class ChatRequest(SamplingFields, StructureFields):
    """`POST /v1/chat/completions`."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = Field(default=1, ge=1)
    logprobs: bool = False
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tools: list[Tool] | None = Field(default=None, max_length=128)
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    coordinates: Coordinates = "model"
    min_pixels: int | None = Field(default=None, gt=0, description="For every picture without its own.")
    max_pixels: int | None = Field(default=None, gt=0)
    mm_processor_kwargs: MediaDefaults | None = None
    chat_template_kwargs: ChatTemplateKwargs | None = None

    @classmethod
    def known_elsewhere(cls) -> tuple[str, ...]:
        return tuple(UNUSED)

    @model_validator(mode="before")
    @classmethod
    def _unused(cls, data: Any) -> Any:
        return without_unused(data) if isinstance(data, dict) else data

    @property
    def is_forced(self) -> bool:
        """A tool must be called."""
        return self.tool_choice not in (None, "none", "auto")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs to be true")
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options need stream to be true")
        if self.is_forced and not self.tools:
            raise ValueError("tool_choice asks for a tool and there are no tools")
        if isinstance(self.tool_choice, NamedTool):
            names = [tool.function.name for tool in self.tools or ()]
            if self.tool_choice.function.name not in names:
                raise ValueError(f"tool_choice names a function that is not among {names}")
        if self.num_structures + self.is_forced > 1:
            raise ValueError("only one of response_format, grammar and a required tool can shape an answer")
        return self


def to_plain_messages(messages: list[ChatMessage]) -> list[dict[str, Any]]:
    """Messages as `messages.parse_messages` takes them: `developer` is a system turn, files are media."""
    return [_plain_message(message) for message in messages]


def _plain_message(message: ChatMessage) -> dict[str, Any]:
    content: Any = message.content if isinstance(message.content, list) else [message.content, message.refusal]
    raw: dict[str, Any] = {
        "role": {"developer": "system", "function": "tool"}.get(message.role, message.role),
        "content": [_part(part) for part in content if part is not None],
    }
    calls = [call.function for call in message.tool_calls or ()] or [message.function_call]
    asked = [call for call in calls if call is not None]
    read = [_arguments(call) for call in asked]
    if any(arguments is None for arguments in read):  # what the model wrote, so that it can see its mistake
        texts = (f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments}}}' for call in asked)
        raw["content"] += [f"\n{OPENING}\n{text}\n{CLOSING}" for text in texts]
    elif asked:
        raw["tool_calls"] = [
            {"name": call.name, "arguments": arguments} for call, arguments in zip(asked, read, strict=True)
        ]
    return raw


def _arguments(call: FunctionCall) -> dict[str, Any] | None:
    """As an object; None where the text is not that of one."""
    if isinstance(call.arguments, dict):
        return call.arguments
    try:
        value = json.loads(call.arguments.strip() or "{}")
        check_json(value)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _part(raw: Any) -> Any:
    """OpenAI's `file` part by the kind its data says it is, `refusal` as text; other parts without bookkeeping."""
    if not isinstance(raw, dict):
        return raw
    raw = {key: value for key, value in raw.items() if key not in _BOOKKEEPING}
    if raw.get("type") == "refusal":
        return {"type": "text", "text": str(raw.get("refusal") or "")}
    if "file" not in raw:
        return raw
    file = raw["file"]
    rest = {key: value for key, value in raw.items() if key not in ("file", "type")}
    data = file.get("file_data") if isinstance(file, dict) else None
    if not isinstance(data, str) or set(file) - {"file_data", "filename"}:
        raise MessageError(
            "a file part has no file_data (or more than file_data and filename); send the bytes as a data: URI, "
            "uploaded files are not kept here"
        )
    head = data[:40].lower()
    name = str(file.get("filename") or "").lower()
    if head.startswith("data:video/") or name.endswith((".mp4", ".mov", ".webm", ".mkv", ".avi")):
        return {"video": data, **rest}
    if head.startswith("data:image/"):
        return {"image": data, **rest}
    return {"document": data if head.startswith("data:") else f"data:application/pdf;base64,{data}", **rest}
