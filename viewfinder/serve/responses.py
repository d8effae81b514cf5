"""`POST /v1/responses`: OpenAI's Responses API over the one chat request, stateless.

Only the body is here; how the answer is written is in `viewfinder.serve.responses_form`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from viewfinder.errors import MessageError
from viewfinder.serve.answering import to_chat_request
from viewfinder.serve.body import Body, Finite, check_json
from viewfinder.serve.neutral import OwnFields, Refused
from viewfinder.serve.protocol import ChatRequest

_STORED = "nothing is kept here between requests; send the whole conversation in input"
_PART_TYPES = ("input_text", "output_text", "text", "input_image", "input_file", "input_video", "refusal")
_PASSED = ("message", "function_call", "function_call_output", "reasoning")


class JsonFormat(Body):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None

    def for_chat(self) -> dict[str, Any] | None:
        """As `response_format`."""
        if self.type != "json_schema":
            return None if self.type == "text" else {"type": self.type}
        inner = self.model_dump(by_alias=True, exclude_none=True, exclude={"type"})
        return {"type": "json_schema", "json_schema": {"name": "answer", **inner}}


class TextConfig(Body):
    format: JsonFormat = JsonFormat(type="text")
    verbosity: Literal["medium"] | None = None


class FunctionTool(Body):
    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    defer_loading: Literal[False] | None = None

    def for_chat(self) -> dict[str, Any]:
        return {"type": "function", "function": self.model_dump(exclude_none=True, exclude={"type", "defer_loading"})}


class ToolName(Body):
    type: Literal["function"]
    name: str


class AllowedTools(Body):
    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[ToolName] = Field(min_length=1, max_length=128)


class StreamOptions(Body):
    include_obfuscation: Literal[False] | None = None


class Reasoning(Body):
    """The model does not reason apart from its answer, so every amount of it is none."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: Literal["standard"] | None = None


class CacheOptions(Body):
    """Caching is automatic here and changes no answer."""

    mode: str | None = None
    ttl: str | None = None
    prewarm: Literal[False] | None = None


class ImageOptions(Body):
    context_compression: Literal["auto", "disabled"] | None = None


class ResponsesRequest(OwnFields):
    """`POST /v1/responses`."""

    model: str
    input: str | Annotated[list[dict[str, Any]], Field(min_length=1, max_length=2000)]
    instructions: str | None = None
    stream: bool = False
    max_output_tokens: int | None = Field(default=None, gt=0, le=10**6)
    temperature: Finite | None = None
    top_p: Finite | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    include: list[str] = Field(default=[], max_length=32, description="message.output_text.logprobs is honoured.")
    tools: list[FunctionTool] = Field(default=[], max_length=128)
    tool_choice: Literal["none", "auto", "required"] | ToolName | AllowedTools = "auto"
    parallel_tool_calls: bool | None = None
    text: TextConfig = TextConfig()
    stop: str | list[str] | None = None
    metadata: dict[str, str] | None = None
    truncation: Literal["disabled"] | None = None
    store: Literal[False] | None = None
    background: Literal[False] | None = None
    stream_options: StreamOptions | None = None
    reasoning: Reasoning | None = None
    max_tool_calls: int | None = Field(default=None, gt=0, description="Of built-in tools, of which there are none.")
    service_tier: Literal["auto", "default"] | None = None
    image: ImageOptions | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: CacheOptions | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    user: str | None = None

    @classmethod
    def refused(cls) -> Refused:
        return {
            "store": _STORED,
            "previous_response_id": _STORED,
            "conversation": _STORED,
            "background": "an answer is only given to the request that waits for it",
            "background_options": "an answer is only given to the request that waits for it",
            "prompt": "no prompt templates are kept here; send the text itself in instructions and input",
            "context_management": "a conversation is never shortened here; leave turns out yourself",
            "moderation": "there is no moderation model here",
            "access_programs": "there are no access programs here",
        }

    @model_validator(mode="after")
    def _plain(self) -> "ResponsesRequest":
        check_json(self.input)
        return self

    @property
    def wants_logprobs(self) -> bool:
        return bool(self.top_logprobs) or "message.output_text.logprobs" in self.include

    def to_chat(self) -> ChatRequest:
        """The one internal request."""
        choice: Any = self.tool_choice
        tools = list(self.tools)
        if isinstance(choice, AllowedTools):
            names = {tool.name for tool in choice.tools}
            if missing := names - {tool.name for tool in tools}:
                raise MessageError(f"tool_choice allows {sorted(missing)[0]!r}, which is not among the tools")
            tools, choice = [tool for tool in tools if tool.name in names], choice.mode
        elif isinstance(choice, ToolName):
            choice = {"type": "function", "function": {"name": choice.name}}
        return to_chat_request(
            model=self.model,
            messages=self._messages(),
            stream=self.stream,
            stream_options={"include_usage": True} if self.stream else None,
            max_completion_tokens=self.max_output_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            stop=self.stop,
            logprobs=self.wants_logprobs or None,
            top_logprobs=self.top_logprobs,
            tools=[tool.for_chat() for tool in tools] or None,
            tool_choice=choice if tools or choice == "required" else None,
            parallel_tool_calls=self.parallel_tool_calls,
            response_format=self.text.format.for_chat(),
            **self.own,
        )

    def _messages(self) -> list[dict[str, Any]]:
        first = [] if self.instructions is None else [{"role": "system", "content": self.instructions}]
        if isinstance(self.input, str):
            return [*first, {"role": "user", "content": self.input}]
        return first + to_messages(self.input)


def to_messages(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Input items as chat messages: calls join the assistant turn before them, reasoning of other models is dropped.

    Raises:
        MessageError: an item or part of no known kind, or one that is kept elsewhere.
    """
    result: list[dict[str, Any]] = []
    for i, raw in enumerate(items):
        item = {key: value for key, value in raw.items() if value is not None}
        kind = item.get("type", "message")
        if kind not in _PASSED:
            raise MessageError(f"input[{i}] is a {str(kind)[:40]!r}; {_STORED}, as {', '.join(_PASSED)}")
        if kind == "message":
            result.append({"role": item.get("role"), "content": _content(item.get("content"), f"input[{i}].content")})
        elif kind == "function_call":
            call = {key: item.get(key) for key in ("name", "arguments")}
            if not all(isinstance(value, str) for value in call.values()):
                raise MessageError(f"input[{i}] is a function_call without name or arguments as text; give both")
            if not result or result[-1]["role"] != "assistant":
                result.append({"role": "assistant", "content": None})
            result[-1].setdefault("tool_calls", []).append({"type": "function", "function": call})
        elif kind == "function_call_output":
            output = _content(item.get("output"), f"input[{i}].output")
            result.append({"role": "tool", "content": output, "tool_call_id": str(item.get("call_id", ""))})
    return result


def _content(value: Any, where: str) -> Any:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise MessageError(f"{where} is {type(value).__name__}, expected text or a list of parts")
    return [_part(part, f"{where}[{i}]") for i, part in enumerate(value)]


def _part(raw: Any, where: str) -> dict[str, Any]:
    """A part of an item as a part of a chat message."""
    if not isinstance(raw, dict) or raw.get("type") not in _PART_TYPES:
        found = raw.get("type") if isinstance(raw, dict) else raw
        raise MessageError(f"{where} is {str(found)[:40]!r}, expected a part of the types {', '.join(_PART_TYPES)}")
    noise = ("prompt_cache_breakpoint", "annotations", "logprobs")
    part = {key: value for key, value in raw.items() if value is not None and key not in noise}
    if "file_id" in part:
        raise MessageError(f"{where} names an uploaded file, and none are kept here; send its bytes as a data: URI")
    kind = part.pop("type")
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", **part}
    if kind == "refusal":
        return {"type": "text", "text": part.get("refusal", "")}
    if kind == "input_video":
        return {"type": "video_url", **part}
    if kind == "input_image":
        return {"type": "image_url", **part}
    part.pop("detail", None)
    if "file_url" in part:
        part.pop("filename", None)
        return {"type": "document", "document": part.pop("file_url"), **part}
    file = {key: part.pop(key) for key in ("file_data", "filename") if key in part}
    return {"type": "file", "file": file, **part}
