"""`/v1/responses` by OpenAI's official client, whose types are the oracle for every answer and every event."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.serve.conftest import SANDBOX, Running, serving
from tests.serve.tool_script import CALL, FOUND, SPECIFICATION, WORDS, tool_engine, tool_serving
from viewfinder.messages import ImagePart, Sampling, user
from viewfinder.serve.settings import ServeSettings

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TOOL: Any = {"type": "function", "name": "look_up", "parameters": SPECIFICATION, "strict": True}


def client_of(running: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0, timeout=60)


@pytest.fixture(scope="module")
def client(small_server: Running) -> Iterator[openai.OpenAI]:
    with client_of(small_server) as client:
        yield client


@pytest.fixture(scope="module")
def scripted() -> Iterator[openai.OpenAI]:
    with tool_serving() as running, client_of(running) as client:
        yield client


def ask(client: openai.OpenAI, content: Any = "hello", **options: Any) -> Any:
    options = {"max_output_tokens": 12, "temperature": 0, **options}
    answer = client.responses.create(model="small", input=content, **options)
    if not options.get("stream"):
        Response.model_validate(answer.to_dict())  # the client itself builds its objects without checking
    return answer


def events_of(client: openai.OpenAI, content: Any = "hello", **options: Any) -> list[Any]:
    events = list(ask(client, content, stream=True, **options))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    return [EVENT.validate_python(event.to_dict()) for event in events]


def with_picture(uri: str) -> list[dict[str, Any]]:
    parts = [
        {"type": "input_image", "image_url": uri, "detail": "auto"},
        {"type": "input_text", "text": "What is it?"},
    ]
    return [{"role": "user", "content": parts}]


def test_words_equal_the_engine_and_the_answer_says_that_it_was_cut(
    client: openai.OpenAI, small_server: Running
) -> None:
    answer = ask(client)
    reply = small_server.server.engine.engine.chat([user("hello")], sampling=Sampling(max_new_tokens=12))
    assert answer.output_text == reply.text
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert answer.usage.input_tokens == reply.usage.prompt_tokens
    assert answer.usage.output_tokens == 12
    assert answer.usage.total_tokens == answer.usage.input_tokens + 12
    assert answer.viewfinder["stamp"] == reply.stamp


def test_a_picture_is_seen_as_the_engine_sees_it(
    client: openai.OpenAI, small_server: Running, picture_uri: str
) -> None:
    engine = small_server.server.engine.engine
    reply = engine.chat([user(ImagePart(image=picture_uri), "What is it?")], sampling=Sampling(max_new_tokens=12))
    assert ask(client, with_picture(picture_uri)).output_text == reply.text


@pytest.mark.parametrize("options", [{}, {"top_logprobs": 2}, {"include": ["message.output_text.logprobs"]}])
def test_events_joined_are_the_whole(client: openai.OpenAI, options: dict[str, Any]) -> None:
    whole = ask(client, **options)
    events = events_of(client, **options)
    kinds = [kind for kind, _ in itertools.groupby(event.type.removeprefix("response.") for event in events)]
    assert kinds == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "incomplete"),
    ]
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert "".join(event.delta for event in deltas) == whole.output_text
    last = events[-1].response
    assert last.output_text == whole.output_text
    assert last.usage == whole.usage
    (part,), (message,) = last.output[0].content, whole.output
    assert part.logprobs == message.content[0].logprobs
    assert len(part.logprobs) == (12 if options else 0)


def test_the_client_puts_a_response_together_from_the_events(scripted: openai.OpenAI) -> None:
    with scripted.responses.stream(model="small", input="weather?", tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()
    said, call = response.output
    assert said.content[0].text.strip() == WORDS.strip()
    assert (call.name, json.loads(call.arguments)) == ("look_up", CALL["arguments"])
    assert call.parsed_arguments == CALL["arguments"]
    assert kinds[-2:] == ["response.output_item.done", "response.completed"]
    assert kinds.count("response.output_item.added") == 2


def test_a_tool_is_called_and_its_result_read(scripted: openai.OpenAI) -> None:
    first = ask(scripted, "weather?", tools=[TOOL], max_output_tokens=200)
    assert [item.type for item in first.output] == ["message", "function_call"]
    assert first.status == "completed"
    call = first.output[1]
    history = [
        {"role": "user", "content": "weather?"},
        *(item.to_dict() for item in first.output),
        {"type": "function_call_output", "call_id": call.call_id, "output": "21 C"},
    ]
    second = ask(scripted, history, tools=[TOOL], max_output_tokens=40)
    assert second.output_text == FOUND
    events = events_of(scripted, "weather?", tools=[TOOL], max_output_tokens=200)
    done = next(event for event in events if event.type == "response.function_call_arguments.done")
    assert json.loads(done.arguments) == CALL["arguments"]


def test_history_and_instructions_are_the_chat_of_the_same_words(client: openai.OpenAI) -> None:
    said = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "yes", "annotations": []}],
        },
    ]
    answer = ask(
        client, [{"role": "user", "content": "one"}, *said, {"role": "user", "content": "two"}], instructions="Be."
    )
    messages: Any = [
        {"role": "system", "content": "Be."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "two"},
    ]
    chat = client.chat.completions.create(model="small", messages=messages, max_tokens=12, temperature=0)
    assert answer.output_text == chat.choices[0].message.content
    assert answer.usage.input_tokens == chat.usage.prompt_tokens


def test_a_schema_shapes_the_words(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    form: Any = {"format": {"type": "json_schema", "name": "verdict", "schema": schema, "strict": True}}
    answer = ask(client, text=form, max_output_tokens=60)
    assert isinstance(json.loads(answer.output_text)["ok"], bool)
    assert answer.text.format.name == "verdict"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"store": True}, "store is not taken: nothing is kept"),
        ({"previous_response_id": "resp_1"}, "previous_response_id is not taken"),
        ({"conversation": "conv_1"}, "conversation is not taken"),
        ({"background": True}, "background is not taken"),
        ({"truncation": "auto"}, "truncation"),
        ({"tools": [{"type": "web_search"}]}, "type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "item_reference"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "uploaded file"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input_audio"),
        ({"input": []}, "input"),
        ({"frobnicate": 1}, "frobnicate"),
        ({"tool_choice": "required"}, "no tools"),
        ({"tool_choice": {"type": "function", "name": "f"}, "tools": [TOOL]}, "f"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(small_server: Running, fields: dict[str, Any], said: str) -> None:
    body = {"model": "small", "input": "hello", "max_output_tokens": 4, **fields}
    answer = httpx.post(f"{small_server.url}/v1/responses", json=body)
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["error"]["message"]


def test_allowed_tools_are_the_tools(scripted: openai.OpenAI) -> None:
    choice: Any = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look_up"}]}
    other = {**TOOL, "name": "other"}
    answer = ask(scripted, "weather?", tools=[other, TOOL], tool_choice=choice, max_output_tokens=200)
    assert answer.output[-1].name == "look_up"


def test_a_failure_in_the_middle_is_told_as_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tool_engine()
    with serving(ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1), engine) as running:
        step = engine.core.step
        steps = itertools.count()

        def broken() -> Any:
            if next(steps) == 4:
                raise RuntimeError("inside")
            return step()

        monkeypatch.setattr(engine.core, "step", broken)
        with client_of(running) as client:
            *_, last = events_of(client)
    assert last.type == "response.failed"
    assert last.response.error.code == "server_error"
    assert "inside" not in last.response.error.message
