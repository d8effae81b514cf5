"""Hostile requests to live sessions find no 5xx, and the session beside them goes on as if they had not been."""

import json
import random
from collections import Counter

import httpx

from tests.serve.conftest import SANDBOX, serving
from tests.serve.hostile_streams import SESSIONS, hostile_streams
from tests.serve.scripted import ScriptedEngine
from tests.serve.test_streams import frame_uri, opened, send, when_bright
from viewfinder.serve.settings import ServeSettings


def test_hostile_requests_end_without_a_server_error_and_a_good_session_goes_on() -> None:
    settings = ServeSettings(model_name="scripted", sandbox=SANDBOX, drain_seconds=1, max_streams=8)
    statuses: Counter[int] = Counter()
    with (
        serving(settings, ScriptedEngine(when_bright)) as running,
        httpx.Client(base_url=running.url, timeout=60) as http,
    ):
        good, target = opened(http), opened(http, queries=[])
        picture = frame_uri(bright=False)
        said = list[dict[str, object]]()
        requests = list(hostile_streams(target, picture, picture[: len(picture) // 2], random.Random(0)))
        for i, (name, path, body) in enumerate(requests):
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            method, _, path = path.rpartition(" ")
            answer = http.request(method or "POST", path, content=data, headers={"Content-Type": "application/json"})
            assert answer.status_code < 500, (name, answer.text)
            statuses[answer.status_code] += 1
            if path == SESSIONS and answer.status_code == 200:
                http.delete(f"{SESSIONS}/{answer.json()['id']}").raise_for_status()
            if i % 10 == 0:
                said += send(http, good, i / 20, (5, 8))
        assert len(requests) > 300
        assert min(statuses[200], statuses[400], statuses[404], statuses[422]) > 0, statuses
        assert [event["kind"] for event in said] == ["started", "ended"]
        assert len(running.server.streams) == 2
        assert running.server.engine.counters.restarts == 0
