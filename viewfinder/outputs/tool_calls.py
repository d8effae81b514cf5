"""Tool calls: text of the model <-> `ToolCall`, in the form the checkpoints were trained on.

    <tool_call>
    {"name": "mobile_use", "arguments": {"action": "click", "coordinate": [935, 406]}}
    </tool_call>

Thought may stand before a call. Reading also takes calls without tags, without the closing tag, in a
fence, or with their arguments as a JSON string. Which tools exist is not known here.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from viewfinder.messages import ToolCall
from viewfinder.outputs.json_schema import closed
from viewfinder.outputs.loose_json import JsonObject, JsonValue, find_objects, find_value, outermost

OPENING = "<tool_call>"
CLOSING = "</tool_call>"
_BLOCK = re.compile(rf"{OPENING}(.*?)(?:{CLOSING}|(?={OPENING})|\Z)", re.DOTALL)
_FENCE = re.compile(r"```\w*\s*\Z|\A\s*```")


def parse_tool_calls(text: str) -> list[ToolCall]:
    """Every complete call of an answer, in order; never raises. A call cut off by the end of the text is left out."""
    return split_tool_calls(text)[1]


def split_tool_calls(text: str) -> tuple[str, list[ToolCall]]:
    """The words around the calls, and the calls.

    `"I tap.\\n<tool_call>\\n{...}\\n</tool_call>"` gives `("I tap.", [ToolCall(...)])`.
    """
    blocks = list(_BLOCK.finditer(text))
    if blocks:
        # the closing tag also closes a brace that was forgotten
        bodies = [block[1] + ("}" if block[0].endswith(CLOSING) else "") for block in blocks]
        calls = [call for body in bodies for call, _, _ in _calls_in(body)]
        return _BLOCK.sub("", text).strip(), calls
    found = _calls_in(text)
    if not found:
        return text.strip(), []
    before, after = text[: found[0][1]], text[found[-1][2] :]
    return (_FENCE.sub("", before) + _FENCE.sub("", after)).strip(), [call for call, _, _ in found]


def _calls_in(text: str) -> list[tuple[ToolCall, int, int]]:
    candidates = [one for one in find_objects(text) if _arguments(one.fields) is not None]
    result: list[tuple[ToolCall, int, int]] = []
    for one in outermost(candidates):
        arguments = _arguments(one.fields)
        assert arguments is not None
        result.append((ToolCall(name=str(one.fields["name"]), arguments=arguments), one.start, one.end))
    return result


def _arguments(fields: JsonObject) -> JsonObject | None:
    """The arguments of what is a call; None for any other object."""
    if not isinstance(fields.get("name"), str):
        return None
    value: JsonValue = fields.get("arguments", fields.get("parameters"))
    if isinstance(value, str):
        value = find_value(value)
    return value if isinstance(value, dict) else None


def format_tool_call(call: ToolCall) -> str:
    """One call between its tags."""
    body = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
    return f"{OPENING}\n{body}\n{CLOSING}"


def format_tool_calls(calls: Iterable[ToolCall], thought: str = "") -> str:
    """Thought, if any, and calls, each beginning on a new line."""
    return "\n".join([*([thought] if thought else []), *map(format_tool_call, calls)])


def tool_call_grammar(tools: Sequence[dict[str, Any]], thought: bool = True, longest: int | None = None) -> str:
    """Lark grammar of exactly one call to one of `tools`, its arguments bound by that tool's JSON schema.

    A function takes the arguments it names: a schema that says nothing of others allows none, else a weak model
    invents them until its budget is spent.

    Args:
        tools: OpenAI's form, `{"type": "function", "function": {"name": ..., "parameters": {...}}}`.
        thought: whether words may come first, on lines of their own.
        longest: characters of these words; None lets a model think until its budget is spent, and never act.
    """
    assert tools, "a call needs a tool"
    spacing = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
    rules: list[str] = []
    for i, tool in enumerate(tools):
        function: dict[str, Any] = tool.get("function", tool)
        parameters: dict[str, Any] = closed(
            function.get("parameters") or {"type": "object"}, all_required=bool(function.get("strict"))
        )
        name = json.dumps(function["name"])
        head = json.dumps(f'\n{{"name": {name}, "arguments": ', ensure_ascii=False)
        rules += [f'call{i}: {head} arguments{i} "}}\\n"']
        rules += [f"arguments{i}: %json {json.dumps({**parameters, 'x-guidance': spacing})}"]
    choice = " | ".join(f"call{i}" for i in range(len(tools)))
    first = "THOUGHT? " if thought else ""
    words = [f"THOUGHT: /[^<]{f'{{1,{longest}}}' if longest else '+'}\\n/"] if thought else []
    return "\n".join([f'start: {first}"{OPENING}" ({choice}) "{CLOSING}"', *words, *rules]) + "\n"
