"""Live sessions over HTTP, through the real engine with a model that knows when it is bright."""

import io
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.serve.conftest import SANDBOX, Running, serving, uri
from tests.serve.scripted import ScriptedEngine
from viewfinder.media.encode import write_clip
from viewfinder.outputs.spans import NONE_SENTENCE, Span, format_moments
from viewfinder.processor.processor import Prepared
from viewfinder.serve.settings import ServeSettings
from viewfinder.serve.workers import Worker

SESSIONS = "/v1/streaming/sessions"


def when_bright(words: str, prepared: Prepared) -> str:
    """The stretches of bright frames, from the pixels that the model gets."""
    if "query" not in words:
        return "The total is EUR 21.20"
    pixels, times = prepared.inputs.pixel_values, prepared.media[0].frame_times
    assert pixels is not None
    assert times is not None
    frames = pixels.view(len(times) // 2, -1, 3, 2, 196).mean(dim=(1, 2, 4)).flatten().tolist()
    bright = [time - times[0] for time, value in zip(times, frames, strict=True) if value > 0]
    return format_moments([Span(bright[0], bright[-1])], times[-1] - times[0] + 1) if bright else NONE_SENTENCE


def frame_uri(bright: bool, size: tuple[int, int] = (96, 54)) -> str:
    sink = io.BytesIO()
    Image.new("RGB", size, "white" if bright else "black").save(sink, "JPEG")
    return uri(sink.getvalue(), "image/jpeg")


@pytest.fixture(scope="module")
def live() -> Iterator[Running]:
    settings = ServeSettings(
        model_name="scripted", sandbox=SANDBOX, drain_seconds=1, api_keys=("one", "two"), max_streams=4
    )
    with serving(settings, ScriptedEngine(when_bright)) as running:
        yield running


def client_of(running: Running, key: str = "one") -> httpx.Client:
    return httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {key}"}, timeout=60)


@pytest.fixture
def client(live: Running) -> Iterator[httpx.Client]:
    with client_of(live) as client:
        yield client
        for name, stream in list(live.server.streams._streams.items()):
            live.server.streams.close(stream)
            assert client.get(f"{SESSIONS}/{name}").status_code == 404


def opened(client: httpx.Client, **fields: Any) -> str:
    said = client.post(SESSIONS, json={"queries": ["it is bright"], "window_seconds": 4, **fields})
    assert said.status_code == 200, said.text
    return f"{SESSIONS}/{said.json()['id']}"


def send(client: httpx.Client, session: str, time: float, event: tuple[float, float] = (0, 0)) -> list[dict[str, Any]]:
    body = {"time": time, "image": frame_uri(event[0] <= time < event[1])}
    said = client.post(f"{session}/frame", json=body)
    assert said.status_code == 200, said.text
    return said.json()["events"]


def test_a_stream_from_its_opening_to_its_end(client: httpx.Client) -> None:
    session = opened(client)
    events = [event for i in range(24) for event in send(client, session, 50 + i / 2, (53.2, 59.4))]
    assert [(e["kind"], e["span"]["start"], e["span"]["end"], e["time"]) for e in events] == [
        ("started", 53.5, 53.5, 53.5),
        ("ended", 53.5, 59.0, 59.5),
    ]
    state = client.get(session, params={"after": 1}).json()
    assert [event["id"] for event in state["events"]] == [2]
    assert (state["frames"], state["last_time"], state["kept"]["since"]) == (24, 61.5, 50.0)
    now = client.post(f"{session}/ask", json={"question": "What is there?", "seconds": 0}).json()
    assert (now["text"], now["frame_times"]) == ("The total is EUR 21.20", [61.0, 61.5])
    past = client.post(f"{session}/ask", json={"query": "it is bright"}).json()
    assert [(span["start"], span["end"]) for span in past["spans"]] == [(53.5, 59.0)]
    assert past["usage"]["media_tokens"] > now["usage"]["media_tokens"]
    assert client.delete(session).json()["deleted"] is True
    assert client.post(f"{session}/frame", json={"time": 80, "image": frame_uri(False)}).status_code == 404


def test_each_pair_is_seen_once_by_the_tower_however_often_it_is_asked_about(
    client: httpx.Client, live: Running
) -> None:
    session = opened(client, window_seconds=2)
    runner = live.server.engine.core.runner
    before, pair = runner.encoder.num_patches, 0
    costs: list[int] = []
    rng = np.random.default_rng(0)
    for i in range(16):
        sink = io.BytesIO()
        Image.fromarray(rng.integers(0, 100, (54, 96, 3), dtype=np.uint8)).save(sink, "PNG")
        client.post(f"{session}/frame", json={"time": i / 2, "image": uri(sink.getvalue())}).raise_for_status()
        costs.append(runner.encoder.num_patches - before)
        before = runner.encoder.num_patches
    pair = max(costs)
    assert costs == [0, pair] * 8
    client.post(f"{session}/ask", json={"query": "it is bright", "seconds": 2}).raise_for_status()
    assert runner.encoder.num_patches == before


def test_a_client_that_is_killed_finds_its_session_again(client: httpx.Client, live: Running) -> None:
    session = opened(client)
    send(client, session, 0)
    send(client, session, 0.5)
    body = f'{{"time": 1.0, "image": "{frame_uri(True)}"}}'.encode()
    head = f"POST {session}/frame HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer one\r\n"
    for size in (len(body) // 2, len(body)):
        with socket.create_connection(("127.0.0.1", live.port)) as cut:
            cut.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            cut.sendall(body[:size])
    with client_of(live) as again:
        last = again.get(session).json()["last_time"]
        assert last in (0.5, 1.0)
        deadline = time.monotonic() + 30
        while again.post(f"{session}/frame", json={"time": 9, "image": frame_uri(True)}).status_code == 409:
            assert time.monotonic() < deadline
        events = [event for i in range(1, 9) for event in send(again, session, 9 + i / 2, (9, 11.2))]
        events = [*events, *again.get(session).json()["events"]]
    assert events[-1]["kind"] == "ended"
    assert events[-1]["span"]["end"] == 11.0


def test_one_of_several_workers_says_that_another_may_have_a_session(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        serving(ServeSettings(worker=Worker("1", 8000, ours, tmp_path)), ScriptedEngine(when_bright)) as running,
    ):
        said = httpx.get(f"{running.url}{SESSIONS}/gone").json()["error"]["message"]
        assert said.endswith("open a new one, or another worker has it: use the connection that opened it")
        (tmp_path / "0.prom").write_text("# TYPE viewfinder_live_sessions gauge\nviewfinder_live_sessions 4.0\n")
        told = httpx.get(f"{running.url}/metrics").text
        assert 'viewfinder_live_sessions{worker="0"} 4.0' in told
        assert 'viewfinder_live_sessions{worker="1"} 0.0' in told


def test_sessions_belong_to_their_key_and_each_key_has_its_share(client: httpx.Client, live: Running) -> None:
    session = opened(client)
    with client_of(live, "two") as other:
        for said in (
            other.get(session),
            other.delete(session),
            other.post(f"{session}/frame", json={"time": 0, "image": frame_uri(False)}),
            other.post(f"{session}/ask", json={"question": "What?"}),
            other.post(f"{session}/watch", json={"query": "x"}),
        ):
            assert (said.status_code, said.json()["error"]["code"]) == (404, "stream_not_found")
        opened(client)
        full = client.post(SESSIONS, json={})
        assert (full.status_code, full.headers["Retry-After"]) == (429, "5")
        opened(other)
    assert "viewfinder_live_sessions 3.0" in client.get("/metrics").text


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"time": 0.5, "image": frame_uri(False)}, 422, "in order"),
        ({"time": 2, "image": frame_uri(False, (54, 96))}, 422, "began with 96x54"),
        ({"time": 2, "image": "data:image/png;base64,AAAA"}, 422, "picture"),
        ({"time": 2, "image": frame_uri(False), "video": "data:,x"}, 400, "either image or video"),
        ({"time": "NaN", "image": frame_uri(False)}, 400, "finite"),
        ({"time": -1, "image": frame_uri(False)}, 400, "greater than"),
        ({"tim": 1}, 400, "did you mean time"),
    ],
)
def test_a_frame_that_is_refused_says_why(client: httpx.Client, body: dict[str, Any], status: int, words: str) -> None:
    session = opened(client)
    send(client, session, 0)
    send(client, session, 1)
    said = client.post(f"{session}/frame", json=body)
    assert said.status_code == status, said.text
    message = said.json()["error"]["message"]
    assert words in message
    assert "Value error" not in message
    send(client, session, 2.5)


def test_one_frame_at_a_time(client: httpx.Client, live: Running) -> None:
    session = opened(client)
    stream = next(iter(live.server.streams._streams.values()))
    with stream.frame_under_way:
        said = client.post(f"{session}/frame", json={"time": 0, "image": frame_uri(False)})
    assert (said.status_code, said.json()["error"]["code"]) == (409, "stream_busy")
    send(client, session, 0)


def test_a_chunk_of_video_is_its_frames(client: httpx.Client, tmp_path: Path) -> None:
    session = opened(client)
    frames = (Image.new("RGB", (96, 64), "white" if 10 <= i < 20 else "black") for i in range(40))
    path = tmp_path / "chunk.mp4"
    write_clip(path, frames, fps=10)
    said = client.post(f"{session}/frame", json={"time": 100, "video": uri(path.read_bytes(), "video/mp4")})
    assert said.status_code == 200, said.text
    spans = [event["span"] for event in said.json()["events"] if event["kind"] == "ended"]
    assert [(span["start"], span["end"]) for span in spans] == [(101.0, 101.5)]
    assert said.json()["last_time"] == 103.5


def test_a_query_that_was_ended_tells_no_more(client: httpx.Client, live: Running) -> None:
    session = opened(client, queries=["it is bright", "it is white"])
    events = [event for i in range(6) for event in send(client, session, i / 2, (1, 9))]
    assert {event["query"] for event in events} == {"it is bright", "it is white"}
    ended = client.delete(f"{session}/watch", params={"query": "it is bright"})
    assert (ended.status_code, ended.json()["queries"]) == (200, ["it is white"])
    events = [event for i in range(6, 24) for event in send(client, session, i / 2, (1, 9))]
    assert [(event["kind"], event["query"]) for event in events] == [("ended", "it is white")]
    again = client.delete(f"{session}/watch", params={"query": "it is bright"})
    assert (again.status_code, again.json()["error"]["code"]) == (404, "query_not_found")
    assert "'it is white'" in again.json()["error"]["message"]
    assert client.delete(f"{session}/watch").status_code == 400
    with client_of(live, "two") as other:
        assert other.delete(f"{session}/watch", params={"query": "it is white"}).status_code == 404
    assert client.get(session).json()["queries"] == ["it is white"]


def test_bounds_of_opening(client: httpx.Client) -> None:
    for wrong in ({"fps": 0}, {"window_seconds": 3600, "fps": 60}, {"queries": [""]}, {"queries": ["x"] * 17}):
        assert client.post(SESSIONS, json=wrong).status_code in (400, 422)
    session = opened(client, queries=[])
    for i in range(16):
        assert client.post(f"{session}/watch", json={"query": f"event {i}"}).status_code == 200
    assert client.post(f"{session}/watch", json={"query": "one more"}).status_code == 400
    assert client.post(f"{session}/ask", json={"question": "What?"}).status_code == 422, "there is no frame"
    assert client.post(f"{session}/ask", json={"question": "What?", "query": "x"}).status_code == 400


def test_a_session_that_nobody_uses_is_closed(serve: Callable[..., Any]) -> None:
    settings = ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1, stream_idle_seconds=0.2)
    with serve(settings) as running, httpx.Client(base_url=running.url) as client:
        session = opened(client)
        deadline = time.monotonic() + 30
        while len(running.server.streams):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert client.get(session).status_code == 404


def test_a_lenient_server_names_what_it_ignored_in_the_header_of_every_answer(serve: Callable[..., Any]) -> None:
    settings = ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1, lenient=True)
    with serve(settings) as running, httpx.Client(base_url=running.url, timeout=60) as client:
        for path, body in (
            (SESSIONS, {}),
            ("/tokenize", {"prompt": "x"}),
            ("/v1/completions", {"model": "small", "prompt": "x", "max_tokens": 1}),
            ("/v1/responses", {"model": "small", "input": "x", "max_output_tokens": 1}),
            ("/v1/messages", {"model": "small", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}),
            ("/v1/locate", {"image": frame_uri(True), "query": "x", "max_tokens": 1}),
        ):
            said = client.post(path, json={**body, "fancy\n": 1, "newer": None})
            assert (said.status_code, said.headers.get("X-Ignored-Fields")) == (200, "fancy%0A"), (path, said.text)
            assert "X-Ignored-Fields" not in client.post(path, json=body).headers
