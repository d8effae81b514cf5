"""`POST /v1/messages`: Anthropic's Messages API over the one chat request.

Only the body is here; how the answer is written is in `viewfinder.serve.anthropic_form`.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from viewfinder.errors import MessageError
from viewfinder.serve.answering import to_chat_request
from viewfinder.serve.body import Body, Finite, check_json
from viewfinder.serve.neutral import OwnFields, Refused
from viewfinder.serve.protocol import ChatRequest

Blocks = str | list[dict[str, Any]]


class Tool(Body):
    """A tool of the client; `cache_control` and the like change nothing here."""

    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: dict[str, Any] | None = None
    eager_input_streaming: bool | None = None
    defer_loading: Literal[False] | None = None
    input_examples: list[dict[str, Any]] | None = None

    def for_chat(self) -> dict[str, Any]:
        function = {"name": self.name, "description": self.description, "strict": self.strict}
        given = {key: value for key, value in function.items() if value is not None}
        return {"type": "function", "function": {**given, "parameters": self.input_schema}}


class ToolChoice(Body):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None

    def for_chat(self) -> Any:
        if self.type == "tool":
            return {"type": "function", "function": {"name": self.name or ""}}
        return "required" if self.type == "any" else self.type


class JsonOutput(Body):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(Body):
    """`effort` is of reasoning, of which there is none."""

    effort: str | None = None
    format: JsonOutput | None = None


class Turn(Body):
    role: Literal["user", "assistant", "system"]
    content: Blocks


class CountRequest(OwnFields):
    """`POST /v1/messages/count_tokens`; also what `MessagesRequest` shares with it."""

    model: str
    messages: list[Turn] = Field(min_length=1, max_length=2000)
    system: Blocks | None = None
    tools: list[Tool] = Field(default=[], max_length=128)
    tool_choice: ToolChoice | None = None
    output_config: OutputConfig = OutputConfig()
    thinking: dict[str, Any] | None = Field(default=None, description="disabled or adaptive: the model never thinks.")
    cache_control: dict[str, Any] | None = None
    speed: Literal["standard"] | None = None

    @classmethod
    def refused(cls) -> Refused:
        return {
            "container": "no code is run here",
            "diagnostics": "there is nothing to diagnose about caching here",
            "inference_geo": "this server stands where it stands",
            "context_management": "a conversation is never shortened here; leave turns out yourself",
            "mcp_servers": "no tools are run here; declare them in tools and run them yourself",
        }

    @model_validator(mode="after")
    def _plain(self) -> "CountRequest":
        check_json([turn.content for turn in self.messages])
        if self.thinking and self.thinking.get("type") not in ("disabled", "adaptive"):
            raise ValueError("thinking is not taken: the model does not think apart from its answer; leave it out")
        if self.messages[-1].role == "assistant":
            raise ValueError(
                "the last message is the assistant's, and an answer cannot be continued here; end with a user turn"
            )
        return self

    def to_chat(self, **more: Any) -> ChatRequest:
        """The one internal request."""
        choice = None if self.tool_choice is None else self.tool_choice.for_chat()
        schema = self.output_config.format
        parallel = None if self.tool_choice is None else self.tool_choice.disable_parallel_tool_use
        return to_chat_request(
            model=self.model,
            messages=self._messages(),
            tools=[tool.for_chat() for tool in self.tools] or None,
            tool_choice=choice if self.tools or choice not in (None, "none", "auto") else None,
            parallel_tool_calls=None if parallel is None else not parallel,
            response_format=None
            if schema is None
            else {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema.schema_}},
            **{**self.own, **more},
        )

    def _messages(self) -> list[dict[str, Any]]:
        first = [] if self.system is None else [{"role": "system", "content": _content(self.system, "system")}]
        turns = enumerate(self.messages)
        return first + [said for i, turn in turns for said in _turn(turn, f"messages[{i}].content")]


class MessagesRequest(CountRequest):
    """`POST /v1/messages`."""

    max_tokens: int = Field(gt=0, le=10**6)
    stream: bool = False
    temperature: Finite | None = None
    top_p: Finite | None = None
    stop_sequences: Annotated[list[str], Field(max_length=16)] | None = None
    metadata: dict[str, Any] | None = None
    service_tier: Literal["auto", "standard_only"] | None = None

    def to_chat(self, **more: Any) -> ChatRequest:
        return super().to_chat(
            max_tokens=self.max_tokens,
            stream=self.stream,
            stream_options={"include_usage": True} if self.stream else None,
            temperature=self.temperature,
            top_p=self.top_p,
            stop=self.stop_sequences or None,
            **more,
        )


def _turn(turn: Turn, where: str) -> Iterator[dict[str, Any]]:
    """One turn as chat messages: results of tools are turns of their own, before what the user says beside them."""
    if isinstance(turn.content, str):
        yield {"role": turn.role, "content": turn.content}
        return
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for i, block in enumerate(turn.content):
        kind, here = block.get("type"), f"{where}[{i}]"
        if kind == "tool_use":
            arguments = block.get("input")
            if not isinstance(block.get("name"), str) or not isinstance(arguments, dict):
                raise MessageError(f"{here} is a tool_use without a name or an input object; give both")
            spelt = json.dumps(arguments, ensure_ascii=False)
            calls.append({"type": "function", "function": {"name": block["name"], "arguments": spelt}})
        elif kind == "tool_result":
            yield _result(block, here)
        elif kind not in ("thinking", "redacted_thinking"):  # another model's thoughts are not shown to this one
            parts += _parts(block, here)
    if parts or calls:
        yield {"role": turn.role, "content": parts or None, **({"tool_calls": calls} if calls else {})}


def _result(block: dict[str, Any], where: str) -> dict[str, Any]:
    """What a tool gave. ChatML has no mark for a failure, so it is said in words."""
    content = _content(block.get("content") or "", where)
    if block.get("is_error"):
        failed = [{"type": "text", "text": "Error: "}]
        content = failed + ([{"type": "text", "text": content}] if isinstance(content, str) else content)
    return {"role": "tool", "content": content, "tool_call_id": str(block.get("tool_use_id", ""))}


def _content(value: Blocks, where: str) -> Any:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise MessageError(f"{where} is {type(value).__name__}, expected text or a list of blocks")
    return [part for i, block in enumerate(value) for part in _parts(block, f"{where}[{i}]")]


def _parts(block: Any, where: str) -> list[dict[str, Any]]:
    """A text, image or document block as parts of a chat message."""
    if not isinstance(block, dict):
        raise MessageError(f"{where} is {type(block).__name__}, expected a block with a type")
    kind = block.get("type")
    noise = ("type", "cache_control", "citations", "source", "title", "context", "transformations")
    rest = {key: value for key, value in block.items() if key not in noise and value is not None}
    for key in ("citations", "transformations"):
        if isinstance(asked := block.get(key), dict) and asked.get("enabled", True):
            raise MessageError(f"{where} asks for {key}, which this server does not make; leave it out")
    for key in ("title", "context"):
        if not isinstance(named := block.get(key) or "", str):
            raise MessageError(f"{where}.{key} is {type(named).__name__}, expected text")
    if kind == "text":
        return [{"type": "text", **rest}]
    if kind not in ("image", "document"):
        raise MessageError(f"{where} is a {str(kind)[:40]!r}, expected text, image, document, tool_use or tool_result")
    if not isinstance(source := block.get("source"), dict):
        raise MessageError(f"{where} has no source; give one of the type base64 or url")
    title = [block[key] for key in ("title", "context") if block.get(key)]
    return [{"type": "text", "text": text + "\n"} for text in title] + _sourced(kind, source, rest, where)


def _sourced(kind: str, source: dict[str, Any], rest: dict[str, Any], where: str) -> list[dict[str, Any]]:
    form, data = source.get("type"), source.get("data")
    if form == "content" and kind == "document":
        content = _content(source.get("content") or "", f"{where}.source.content")
        return [{"type": "text", "text": content}] if isinstance(content, str) else content
    if form == "text" and kind == "document" and isinstance(data, str):
        return [{"type": "text", "text": data}]
    if form == "base64" and isinstance(data, str):
        return [{"type": kind, kind: f"data:{source.get('media_type', '')};base64,{data}", **rest}]
    if form == "url" and isinstance(source.get("url"), str):
        return [{"type": kind, kind: source["url"], **rest}]
    if form == "file":
        raise MessageError(f"{where} names an uploaded file, and none are kept here; send its bytes as base64")
    raise MessageError(f"{where}.source is no base64 data, url or text; give one of them with its data")
