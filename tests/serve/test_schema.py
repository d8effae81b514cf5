"""What the OpenAPI says is true enough to be attacked by: schemathesis finds no 5xx. Run with `pytest -m slow`."""

import json
from collections import Counter
from typing import Any

import pytest
import schemathesis

from tests.serve.conftest import SANDBOX, serving
from viewfinder.serve.settings import ServeSettings


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # schemathesis does, and hypothesis tells it
def test_generated_requests_find_no_server_error() -> None:
    """Valid and invalid requests to every operation, made from the OpenAPI with a fixed seed."""
    import hypothesis

    settings = ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1)
    with serving(settings) as running:
        schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
        statuses: Counter[int] = Counter()
        for result in schema.get_all_operations():
            operation = result.ok()

            @hypothesis.settings(
                max_examples=40,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            @hypothesis.given(case=operation.as_strategy() | operation.as_strategy(_invalid()))
            def attack(case: Any) -> None:
                if isinstance(case.body, dict) and case.path.startswith("/v1/"):
                    # the one model there is, and short answers: further in, and sooner
                    known = {"model": "small"} if "model" in case.body else {}
                    case.body = {**case.body, **known, "max_tokens": 2}
                answer = case.call(timeout=600)
                statuses[answer.status_code] += 1
                assert answer.status_code < 500, answer.text

            attack()
        print(json.dumps({"requests": statuses.total(), "statuses": dict(sorted(statuses.items()))}))
        assert statuses.total() > 300
        assert min(statuses[200], statuses[400]) > 0
        assert running.server.engine.counters.restarts == 0


def _invalid() -> Any:
    return schemathesis.GenerationMode.NEGATIVE
