"""The bodies of requests, in OpenAI's shapes and ours; an unknown field is an error, never ignored.

Fields of OpenAI's API that this engine has no use for are accepted at the value that changes nothing and
refused at any other.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from viewfinder.errors import MessageError
from viewfinder.messages import Message, Part, VideoPart

Coordinates = Literal["original", "model"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
_DEEPEST = 48


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StreamOptions(Body):
    include_usage: bool = False
    include_obfuscation: bool = False


class FunctionCall(Body):
    name: str
    arguments: str | dict[str, Any]


class AssistantToolCall(Body):
    id: str | None = None
    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(Body):
    """`content` is text, or parts as `viewfinder.messages` reads them and OpenAI's `file`."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[AssistantToolCall] | None = None
    refusal: None = None
    annotations: list[Any] | None = Field(default=None, max_length=0)
    audio: None = None
    function_call: None = None

    @field_validator("content")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        check_json(value)
        return value


class JsonSchema(Body):
    name: str = "answer"
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None

    @field_validator("schema_")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        check_json(value)
        return value


class ResponseFormat(Body):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _complete(self) -> "ResponseFormat":
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("type json_schema and the field json_schema go together")
        return self

    @property
    def schema_for_engine(self) -> dict[str, Any] | None:
        if self.json_schema is not None:
            return self.json_schema.schema_
        return {"type": "object"} if self.type == "json_object" else None


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


class ChatRequest(Body):
    """`POST /v1/chat/completions`."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, gt=0, le=10**6)
    max_completion_tokens: int | None = Field(default=None, gt=0, le=10**6)
    temperature: Finite | None = Field(default=None, ge=0, le=100)
    top_p: Finite | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=10**6)
    repetition_penalty: Finite | None = Field(default=None, gt=0, le=100)
    n: int = Field(default=1, ge=1)
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    logprobs: bool = False
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tools: list[Tool] | None = Field(default=None, max_length=128)
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    grammar: str | None = Field(default=None, max_length=200_000, description="Lark grammar of the answer.")
    coordinates: Coordinates = "model"
    min_pixels: int | None = Field(default=None, gt=0, description="For every picture without its own.")
    max_pixels: int | None = Field(default=None, gt=0)
    mm_processor_kwargs: MediaDefaults | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    service_tier: Literal["auto", "default"] | None = None
    frequency_penalty: Finite | None = Field(default=None, ge=0, le=0, description="Only 0; see repetition_penalty.")
    presence_penalty: Finite | None = Field(default=None, ge=0, le=0, description="Only 0; see repetition_penalty.")
    logit_bias: dict[str, float] | None = Field(default=None, max_length=0)

    @model_validator(mode="after")
    def _consistent(self) -> "ChatRequest":
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs to be true")
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options need stream to be true")
        if self.tool_choice not in (None, "none", "auto") and not self.tools:
            raise ValueError("tool_choice asks for a tool and there are no tools")
        if isinstance(self.tool_choice, NamedTool):
            names = [tool.function.name for tool in self.tools or ()]
            if self.tool_choice.function.name not in names:
                raise ValueError(f"tool_choice names a function that is not among {names}")
        schema = self.response_format is not None and self.response_format.type != "text"
        forced = self.tool_choice not in (None, "none", "auto")
        if schema + forced + (self.grammar is not None) > 1:
            raise ValueError("only one of response_format, grammar and a required tool can shape an answer")
        return self


def check_json(value: Any, depth: int = 0) -> None:
    """Refuse what would hurt further inside: nesting without end, and halves of characters.

    Raises:
        ValueError: says which.
    """
    if depth > _DEEPEST:
        raise ValueError(f"is nested over {_DEEPEST} levels deep")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("holds a lone surrogate, which is no text") from None
    elif isinstance(value, dict):
        for key, part in value.items():
            check_json(key, depth)
            check_json(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            check_json(part, depth + 1)


def to_plain_messages(messages: list[ChatMessage]) -> list[dict[str, Any]]:
    """Messages as `messages.parse_messages` takes them: `developer` is a system turn, files are media."""
    result: list[dict[str, Any]] = []
    for message in messages:
        raw: dict[str, Any] = {
            "role": "system" if message.role == "developer" else message.role,
            "content": [_part(part) for part in message.content]
            if isinstance(message.content, list)
            else message.content,
        }
        if message.tool_calls:
            raw["tool_calls"] = [call.model_dump(include={"function"}) for call in message.tool_calls]
        result.append(raw)
    return result


def _part(raw: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's `file` part by the kind its data says it is; other parts as they are."""
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
