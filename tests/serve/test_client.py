"""Any verb over any server: our client against our server, and against one that knows only OpenAI's fields."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.media.films import write_film
from tests.serve.conftest import Running, picture_bytes
from viewfinder.chat import Viewfinder
from viewfinder.messages import ChatModel, ImagePart, Reply, Sampling, VideoPart, user
from viewfinder.processor.processor import Processor
from viewfinder.serve.client import OpenAIChat, ServerError
from viewfinder.serve.connection import Connection, sse_lines

SHORT = Sampling(max_new_tokens=24)


@pytest.fixture(scope="module")
def ours(small_server: Running) -> Iterator[OpenAIChat]:
    chat = OpenAIChat(small_server.url)
    yield chat
    chat.close()


def test_it_is_a_chat_model_and_says_what_the_engine_says(ours: OpenAIChat, small_server: Running) -> None:
    assert isinstance(ours, ChatModel)
    message = user(ImagePart(image=picture_bytes(), max_pixels=112 * 84), "what?")
    there = ours.chat([message], sampling=SHORT)
    here = small_server.server.engine.engine.chat([message], sampling=SHORT)
    assert there.text == here.text
    assert there.media == here.media
    assert there.usage == here.usage
    assert there.logprobs == pytest.approx(here.logprobs, abs=1e-3)
    *pieces, reply = ours.stream([message], sampling=SHORT)
    assert isinstance(reply, Reply)
    assert "".join(pieces) == reply.text == here.text


def test_clips_keep_their_times(ours: OpenAIChat, small_server: Running, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", [i / 10 for i in range(30)], size=(64, 64))
    message = user(VideoPart(video=film, fps=2, max_pixels=56 * 56, min_pixels=56 * 56), "what?")
    there = ours.chat([message], sampling=SHORT)
    here = small_server.server.engine.engine.chat([message], sampling=SHORT)
    assert there.media == here.media
    assert there.text == here.text


def test_jobs_over_a_server_are_jobs_at_home(ours: OpenAIChat, small_server: Running) -> None:
    engine = small_server.server.engine.engine
    for query in ("red box", "dots"):
        here = Viewfinder(engine, engine.processor).locate(picture_bytes(), query, sampling=Sampling(max_new_tokens=80))
        there = Viewfinder(ours, ours.processor).locate(picture_bytes(), query, sampling=Sampling(max_new_tokens=80))
        assert [box.xyxy for box in there] == [box.xyxy for box in here]


class _Plain(BaseHTTPRequestHandler):
    """A server that knows OpenAI's fields only, has no log probabilities, and is busy at first."""

    seen: list[dict[str, Any]] = []  # noqa: RUF012
    answer = '[{"bbox_2d": [14, 28, 42, 56], "label": "box"}]'
    busy = 1

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": [{"id": "qwen", "object": "model", "owned_by": "vllm"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if type(self).busy:
            type(self).busy -= 1
            return self._send(429, {"error": {"message": "busy"}}, {"Retry-After": "0"})
        if "logprobs" in body:
            return self._send(400, {"error": {"message": "logprobs are not supported"}})
        self.seen.append(body)
        message = {"role": "assistant", "content": self.answer}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return self._send(200, {"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def foreign() -> Iterator[OpenAIChat]:
    _Plain.seen, _Plain.busy = [], 1
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Plain)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    chat = OpenAIChat(f"http://127.0.0.1:{server.server_port}/v1")
    yield chat
    chat.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_server_sees_the_size_that_places_are_read_in(foreign: OpenAIChat) -> None:
    (box,) = Viewfinder(foreign, foreign.processor).locate(picture_bytes((400, 200)), "box")
    (request,) = _Plain.seen
    assert set(request) <= {"model", "messages", "max_tokens", "temperature", "top_p"}
    url = request["messages"][0]["content"][0]["image_url"]["url"]
    with Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))) as sent:
        assert all(side % 28 == 0 for side in sent.size)
        assert np.asarray(sent).shape[2] == 3
        scale = [o / s for o, s in zip((400, 200), sent.size, strict=True)] * 2
    assert box.xyxy == pytest.approx([v * s for v, s in zip((14, 28, 42, 56), scale, strict=True)])


def test_a_server_that_is_not_there_or_refuses_is_told_in_one_sentence(small_server: Running) -> None:
    for url, name, text, message in (
        ("http://127.0.0.1:9", None, "x", "cannot be reached"),
        (small_server.url, "other", "x", "no model 'other' but small"),
        (small_server.url, None, "x" * 20_000, "tokens and the model takes"),
    ):
        with closing(OpenAIChat(url, name)) as chat, pytest.raises(ServerError, match=message):
            chat.chat([user(text)])


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_end_at_cr_lf_and_nothing_else(size: int) -> None:
    raw = "data: a\u2028b\u0085c\x0bd\r\n\r\ndata: e\rdata: f\n".encode()
    pieces = [raw[i : i + size] for i in range(0, len(raw), size)]
    assert [line for line in sse_lines(pieces) if line] == ["data: a\u2028b\u0085c\x0bd", "data: e", "data: f"]


def _streaming(body: str) -> Connection:
    answers = httpx.MockTransport(lambda _: httpx.Response(200, content=body.encode()))
    connection = Connection("http://there", None, 5)
    connection._http = httpx.Client(transport=answers)  # pyright: ignore[reportPrivateUsage]
    return connection


CHUNK = 'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (CHUNK, "broke off in the middle"),
        (CHUNK + 'event: error\ndata: {"message": "out of memory"}\n\n', "out of memory"),
        ('data: {"error": "gone"}\n\n', "gone"),
        ("data: <html>\n\n", "<html>"),
    ],
)
def test_a_stream_without_its_end_is_no_answer(body: str, message: str) -> None:
    with closing(_streaming(body)) as connection, pytest.raises(ServerError, match=message):
        list(connection.events({}))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<html>", "<html>"),
        ("[]", "no chat completion"),
        ('{"choices": []}', "no chat completion"),
        ('{"choices": [{"message": null, "finish_reason": "stop"}]}', "no chat completion"),
        ('{"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}', "content_filter"),
        ('{"choices": [{"message": {"content": "x"}, "finish_reason": null}]}', "None"),
    ],
)
def test_an_answer_that_cannot_be_read_is_told(body: str, message: str) -> None:
    chat = OpenAIChat("http://there", "m", processor=Processor.official())
    chat.card = {"id": "m"}
    chat._server = _streaming(body)  # pyright: ignore[reportPrivateUsage]
    with closing(chat), pytest.raises(ServerError, match=message):
        chat.chat([user("x")])
