"""What the OpenAPI says is true enough to be attacked by: schemathesis finds no 5xx. Run with `pytest -m slow`."""

import json
from collections import Counter
from typing import Any

import httpx
import pytest
import schemathesis

from tests.serve.conftest import SANDBOX, serving
from viewfinder.serve.settings import ServeSettings


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # schemathesis does, and hypothesis tells it
def test_generated_requests_find_no_server_error() -> None:
    """Valid and invalid requests to every operation, made from the OpenAPI with a fixed seed."""
    import hypothesis

    settings = ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1, stream_idle_seconds=3600)
    with serving(settings) as running:
        schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
        shapes = schema.raw_schema["components"]["schemas"]
        session = httpx.post(f"{running.url}/v1/streaming/sessions", json={}).json()["id"]
        statuses: dict[str, Counter[int]] = {}
        for result in schema.get_all_operations():
            operation = result.ok()
            content = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json", {})
            fields = shapes.get(content.get("schema", {}).get("$ref", "").rpartition("/")[2], {}).get("properties", {})
            # the one model there is, and short answers: further in, and sooner
            short = {name: 2 for name in ("max_tokens", "max_output_tokens") if name in fields}
            seen = statuses.setdefault(operation.label, Counter())

            @hypothesis.settings(
                max_examples=40,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            @hypothesis.given(case=operation.as_strategy() | operation.as_strategy(_invalid()))
            def attack(case: Any) -> None:
                if isinstance(case.body, dict):
                    case.body = {**case.body, **({"model": "small"} if "model" in case.body else {}), **short}  # noqa: B023
                if case.path.startswith("/v1/streaming/sessions/{name}/"):  # the session itself may be deleted
                    case.path_parameters["name"] = session
                answer = case.call(timeout=600)
                seen[answer.status_code] += 1  # noqa: B023
                assert answer.status_code < 500, answer.text

            attack()
        print(json.dumps({name: dict(sorted(seen.items())) for name, seen in statuses.items()}))
        total = sum(statuses.values(), Counter[int]())
        assert len(statuses) > 25
        assert total.total() > 900
        taken = {name for name, seen in statuses.items() if seen[200]}
        assert {f"POST /v1/{name}" for name in ("chat/completions", "responses", "messages", "completions")} <= taken
        assert running.server.engine.counters.restarts == 0


def _invalid() -> Any:
    return schemathesis.GenerationMode.NEGATIVE
