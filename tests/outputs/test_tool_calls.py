"""Tool calls as written by the official checkpoints, and as written by sloppier ones."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.messages import ToolCall
from viewfinder.outputs.tool_calls import (
    format_tool_call,
    format_tool_calls,
    parse_tool_calls,
    split_tool_calls,
    tool_call_grammar,
)

CLICK = ToolCall(name="mobile_use", arguments={"action": "click", "coordinate": [935, 406]})
OFFICIAL = (
    '<tool_call>\n{"name": "mobile_use", "arguments": {"action": "click", "coordinate": [935, 406]}}\n</tool_call>'
)


def test_the_official_form() -> None:
    assert format_tool_call(CLICK) == OFFICIAL
    assert parse_tool_calls(OFFICIAL) == [CLICK]
    assert split_tool_calls("I tap it.\n" + OFFICIAL) == ("I tap it.", [CLICK])
    assert format_tool_calls([CLICK, CLICK], "I tap it.") == f"I tap it.\n{OFFICIAL}\n{OFFICIAL}"
    assert split_tool_calls(format_tool_calls([CLICK, CLICK], "I tap it.")) == ("I tap it.", [CLICK, CLICK])


@pytest.mark.parametrize(
    "text",
    [
        OFFICIAL.removesuffix("\n</tool_call>"),
        OFFICIAL.replace("\n", ""),
        OFFICIAL.removesuffix("</tool_call>") + "<tool_call>\n{",
        "```json\n" + OFFICIAL.splitlines()[1] + "\n```",
        OFFICIAL.splitlines()[1],
        '<tool_call>{"name": "mobile_use", "arguments": "{\\"action\\": \\"click\\", \\"coordinate\\": [935, 406]}"}',
        "<tool_call>{'name': 'mobile_use', 'parameters': {'action': 'click', 'coordinate': [935, 406],},}</tool_call>",
        OFFICIAL.replace("}}", "}"),
    ],
)
def test_sloppy_forms(text: str) -> None:
    assert split_tool_calls(text) == ("", [CLICK])


def test_what_is_no_call() -> None:
    assert split_tool_calls("Nothing to do.") == ("Nothing to do.", [])
    assert parse_tool_calls('<tool_call>\n{"name": "mobile_use", "arguments": {"action": "cl') == []
    assert parse_tool_calls('{"name": "Ada", "age": 36}') == []


def test_objects_inside_arguments_are_not_calls() -> None:
    call = ToolCall(name="save", arguments={"task": {"name": "inner", "arguments": {}}})
    assert parse_tool_calls(format_tool_call(call)) == [call]


arguments = st.dictionaries(
    st.text(max_size=6), st.integers() | st.text(max_size=9) | st.lists(st.integers(), max_size=2)
)


@given(st.lists(st.builds(ToolCall, name=st.text("abc_", min_size=1, max_size=6), arguments=arguments), max_size=3))
def test_format_then_parse_is_the_same(calls: list[ToolCall]) -> None:
    assert parse_tool_calls(format_tool_calls(calls)) == [
        call for call in calls if "<tool_call>" not in json.dumps(call.arguments)
    ]


@given(st.text(alphabet='<tool_call>{"name": "a", "arguments": {}}/\n', max_size=80))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    parse_tool_calls(text)


def test_the_grammar_names_each_tool() -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("a", "b")]
    text = tool_call_grammar(tools)
    assert text.startswith('start: THOUGHT? "<tool_call>" (call0 | call1) "</tool_call>"\n')
    bare = tool_call_grammar([{"name": "wait"}])
    assert 'arguments0: %json {"type": "object", ' in bare
    assert "THOUGHT" not in tool_call_grammar(tools, thought=False)
