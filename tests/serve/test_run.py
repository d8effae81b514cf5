"""`serve.run.run`: ready once it is bound, told to be ended before it ends; a server whose engine is lost ends too."""

import queue
import sys
import threading
import time
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from tests.serve.conftest import SANDBOX, small_engine
from viewfinder.serve.run import run
from viewfinder.serve.settings import ServeError, ServeSettings


def test_a_server_whose_engine_failed_is_not_ready_and_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = small_engine().engine
    seen: list[Any] = []

    def serve(server: uvicorn.Server, sockets: Any = None) -> None:
        app: Any = server.config.app
        with TestClient(app, base_url="http://127.0.0.1") as client:
            seen.append(client.get("/ready").status_code)
            app.state.server.engine._give_up()
            seen.extend([client.get("/ready").status_code, server.should_exit])
        assert sys.getswitchinterval() < 0.001, "one thread of Python code slows every step of the model by this time"

    monkeypatch.setattr(uvicorn.Server, "run", serve)
    with pytest.raises(ServeError, match="could not be restarted"):
        run(engine, ServeSettings(model_name="small", sandbox=SANDBOX))
    assert seen == [200, 503, True]


def test_ready_is_said_once_requests_are_taken_and_a_server_that_ends_says_so_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers: list[uvicorn.Server] = []
    begin = uvicorn.Server.__init__

    def noted(server: uvicorn.Server, config: uvicorn.Config) -> None:
        begin(server, config)
        servers.append(server)

    monkeypatch.setattr(uvicorn.Server, "__init__", noted)
    told: queue.Queue[int] = queue.Queue()
    settings = ServeSettings(model_name="small", sandbox=SANDBOX, port=0, notice_seconds=60, drain_seconds=1)
    thread = threading.Thread(target=run, args=(small_engine().engine, settings), kwargs={"on_ready": told.put})
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{told.get(timeout=60)}", timeout=30) as client:
        assert client.get("/ready").status_code == 200, "bound when it was said"
        servers[0].should_exit = True
        deadline = time.monotonic() + 30
        while (said := client.get("/ready")).status_code == 200:
            assert time.monotonic() < deadline
        assert (said.status_code, said.json()["state"]) == (503, "draining")
        body = {"model": "small", "prompt": "x", "max_tokens": 1}
        assert client.post("/v1/completions", json=body).status_code == 200, "still served"
    servers[0].force_exit = True
    thread.join(30)
    assert not thread.is_alive()
