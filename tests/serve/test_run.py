"""`serve.run.run`: a server whose engine is lost ends, and says so."""

from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from tests.serve.conftest import SANDBOX, small_engine
from viewfinder.serve.run import run
from viewfinder.serve.settings import ServeError, ServeSettings


def test_a_server_whose_engine_failed_is_not_ready_and_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = small_engine().engine
    seen: list[Any] = []

    def serve(server: uvicorn.Server) -> None:
        app: Any = server.config.app
        with TestClient(app, base_url="http://127.0.0.1") as client:
            seen.append(client.get("/ready").status_code)
            app.state.server.engine._give_up()
            seen.extend([client.get("/ready").status_code, server.should_exit])

    monkeypatch.setattr(uvicorn.Server, "run", serve)
    with pytest.raises(ServeError, match="could not be restarted"):
        run(engine, ServeSettings(model_name="small", sandbox=SANDBOX))
    assert seen == [200, 503, True]
