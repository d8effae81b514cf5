"""Structures, tools and their results, as the official client sends and gets them."""

import json
from typing import Any

import openai
import pytest

from tests.serve.conftest import Running
from tests.serve.official_client import ask
from viewfinder.serve.protocol import ChatMessage, to_plain_messages


@pytest.fixture(scope="module")
def client(small_server: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{small_server.url}/v1", api_key="none", max_retries=0, timeout=60)


def test_json_schema_is_obeyed(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"total": {"type": "integer", "minimum": 0, "maximum": 99}, "paid": {"type": "boolean"}},
        "required": ["total", "paid"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "receipt", "schema": schema, "strict": True}}
    answer = ask(client, response_format=form, max_tokens=60, temperature=1.0, seed=1)
    value = json.loads(answer.choices[0].message.content)
    assert set(value) == {"total", "paid"}
    assert 0 <= value["total"] <= 99


TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "does it",
            "parameters": {
                "type": "object",
                "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 9}},
                "required": ["x"],
                "additionalProperties": False,
            },
        },
    }
    for name in ("click", "type")
]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "type"}}])
def test_tools_are_called_in_openais_form(client: openai.OpenAI, choice: Any) -> None:
    answer = ask(client, tools=TOOLS, tool_choice=choice, max_tokens=120)
    (call,) = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.function.name in ({"click", "type"} if choice == "required" else {"type"})
    assert 0 <= json.loads(call.function.arguments)["x"] <= 9
    chunks = list(ask(client, tools=TOOLS, tool_choice=choice, max_tokens=120, stream=True))
    streamed = [c for chunk in chunks for ch in chunk.choices for c in ch.delta.tool_calls or ()]
    assert [c.function.name for c in streamed] == [call.function.name, *[None] * (len(streamed) - 1)]
    assert "".join(c.function.arguments for c in streamed) == call.function.arguments
    assert len(streamed) > 3  # as they are written
    assert not any("tool_call" in (ch.delta.content or "") for chunk in chunks for ch in chunk.choices)


def test_a_conversation_with_tool_results_goes_on(client: openai.OpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "click", "arguments": '{"x": 1}'}}
    messages: list[Any] = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": "click"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    ]
    answer = client.chat.completions.create(model="small", messages=messages, tools=TOOLS, max_tokens=3)
    assert answer.usage.completion_tokens == 3


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({"guided_choice": ["yes", 'n"o']}, {"yes", 'n"o'}),
        ({"structured_outputs": {"regex": "[ab]{3}x"}}, {f"{x}{y}{z}x" for x in "ab" for y in "ab" for z in "ab"}),
        ({"guided_json": '{"const": 7}'}, {"7"}),
        ({"guided_grammar": 'start: "g"'}, {"g"}),
    ],
)
def test_structures_as_vllm_has_them(client: openai.OpenAI, options: dict[str, Any], texts: set[str]) -> None:
    assert ask(client, extra_body=options).choices[0].message.content in texts


def test_objects_are_closed_and_strict_asks_for_all(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"x": {"enum": [1]}, "y": {"enum": [2]}}, "required": ["x"]}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    for seed in range(3):
        answer = ask(client, response_format=form, temperature=2, seed=seed, max_tokens=60)
        assert json.loads(answer.choices[0].message.content) == {"x": 1, "y": 2}
        form_open = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
        answer = ask(client, response_format=form_open, temperature=2, seed=seed, max_tokens=60)
        assert json.loads(answer.choices[0].message.content) in ({"x": 1}, {"x": 1, "y": 2})


@pytest.mark.parametrize("tokens", [3, 22, 38])
def test_a_forced_call_that_is_cut_is_a_part_of_a_call(client: openai.OpenAI, tokens: int) -> None:
    wide = {"name": "type", "parameters": {"type": "object", "properties": {"t": {"const": "x" * 90}}}}
    options: dict[str, Any] = {"tools": [{"type": "function", "function": wide}], "tool_choice": "required"}
    (choice,) = ask(client, max_tokens=tokens, **options).choices
    assert (choice.finish_reason, choice.message.content or "") == ("length", "")
    deltas = [c.delta for chunk in ask(client, max_tokens=tokens, stream=True, **options) for c in chunk.choices]
    assert not any(delta.content for delta in deltas)
    streamed = "".join(call.function.arguments for delta in deltas for call in delta.tool_calls or ())
    calls = choice.message.tool_calls or []
    assert streamed == "".join(call.function.arguments for call in calls)
    if tokens == 38:
        assert calls[0].function.name == "type"


def test_history_as_agents_keep_it(client: openai.OpenAI) -> None:
    call = {"id": "1", "index": 0, "type": "function", "function": {"name": "click", "arguments": '{"x": '}}
    empty = {"id": "2", "type": "function", "function": {"name": "click", "arguments": ""}}
    cached = {"type": "text", "text": "go", "cache_control": {"type": "ephemeral"}, "uuid": None}
    messages: list[Any] = [
        {"role": "user", "content": [cached]},
        {"role": "assistant", "content": None, "reasoning_content": "hm", "index": 0, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "bad arguments"},
        {"role": "assistant", "content": "", "tool_calls": [empty], "annotations": [], "refusal": None},
        {"role": "function", "name": "click", "content": "done"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "user", "content": "and?"},
    ]
    answer = client.chat.completions.create(model="small", messages=messages, tools=TOOLS, max_tokens=3)
    assert answer.usage.completion_tokens == 3
    plain = to_plain_messages([ChatMessage.model_validate(message) for message in messages])
    assert plain[1]["content"] == ['\n<tool_call>\n{"name": "click", "arguments": {"x": }\n</tool_call>']
    assert plain[3]["tool_calls"] == [{"name": "click", "arguments": {}}]
    assert plain[5]["content"] == [{"type": "text", "text": "no"}]
