"""Hostile messages to the tools over HTTP: none is a server error, none gets a file, and a good client goes on."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")

from starlette.testclient import TestClient

from tests.serve.hostile import raw_bodies
from tests.serve.hostile_forms import everywhere
from viewfinder.chat import load
from viewfinder.cli.mcp_tools import NAMES, create_server

EXAMPLES = Path(__file__).parents[2] / "examples"
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
OUTSIDE = (
    *("/etc/passwd", "../pyproject.toml", "shapes.png/../../pyproject.toml", "file:///etc/passwd", "-", "\0", "\ud800"),
    *("http://127.0.0.1:1/", "x" * 9000, "%2e%2e/pyproject.toml"),
)


def message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def hostile_messages(chance: random.Random) -> Iterator[Any]:
    """Over 200."""
    for name in NAMES:
        for path in OUTSIDE:
            yield message("tools/call", name=name, arguments={"path": path, "query": "x", "fields": ["a"]})
    meta = {"progressToken": 1}
    for good in (
        message(
            "tools/call", name="extract", arguments={"path": "none.png", "fields": ["a"], "pages": [1]}, _meta=meta
        ),
        message("tools/call", name="none", arguments={}),
        message("resources/read", uri="viewfinder://drawn/none"),
        message("tools/list", cursor="x"),
    ):
        yield from (body for _, _, body in everywhere("/mcp", good, chance))
    yield from (body for _, path, body in raw_bodies(chance) if path.endswith("completions"))
    yield [message("tools/list")] * 1000
    yield message("initialize")


@pytest.mark.slow
def test_hostile_messages_end_and_a_good_client_goes_on() -> None:
    app = create_server(load(), EXAMPLES).streamable_http_app()
    statuses: Counter[int] = Counter()
    with TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as http:
        about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
        begun = http.post("/mcp", headers=HEADERS, json=message("initialize", **about))
        headers = {**HEADERS, "mcp-session-id": begun.headers["mcp-session-id"]}
        good = message("tools/call", name="locate", arguments={"path": "shapes.png", "query": "star"})
        first = fields_of(http.post("/mcp", headers=headers, json=good).text)
        messages = list(hostile_messages(random.Random(0)))
        for body in messages:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            said = http.post("/mcp", headers=headers, content=data)
            assert said.status_code < 500, (body, said.text)
            assert "root:" not in said.text, body
            assert "[project]" not in said.text, body
            statuses[said.status_code] += 1
        assert len(messages) > 200
        assert min(statuses[200], statuses[400]) > 0, statuses
        assert fields_of(http.post("/mcp", headers=headers, json=good).text) == first


def fields_of(text: str) -> Any:
    """The boxes of an answer, which is an event."""
    (line,) = (line for line in text.splitlines() if line.startswith("data: {"))
    return json.loads(json.loads(line.removeprefix("data: "))["result"]["content"][0]["text"])["boxes"]
