"""`/v1/messages` by Anthropic's official client, whose types are the oracle for every answer and every event."""

import base64
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.serve.conftest import SANDBOX, Running, picture_bytes, serving
from tests.serve.tool_script import CALL, FOUND, SPECIFICATION, WORDS, tool_serving
from viewfinder.messages import ImagePart, Sampling, user
from viewfinder.serve.settings import ServeSettings

EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
TOOL: Any = {"name": "look_up", "description": "Weather", "input_schema": SPECIFICATION}


def client_of(running: Running, **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=running.url, max_retries=0, timeout=60, **{"api_key": "none", **options})


@pytest.fixture(scope="module")
def client(small_server: Running) -> Iterator[anthropic.Anthropic]:
    with client_of(small_server) as client:
        yield client


@pytest.fixture(scope="module")
def scripted() -> Iterator[anthropic.Anthropic]:
    with tool_serving() as running, client_of(running) as client:
        yield client


def ask(client: anthropic.Anthropic, content: Any = "hello", **options: Any) -> Message:
    messages = content if isinstance(content, list) and "role" in content[0] else [{"role": "user", "content": content}]
    answer = client.messages.create(model="small", messages=messages, **{"max_tokens": 12, **options})
    Message.model_validate(answer.to_dict())  # the client itself builds its objects without checking
    return answer


def picture(**options: Any) -> dict[str, Any]:
    data = base64.b64encode(picture_bytes()).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}, **options}


def test_words_equal_the_engine(client: anthropic.Anthropic, small_server: Running) -> None:
    answer = ask(client, extra_body={"temperature": 0})
    reply = small_server.server.engine.engine.chat([user("hello")], sampling=Sampling(max_new_tokens=12))
    assert [block.text for block in answer.content if block.type == "text"] == [reply.text]
    assert (answer.stop_reason, answer.stop_sequence) == ("max_tokens", None)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (reply.usage.prompt_tokens, 12)


def test_a_picture_is_seen_as_the_engine_sees_it(client: anthropic.Anthropic, small_server: Running) -> None:
    engine = small_server.server.engine.engine
    told = [user(ImagePart(image=picture_bytes()), "What is it?")]
    reply = engine.chat(told, sampling=Sampling(max_new_tokens=12))
    content = [picture(cache_control={"type": "ephemeral"}), {"type": "text", "text": "What is it?"}]
    (block,) = ask(client, content).content
    assert block.type == "text"
    assert block.text == reply.text
    count = client.messages.count_tokens(model="small", messages=[{"role": "user", "content": content}])  # type: ignore[typeddict-item]
    assert count.input_tokens == reply.usage.prompt_tokens


def test_events_joined_are_the_whole(client: anthropic.Anthropic) -> None:
    whole = ask(client)
    with client.messages.stream(
        model="small", max_tokens=12, messages=[{"role": "user", "content": "hello"}]
    ) as stream:
        kinds = [event.type for event in stream if event.type != "text"]
        joined = stream.get_final_message()
    same = {"content", "stop_reason", "stop_sequence", "usage", "role", "model"}
    assert joined.model_dump(include=same) == whole.model_dump(include=same)
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    body = {"model": "small", "max_tokens": 12, "messages": [{"role": "user", "content": "hello"}], "stream": True}
    for event in client.messages.create(**body):  # type: ignore[call-overload]
        EVENT.validate_python(event.to_dict())


def test_a_tool_is_called_and_its_result_read(scripted: anthropic.Anthropic) -> None:
    first = ask(scripted, "weather?", tools=[TOOL], max_tokens=200)
    said, call = first.content
    assert (said.type, call.type, first.stop_reason) == ("text", "tool_use", "tool_use")
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("look_up", CALL["arguments"])
    result = [{"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "21 C"}]}]
    turns = [("user", "weather?"), ("assistant", first.content), ("user", result)]
    history = [{"role": role, "content": content} for role, content in turns]
    second = ask(scripted, history, tools=[TOOL], max_tokens=40)
    assert [block.to_dict()["text"] for block in second.content] == [FOUND]
    assert second.stop_reason == "end_turn"


def test_a_streamed_call_is_put_together_by_the_client(scripted: anthropic.Anthropic) -> None:
    turn: Any = [{"role": "user", "content": "weather?"}]
    with scripted.messages.stream(model="small", max_tokens=200, messages=turn, tools=[TOOL]) as stream:
        said, call = stream.get_final_message().content
    assert said.to_dict()["text"].strip() == WORDS.strip()
    assert call.to_dict()["input"] == CALL["arguments"]


def test_pictures_in_results_and_documents_are_seen(scripted: anthropic.Anthropic) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "screen", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture()], "is_error": False}
    plain = {"type": "text", "media_type": "text/plain", "data": "some words"}
    beside = [result, picture(), {"type": "document", "source": plain}, {"type": "text", "text": "?"}]
    turns = [("user", "look"), ("assistant", [call]), ("user", beside)]
    history = [{"role": role, "content": content} for role, content in turns]
    (block,) = ask(scripted, history, max_tokens=40).content
    assert block.to_dict()["text"] == "2 pictures"


def test_the_stop_sequence_is_named(scripted: anthropic.Anthropic) -> None:
    answer = ask(scripted, stop_sequences=["never", " 21"], max_tokens=40)
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", " 21")
    assert answer.content[0].to_dict()["text"] == "It is"


def test_a_failure_of_a_tool_is_said_in_words(client: anthropic.Anthropic) -> None:
    def count(**fields: Any) -> int:
        call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "t", "content": "no file", **fields}
        turns = [("user", "x"), ("assistant", [call]), ("user", [result])]
        messages: Any = [{"role": role, "content": content} for role, content in turns]
        return client.messages.count_tokens(model="small", messages=messages).input_tokens

    assert count(is_error=True) > count(is_error=False) == count()


def about_page(fields: dict[str, Any]) -> dict[str, Any]:
    source = {"type": "text", "media_type": "text/plain", "data": "x"}
    return {"role": "user", "content": [{"type": "document", "source": source, **fields}]}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking is not taken"),
        ({"container": "c"}, "container is not taken"),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]},
            "cannot be continued",
        ),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools"),
        ({"messages": [{"role": "user", "content": [{"type": "search_result"}]}]}, "search_result"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}
                ]
            },
            "uploaded file",
        ),
        ({"messages": [about_page({"title": True})]}, r"content\[0\]\.title is bool, expected text"),
        ({"messages": [about_page({"context": ["x"]})]}, r"content\[0\]\.context is list, expected text"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"frobnicate": 1}, "frobnicate"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(client: anthropic.Anthropic, fields: Any, said: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=said) as caught:
        ask(client, extra_body=fields)
    assert caught.value.type == "invalid_request_error"


def test_a_model_that_is_not_there(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="there is no model 'other'") as caught:
        client.messages.create(model="other", max_tokens=1, messages=[{"role": "user", "content": "x"}])
    assert caught.value.type == "not_found_error"


def test_the_key_of_anthropics_clients_opens_the_door() -> None:
    with serving(ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1, api_keys=("k",))) as running:
        for key in ({"api_key": "k"}, {"api_key": None, "auth_token": "k"}):
            with client_of(running, **key) as client:
                assert ask(client).stop_reason == "max_tokens"
        with client_of(running, api_key="other") as client, pytest.raises(anthropic.AuthenticationError) as caught:
            ask(client)
        assert caught.value.type == "authentication_error"
        assert httpx.post(f"{running.url}/v1/messages", json={}).json()["type"] == "error"
        body = {"model": "small", "max_tokens": 2, "messages": [{"role": "user", "content": "x"}]}
        for headers, status in (({"x-api-key": "k"}, 200), ({"x-api-key": "other"}, 401)):  # older clients
            assert httpx.post(f"{running.url}/v1/messages", json=body, headers=headers).status_code == status
