"""The official client drives the server: what people's programs do."""

import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.serve.conftest import SANDBOX, Running, serving
from tests.serve.official_client import ask, with_picture
from tests.serve.scripted import ScriptedEngine
from viewfinder.messages import ImagePart, Sampling, user
from viewfinder.processor.processor import Processor
from viewfinder.serve.openai_fields import UNUSED
from viewfinder.serve.protocol import ChatRequest
from viewfinder.serve.settings import ServeSettings


@pytest.fixture(scope="module")
def client(small_server: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{small_server.url}/v1", api_key="none", max_retries=0, timeout=60)


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
        ({"extra_body": {"temperatur": 1}}, "temperatur is not a field.*did you mean temperature"),
        ({"frequency_penalty": 2.5}, "frequency_penalty"),
        ({"logit_bias": {"100000": 1}}, "logit_bias names token 100000"),
        ({"modalities": ["audio"]}, "modalities is only taken as"),
        ({"verbosity": "high"}, "say in the prompt"),
        ({"extra_body": {"min_tokens": 50}}, "min_tokens is 50, over the 12"),
        ({"extra_body": {"structured_outputs": {"regex": "a", "choice": ["b"]}}}, "exactly one"),
        ({"extra_body": {"guided_json": {}, "guided_regex": "a"}}, "only one of"),
        ({"extra_body": {"chat_template_kwargs": {"enable_thinkin": True}}}, "did you mean enable_thinking"),
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


NEUTRAL: dict[str, Any] = {
    "modalities": ["text"],
    "prompt_cache_key": "k",
    "safety_identifier": "s",
    "service_tier": "auto",
    "verbosity": "medium",
    "reasoning_effort": "low",
    "user": "u",
    "metadata": {"a": "b"},
    "functions": [],
    "store": False,
    "logit_bias": {},
    "frequency_penalty": 0,
    "top_p": 1,
}


def test_what_changes_nothing_is_taken_and_null_is_the_default(client: openai.OpenAI) -> None:
    plain = ask(client).choices[0].message.content
    fields = [*ChatRequest.model_fields, *UNUSED]
    nothing = dict.fromkeys(set(fields) - {"model", "messages", "max_tokens", "temperature"})
    assert ask(client, extra_body=nothing).choices[0].message.content == plain
    assert ask(client, extra_body={**NEUTRAL, "top_k": -1, "min_p": 0}).choices[0].message.content == plain
    assert ask(client, temperature=1.5, top_p=0).choices[0].message.content == plain


def test_every_field_of_the_official_client_is_known() -> None:
    from openai.types.chat.completion_create_params import CompletionCreateParamsBase

    official = set(CompletionCreateParamsBase.__annotations__) | {"stream"}
    assert official - ChatRequest.model_fields.keys() - UNUSED.keys() == set()


def test_bias_penalties_and_ends_reach_the_engine(client: openai.OpenAI, small_server: Running) -> None:
    tokenizer = small_server.server.engine.engine.processor.tokenizer
    (a,), (b,) = tokenizer.encode("a"), tokenizer.encode("b")
    biased = {str(a): 100.0, str(b): 70.0}
    assert ask(client, logit_bias=biased).choices[0].message.content == "a" * 12
    longer = ask(client, logit_bias=biased, extra_body={"stop_token_ids": [a], "min_tokens": 3})
    assert (longer.choices[0].message.content, longer.choices[0].finish_reason) == ("bbb", "stop")
    fields = {"frequency_penalty": 1.9, "presence_penalty": -0.4}
    reply = small_server.server.engine.engine.chat([user("hello")], sampling=Sampling(max_new_tokens=12, **fields))
    assert ask(client, **fields).choices[0].message.content == reply.text != ask(client).choices[0].message.content


def test_usage_with_every_chunk(client: openai.OpenAI) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    counts = [chunk.usage.completion_tokens for chunk in ask(client, stream=True, stream_options=options)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 12)


def test_a_lenient_server_tells_what_it_ignored(serve: Any) -> None:
    with serve(ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1, lenient=True)) as running:
        lax = openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0)
        assert ask(lax, extra_body={"temperatur": 1}).viewfinder["ignored"] == ["temperatur"]
        with pytest.raises(openai.BadRequestError, match="frequency_penalty"):
            ask(lax, frequency_penalty=3)
        with pytest.raises(openai.BadRequestError, match="fsp"):
            ask(lax, [{"type": "image_url", "image_url": {"url": "data:,x"}, "fsp": 2}])


def test_errors_name_what_is_wrong(small_server: Running) -> None:
    headers = {"Content-Type": "application/json"}
    url = f"{small_server.url}/v1/chat/completions"
    broken = httpx.post(url, content='{"é": x}'.encode(), headers=headers)
    assert (broken.status_code, "at byte 7" in broken.text) == (400, True)
    packed = httpx.post(url, content=b"x", headers={**headers, "Content-Encoding": "gzip"})
    assert packed.status_code == 415
    other = httpx.post(url, json={"model": "other", "messages": [{"role": "user", "content": "x"}]})
    assert (other.status_code, other.json()["error"]["code"]) == (404, "model_not_found")


def test_texts_that_cannot_fit_are_refused_before_they_become_tokens(
    small_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_: Any, **__: Any) -> None:
        raise AssertionError("tokens were made of it")

    monkeypatch.setattr(Processor, "prepare", made)
    for path, body in (
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a" * 10_000_000}]}),
        ("/v1/responses", {"input": "a" * 10_000_000}),
        ("/tokenize", {"messages": [{"role": "user", "content": "a" * 10_000_000}]}),
    ):
        answer = httpx.post(f"{small_server.url}{path}", json={"model": "small", **body}, timeout=60)
        assert answer.status_code == 400
        assert "the texts have 10,000,000 letters" in answer.json()["error"]["message"]


def test_requests_have_names_and_latencies(client: openai.OpenAI, small_server: Running) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="small", messages=[{"role": "user", "content": "x"}], max_tokens=2, extra_headers={"X-Request-Id": "my-1"}
    )
    assert raw.headers["x-request-id"] == "my-1"
    other = httpx.get(f"{small_server.url}/health", headers={"X-Request-Id": "a b"})
    assert other.headers["x-request-id"].startswith("req_")
    text = httpx.get(f"{small_server.url}/metrics").text
    for name in (
        "request_queue_time_seconds",
        "time_to_first_token_seconds",
        "time_per_output_token_seconds",
        "e2e_request_latency_seconds",
    ):
        assert f"viewfinder_{name}_count" in text
    assert "viewfinder_kv_cache_usage_perc" in text


def test_the_documented_fields_are_those_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    assert all(f"`{name}`" in page for name in [*ChatRequest.model_fields, *UNUSED])


def test_lines_of_a_stream_are_read_alike_by_every_client() -> None:
    """requests and others cut lines at U+2028 and U+0085 too, and read letters as Latin-1 where nobody says UTF-8."""
    words = "a\u2028b\u0085c\u00c5"
    with serving(engine=ScriptedEngine(lambda *_: words)) as running:
        body = {"model": "small", "messages": [{"role": "user", "content": "x"}], "stream": True}
        said = httpx.post(f"{running.url}/v1/chat/completions", json=body, timeout=60).content
    lines = [line[6:] for line in said.decode("latin-1").splitlines() if line and line != "data: [DONE]"]
    assert "".join(json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines) == words
