"""Spans of requests, by the SDK's in-memory exporter, with the names that OpenTelemetry's own package lists."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

from tests.serve.conftest import SANDBOX
from viewfinder.serve.settings import ServeSettings

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAYS = [{"role": "user", "content": "Hello"}]


def test_one_span_a_request_in_the_trace_of_the_client(serve: Callable[..., Any], picture_uri: str) -> None:
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    settings = ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1, traces=provider)
    chat = {"model": "small", "messages": SAYS, "max_tokens": 3, "temperature": 0.5, "stop": "never", "seed": 7}
    with serve(settings) as running, httpx.Client(base_url=running.url, timeout=60) as client:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        said = client.post("/v1/chat/completions", json={**chat, "n": 2}, headers=headers).json()
        client.post("/v1/chat/completions", json={**chat, "stream": True}).raise_for_status()
        client.post("/v1/responses", json={"model": "small", "input": "Hi", "max_output_tokens": 2}).raise_for_status()
        client.post("/v1/completions", json={"model": "small", "prompt": "Hi", "max_tokens": 2}).raise_for_status()
        client.post("/v1/locate", json={"image": picture_uri, "query": "x", "max_tokens": 2}).raise_for_status()
        client.post("/v1/chat/completions", json={**chat, "model": "none"})
        client.get("/nothing/here")
    spans = memory.get_finished_spans()
    assert [(span.name, (span.attributes or {}).get("gen_ai.operation.name")) for span in spans] == [
        ("POST /v1/chat/completions", "chat"),
        ("POST /v1/chat/completions", "chat"),
        ("POST /v1/responses", "chat"),
        ("POST /v1/completions", "text_completion"),
        ("POST /v1/locate", "generate_content"),
        ("POST /v1/chat/completions", None),
        ("GET", None),
    ]
    whole, stream = dict(spans[0].attributes or {}), dict(spans[1].attributes or {})
    assert spans[0].context.trace_id == int(TRACE, 16)
    assert spans[0].parent is not None
    assert spans[0].parent.span_id == int(PARENT, 16)
    assert spans[1].parent is None
    assert {name: value for name, value in whole.items() if name.startswith("gen_ai.")} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "viewfinder",
        "gen_ai.request.model": "small",
        "gen_ai.request.stream": False,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.seed": 7,
        "gen_ai.request.max_tokens": 3,
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.stop_sequences": ("never",),
        "gen_ai.response.model": "small",
        "gen_ai.response.id": said["id"],
        "gen_ai.response.finish_reasons": ("length", "length"),
        "gen_ai.usage.input_tokens": said["usage"]["prompt_tokens"],
        "gen_ai.usage.output_tokens": 6,
    }
    assert stream["gen_ai.request.stream"] is True
    assert stream["gen_ai.usage.output_tokens"] == 3
    first = stream["gen_ai.response.time_to_first_chunk"]
    assert isinstance(first, float)
    assert spans[1].end_time is not None
    assert spans[1].start_time is not None
    assert 0 < first < (spans[1].end_time - spans[1].start_time) / 1e9
    assert [dict(span.attributes or {})["http.response.status_code"] for span in spans] == [200] * 5 + [404, 404]
    named = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    used = {name for span in spans for name in span.attributes or {} if name.startswith("gen_ai.")}
    assert used <= named


@pytest.mark.slow
def test_nothing_of_it_is_imported_when_it_is_not_asked_for() -> None:
    code = "import json, sys, viewfinder.serve.app, viewfinder.serve.run; print(json.dumps(list(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not [name for name in loaded if name.startswith("opentelemetry.sdk") or name.endswith("serve.tracing")]
