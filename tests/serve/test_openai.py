"""The official client drives the server: what people's programs do."""

import json
from typing import Any

import openai
import pytest

from tests.serve.conftest import Running
from viewfinder.messages import ImagePart, Sampling, user


@pytest.fixture(scope="module")
def client(small_server: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{small_server.url}/v1", api_key="none", max_retries=0, timeout=60)


def ask(client: openai.OpenAI, content: Any = "hello", **options: Any) -> Any:
    options.setdefault("max_tokens", 12)
    options.setdefault("temperature", 0)
    return client.chat.completions.create(model="small", messages=[{"role": "user", "content": content}], **options)


def with_picture(uri: str, **options: Any) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": uri}, **options}, {"type": "text", "text": "What is it?"}]


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert client.models.retrieve(model.id).owned_by == "viewfinder"
    with pytest.raises(openai.NotFoundError, match="no model 'other'"):
        client.models.retrieve("other")


def test_text_equals_the_engine(client: openai.OpenAI, small_server: Running) -> None:
    answer = ask(client, logprobs=True, top_logprobs=2)
    reply = small_server.server.engine.engine.chat([user("hello")], sampling=Sampling(max_new_tokens=12))
    (choice,) = answer.choices
    assert choice.message.content == reply.text
    assert choice.finish_reason == "length"
    assert answer.usage.completion_tokens == 12
    assert answer.usage.prompt_tokens == reply.usage.prompt_tokens
    assert [token.logprob for token in choice.logprobs.content] == pytest.approx(reply.logprobs, abs=1e-3)
    assert all(len(token.top_logprobs) == 2 for token in choice.logprobs.content)
    assert answer.viewfinder["stamp"] == reply.stamp


def test_a_picture_with_budgets_and_what_the_model_saw(client: openai.OpenAI, picture_uri: str) -> None:
    answer = ask(client, with_picture(picture_uri, max_pixels=84 * 84))
    (seen,) = answer.viewfinder["media"]
    assert seen["original_size"] == [200, 100]
    assert seen["resized_size"][0] * seen["resized_size"][1] <= 84 * 84
    assert seen["transform"]["resized_size"] == seen["resized_size"]
    more = ask(client, with_picture(picture_uri))
    assert more.viewfinder["media_tokens"] > answer.viewfinder["media_tokens"]


def test_the_picture_is_seen_as_the_engine_sees_it(
    client: openai.OpenAI, small_server: Running, picture_uri: str
) -> None:
    engine = small_server.server.engine.engine
    reply = engine.chat([user(ImagePart(image=picture_uri), "What is it?")], sampling=Sampling(max_new_tokens=12))
    assert ask(client, with_picture(picture_uri)).choices[0].message.content == reply.text


@pytest.mark.parametrize("options", [{}, {"n": 2, "seed": 3, "temperature": 1.0}])
def test_a_stream_joined_is_the_whole(client: openai.OpenAI, options: dict[str, Any]) -> None:
    whole = ask(client, **options)
    texts = {choice.index: "" for choice in whole.choices}
    finished: dict[int, str] = {}
    usage = None
    for chunk in ask(client, stream=True, stream_options={"include_usage": True}, **options):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            if choice.finish_reason:
                finished[choice.index] = choice.finish_reason
    assert texts == {choice.index: choice.message.content for choice in whole.choices}
    assert finished == {choice.index: choice.finish_reason for choice in whole.choices}
    assert usage == whole.usage
    if "n" in options:
        assert texts[0] != texts[1]


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
    assert streamed[0].function.model_dump() == call.function.model_dump()
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


def test_stop_strings_end_the_answer_and_are_not_in_it(client: openai.OpenAI) -> None:
    text = ask(client, max_tokens=30).choices[0].message.content
    stop = text[4:6]
    answer = ask(client, max_tokens=30, stop=[stop])
    assert answer.choices[0].message.content == text[: text.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def test_places_in_original_pixels_on_request(client: openai.OpenAI, picture_uri: str) -> None:
    grammar = 'start: "[{\\"bbox_2d\\": [14, 7, 28, 14], \\"label\\": \\"a\\"}]"'
    answer = ask(
        client, with_picture(picture_uri), max_tokens=90, extra_body={"grammar": grammar, "coordinates": "original"}
    )
    (box,) = answer.viewfinder["places"][0]["boxes"]
    width, height = answer.viewfinder["media"][0]["resized_size"]
    assert box["box"] == pytest.approx([14 * 200 / width, 7 * 100 / height, 28 * 200 / width, 14 * 100 / height])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra_body": {"temperatur": 1}}, "temperatur is not a field"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"n": 1000}, "over the 8 answers"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"extra_body": {"grammar": "start: ("}}, "cannot be compiled"),
        ({"content": [{"type": "image_url", "image_url": {"url": "data:,x"}, "fsp": 2}]}, "fsp"),
        ({"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}, "no picture"),
        ({"content": [{"type": "image_url", "image_url": {"url": "/etc/passwd"}}]}, "files may not be named"),
        ({"content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/x.png"}}]}, "private address"),
        ({"content": [{"type": "file", "file": {"file_id": "f"}}]}, "not kept here"),
        ({"content": [{"type": "document", "document": "data:,x"}]}, "is no PDF"),
        ({"content": "x" * 20_000}, "tokens and the model takes 4096"),
    ],
)
def test_mistakes_are_4xx_with_a_reason(client: openai.OpenAI, options: dict[str, Any], message: str) -> None:
    with pytest.raises(openai.APIStatusError, match=message) as error:
        ask(client, **options)
    assert 400 <= error.value.status_code < 500
    assert error.value.body["type"] == "invalid_request_error"


def test_special_tokens_in_a_question_are_text(client: openai.OpenAI) -> None:
    plain = ask(client, "|im_end|" * 3).usage.prompt_tokens
    assert ask(client, "<|im_end|>" * 3).usage.prompt_tokens > plain
    assert ask(client, "<|image_pad|><|vision_start|>").choices[0].message.content is not None


def test_frames_and_budgets_as_vllm_clients_send_them(client: openai.OpenAI, picture_uri: str) -> None:
    """Four frames at 4 a second, in one URI, each within 28 x 28 pixels by the request's kwargs."""
    frame = picture_uri.partition(",")[2]
    content = [{"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{','.join([frame] * 4)}"}}]
    reply = client.chat.completions.create(
        model="small",
        messages=[{"role": "user", "content": content}],
        max_tokens=1,
        extra_body={"mm_processor_kwargs": {"fps": 4.0, "max_pixels": 784}},
    )
    (seen,) = reply.model_extra["viewfinder"]["media"]
    assert (seen["kind"], seen["tokens"], seen["second_per_grid_ts"]) == ("video", 2, 0.5)
    assert seen["frame_times"] == [0.0, 0.25, 0.5, 0.75]


def test_an_unknown_kwarg_is_a_mistake(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="bogus"):
        client.chat.completions.create(
            model="small",
            messages=[{"role": "user", "content": "x"}],
            extra_body={"mm_processor_kwargs": {"bogus": 1}},
        )
