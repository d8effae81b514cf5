"""Who may come in, with how much, and what is told: keys, tenants, hosts, limits, metrics, draining."""

import json
import os
import signal
import socket
import threading
import time
from typing import Any

import httpx
import pytest

from tests.serve.conftest import SANDBOX, Running, picture_bytes, serving, small_engine, uri
from viewfinder.serve.settings import ServeError, ServeSettings

CHAT = "/v1/chat/completions"


def body(content: Any = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "small", "messages": [{"role": "user", "content": content}], "max_tokens": 4, **more}


def look(data: bytes) -> dict[str, Any]:
    return body([{"type": "image_url", "image_url": {"url": uri(data)}}, {"type": "text", "text": "?"}])


def test_health_ready_metrics_and_openapi(small_server: Running) -> None:
    health = httpx.get(f"{small_server.url}/health").json()
    assert health["status"] == "ok"
    assert set(health["decoders"]) >= {"landlock", "seccomp"}
    assert httpx.get(f"{small_server.url}/ready").json() == {"ready": True, "state": "open"}
    httpx.post(f"{small_server.url}{CHAT}", json=body(), timeout=60)
    metrics = httpx.get(f"{small_server.url}/metrics").text
    assert f'viewfinder_requests_total{{path="{CHAT}",status="200"}}' in metrics
    assert "viewfinder_engine_completion_tokens_total" in metrics
    assert CHAT in httpx.get(f"{small_server.url}/openapi.json").json()["paths"]


def test_keys_are_asked_for_and_tenants_share_no_cache() -> None:
    settings = ServeSettings(model_name="small", api_keys=("alpha", "beta"), sandbox=SANDBOX, drain_seconds=1)
    with serving(settings) as running:
        url = f"{running.url}{CHAT}"
        for headers in ({}, {"Authorization": "Bearer gamma"}, {"Authorization": "alpha"}):
            refused = httpx.post(url, json=body(), headers=headers)
            assert refused.status_code == 401
        assert httpx.get(f"{running.url}/metrics").status_code == 401
        assert httpx.get(f"{running.url}/health").status_code == 200
        counters = running.server.engine.counters
        reused: list[int] = []
        for key in ("alpha", "beta", "alpha"):
            before = counters.reused_tokens
            answer = httpx.post(url, json=look(picture_bytes()), headers={"Authorization": f"Bearer {key}"}, timeout=60)
            assert answer.status_code == 200
            reused.append(counters.reused_tokens - before)
        assert reused[0] == reused[1] == 0 < reused[2]


def test_a_body_that_is_not_declared_as_json_is_told_how(small_server: Running) -> None:
    for headers in ({}, {"content-type": "application/x-www-form-urlencoded"}):
        refused = httpx.post(f"{small_server.url}{CHAT}", content=json.dumps(body()), headers=headers)
        assert refused.status_code == 415
        assert "send Content-Type: application/json" in refused.json()["error"]["message"]


def test_another_host_name_is_refused(small_server: Running) -> None:
    answer = httpx.get(f"{small_server.url}/v1/models", headers={"Host": "evil.example"})
    assert answer.status_code == 421


def test_other_origins_only_when_named() -> None:
    ask = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    settings = ServeSettings(model_name="small", cors_origins=("https://app.example",), sandbox=SANDBOX)
    with serving(settings) as running:
        allowed = httpx.options(f"{running.url}{CHAT}", headers=ask)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        other = httpx.options(f"{running.url}{CHAT}", headers={**ask, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_other_machines_need_keys() -> None:
    with pytest.raises(ServeError, match="--api-keys"):
        ServeSettings(host="0.0.0.0")
    ServeSettings(host="0.0.0.0", api_keys=("k",))


def test_bodies_too_large_too_complex_or_too_slow() -> None:
    settings = ServeSettings(
        model_name="small", sandbox=SANDBOX, max_body_bytes=2_000_000, max_items=1000, body_seconds=0.5
    )
    with serving(settings) as running:
        url = f"{running.url}{CHAT}"
        headers = {"content-type": "application/json"}
        assert httpx.post(url, content=b"x" * 2_000_001, headers=headers).status_code == 413
        assert httpx.post(url, content=b"[" + b"[]," * 2000 + b"[]]", headers=headers).status_code == 413
        assert httpx.post(url, content=b"[" * 900 + b"]" * 900, headers=headers).status_code == 400
        with socket.create_connection(("127.0.0.1", running.port)) as slow:
            head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            slow.sendall(f"{head}Content-Length: 100\r\n\r\n".encode())
            assert b" 408 " in slow.recv(100)


def test_too_many_at_once_are_told_when_to_come_back() -> None:
    with serving(engine=small_engine(max_num_seqs=1, max_waiting=1)) as running:
        statuses: list[httpx.Response] = []

        def ask() -> None:
            statuses.append(httpx.post(f"{running.url}{CHAT}", json=body(max_tokens=300), timeout=60))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        busy = [answer for answer in statuses if answer.status_code == 429]
        assert busy
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in busy)
        assert sum(answer.status_code == 200 for answer in statuses) >= 1


def test_a_decode_worker_killed_in_mid_request_costs_that_request_only(small_server: Running) -> None:
    sandbox = small_server.server.sandbox
    (pid,) = sandbox.pids
    os.kill(pid, signal.SIGSTOP)  # it takes the file and does not come to an end

    def kill_once_it_works() -> None:
        while pid in sandbox.pids:
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)

    threading.Thread(target=kill_once_it_works, daemon=True).start()
    url = f"{small_server.url}{CHAT}"
    lost = httpx.post(url, json=look(picture_bytes((90, 90))), timeout=60)
    assert lost.status_code == 503
    assert lost.headers["retry-after"] == "1"
    assert "ended from outside" in lost.json()["error"]["message"]
    assert httpx.post(url, json=look(picture_bytes((90, 90))), timeout=60).status_code == 200


def test_a_crash_of_the_engine_is_503_and_the_next_request_is_answered(
    small_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{small_server.url}{CHAT}"
    monkeypatch.setattr(small_server.server.engine.core.runner, "run", lambda scheduled: 1 / 0 if scheduled else [])
    lost = httpx.post(url, json=body(), timeout=60)
    assert lost.status_code == 503
    assert lost.headers["retry-after"] == "1"
    assert httpx.post(url, json=body(), timeout=60).status_code == 200
    assert httpx.get(f"{small_server.url}/ready").status_code == 200


def test_hanging_up_calls_the_request_off(small_server: Running, caplog: pytest.LogCaptureFixture) -> None:
    counters = small_server.server.engine.counters
    before = counters.cancelled
    url = f"{small_server.url}{CHAT}"
    with httpx.stream("POST", url, json=body(max_tokens=3000, stream=True), timeout=60) as stream:
        next(stream.iter_lines())
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url, json=body(max_tokens=3000), timeout=0.3)
    deadline = time.monotonic() + 10
    while counters.cancelled < before + 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert counters.cancelled == before + 2
    assert not caplog.records, "a client that leaves is no fault of ours"
    assert 'status="499"' in httpx.get(f"{small_server.url}/metrics").text


def test_stopping_lets_what_runs_finish() -> None:
    with serving(ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=30)) as running:
        answers: list[httpx.Response] = []
        url = f"{running.url}{CHAT}"
        thread = threading.Thread(target=lambda: answers.append(httpx.post(url, json=body(max_tokens=200), timeout=60)))
        thread.start()
        while not running.server.engine.core.scheduler.running:
            time.sleep(0.005)
        running.stop()
        thread.join()
    assert answers[0].status_code == 200
    assert answers[0].json()["usage"]["completion_tokens"] > 1


def test_streams_are_server_sent_events(small_server: Running) -> None:
    answer = httpx.post(f"{small_server.url}{CHAT}", json=body(stream=True), timeout=60)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, last, empty = answer.text.split("\n\n")
    assert (last, empty) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert chunks[-1]["viewfinder"]["stamp"]
