"""`/v1/completions` by the official client, tokens of texts and conversations, and answers where nothing is."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types import Completion

import viewfinder
from tests.serve.conftest import SANDBOX, Running, serving
from viewfinder.messages import user
from viewfinder.serve.settings import ServeSettings


@pytest.fixture(scope="module")
def client(small_server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{small_server.url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def http(small_server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=small_server.url) as http:
        yield http


def ask(client: openai.OpenAI, prompt: Any, **options: Any) -> Completion:
    answer = client.completions.create(model="small", prompt=prompt, **{"max_tokens": 8, "temperature": 0, **options})
    return Completion.model_validate(answer.to_dict())


CHAT = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
)


def test_a_conversation_written_out_is_the_chat(client: openai.OpenAI, http: httpx.Client) -> None:
    messages: Any = [{"role": "user", "content": "hello"}]
    chat = client.chat.completions.create(model="small", messages=messages, max_tokens=8, temperature=0)
    answer = ask(client, CHAT)
    assert answer.choices[0].text == chat.choices[0].message.content
    assert answer.usage == chat.usage
    ids = http.post("/tokenize", json={"messages": messages}).json()["tokens"]
    assert ids == http.post("/tokenize", json={"prompt": CHAT}).json()["tokens"]
    assert ask(client, ids).choices == answer.choices


def test_several_prompts_each_several_times(client: openai.OpenAI) -> None:
    single = [ask(client, prompt) for prompt in ("one two", "three")]
    alone = [answer.choices[0].text for answer in single]
    together = ask(client, ["one two", "three"], n=2, echo=True)
    assert [choice.text for choice in together.choices] == [
        *("one two" + alone[0], "one two" + alone[0]),
        *("three" + alone[1], "three" + alone[1]),
    ]
    assert [choice.index for choice in together.choices] == [0, 1, 2, 3]
    assert together.usage is not None
    assert together.usage.completion_tokens == 32
    assert together.usage.prompt_tokens == sum(answer.usage.prompt_tokens for answer in single if answer.usage)


def test_too_many_answers_are_refused_before_anything_is_made_for_each(http: httpx.Client) -> None:
    said = http.post("/v1/completions", json={"model": "small", "prompt": "x", "n": 10**12})
    assert (said.status_code, "over the 8" in said.json()["error"]["message"]) == (413, True)


def test_a_stream_joined_is_the_whole_with_its_logprobs(client: openai.OpenAI) -> None:
    whole = ask(client, "one two", logprobs=2)
    chunks = list(
        client.completions.create(model="small", prompt="one two", max_tokens=8, temperature=0, logprobs=2, stream=True)
    )
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
    written = [choice.logprobs for chunk in chunks for choice in chunk.choices if choice.logprobs]
    logprobs = whole.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens
    assert logprobs.text_offset == [len("".join(logprobs.tokens[:i])) for i in range(8)]
    assert [token for part in written for token in part.tokens or ()] == logprobs.tokens
    assert [at for part in written for at in part.text_offset or ()] == logprobs.text_offset
    assert all(len(top) == 2 for top in logprobs.top_logprobs or ())


def test_fields_that_load_tools_send_are_the_chats(client: openai.OpenAI) -> None:
    more = {"ignore_eos": True, "min_tokens": 8, "stop_token_ids": [5], "skip_special_tokens": True, "top_k": -1}
    answer = ask(client, "one two", extra_body=more, presence_penalty=0.5, logit_bias={"65": 100})
    assert set(answer.choices[0].text) == {ask(client, [65], echo=True, max_tokens=1).choices[0].text[0]}
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt": ""}, "empty"),
        ({"prompt": "<|image_pad|>"}, "chat/completions"),
        ({"prompt": [10**6]}, "1000000"),
        ({"prompt": ["x"] * 9}, "9 answers"),
        ({"suffix": "end"}, "suffix is not taken"),
        ({"best_of": 3}, "best_of"),
        ({"repetition_penalty": 5e-324, "temperature": 1}, "repetition_penalty"),
        ({"echo": True, "logprobs": 1}, "echo and logprobs"),
        ({"frobnicate": 1}, "frobnicate"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(http: httpx.Client, fields: dict[str, Any], said: str) -> None:
    answer = http.post("/v1/completions", json={"model": "small", "prompt": "x", **fields})
    assert answer.status_code in (400, 413), answer.text
    assert said in answer.json()["error"]["message"]


def test_tokens_there_and_back(http: httpx.Client, small_server: Running, picture_uri: str) -> None:
    answer = http.post("/tokenize", json={"prompt": "hällo <|im_end|>", "return_token_strs": True}).json()
    assert answer["token_strs"][-1] == "<|im_end|>"
    assert answer["count"] == len(answer["tokens"]) == len(answer["token_strs"])
    assert http.post("/detokenize", json={"tokens": answer["tokens"]}).json() == {"prompt": "hällo <|im_end|>"}
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture_uri}}]}]
    seen = http.post("/tokenize", json={"messages": messages}).json()["count"]
    processor = small_server.server.engine.engine.processor
    assert seen == len(processor([user(viewfinder.messages.ImagePart(image=picture_uri))]).input_ids)


def test_a_wrong_path_says_what_there_is(http: httpx.Client) -> None:
    for path, meant in (
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completion", "/v1/chat/completions"),
        ("/v1/message", "/v1/messages"),
    ):
        answer = http.post(path, json={})
        assert answer.status_code == 404
        assert f"did you mean {meant}?" in answer.json()["error"]["message"]
    answer = http.get("/v1/embeddings")
    assert answer.status_code == 404
    assert "POST /v1/locate" in answer.json()["error"]["message"]


def test_a_wrong_method_says_the_right_one(http: httpx.Client) -> None:
    for method, path, allowed in (
        ("GET", "/v1/chat/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/health", "GET, HEAD"),
        ("PUT", "/v1/locate", "POST"),
    ):
        answer = http.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
        assert f"it takes {allowed}" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/models", "/v1/models/small", "/version", "/", "/docs"])
def test_head_is_get_without_the_body(http: httpx.Client, path: str) -> None:
    whole, head = http.get(path), http.head(path)
    assert head.status_code == whole.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(whole.content))


def test_the_version_and_one_model(http: httpx.Client) -> None:
    assert http.get("/version").json() == {"version": viewfinder.__version__}
    assert http.get("/v1/models/small").json()["id"] == "small"


def test_the_docs_name_every_operation_and_ask_nobody_else(http: httpx.Client) -> None:
    page = http.get("/docs")
    paths = http.get("/openapi.json").json()["paths"]
    assert all(f"{method.upper()} {path}" in page.text for path, methods in paths.items() for method in methods)
    assert not re.search(r"https?://", page.text)
    for name in re.findall(r'(?:href|src)="([^"]+)"', page.text):
        assert http.get(f"/{name.removeprefix('./')}").status_code == 200, name
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_texts_need_a_key_where_one_is_set() -> None:
    settings = ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1, api_keys=("k",))
    with serving(settings) as running, httpx.Client(base_url=running.url) as http:
        for path in ("/tokenize", "/detokenize", "/v1/completions", "/v1/responses", "/v1/messages/count_tokens"):
            assert http.post(path, json={}).status_code == 401, path
