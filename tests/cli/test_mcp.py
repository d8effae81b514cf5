"""`viewfinder mcp` by the official SDK's client: over standard input and output and HTTP, with the built-in model."""

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image

pytest.importorskip("mcp")

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import CallToolResult, ListToolsResult

from viewfinder.chat import load
from viewfinder.cli.mcp_tools import NAMES, Drawings, create_server, inside
from viewfinder.errors import MediaError

EXAMPLES = Path(__file__).parents[2] / "examples"


@asynccontextmanager
async def connected(root: Path) -> AsyncIterator[Client]:
    """A client of the command as assistants start it."""
    arguments = ["-m", "viewfinder", "mcp", "--root", str(root)]
    parameters = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with Client(stdio_client(parameters)) as client:
        yield client


def fields_of(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    return json.loads(result.content[0].text)  # type: ignore[union-attr]


async def drawing_of(client: Client, result: CallToolResult) -> Image.Image:
    import base64

    link = result.content[1]
    assert link.type == "resource_link"
    (content,) = (await client.read_resource(str(link.uri))).contents
    assert content.mime_type == link.mime_type == "image/png"
    return Image.open(io.BytesIO(base64.b64decode(content.blob)))  # type: ignore[union-attr]


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    anyio.run(work)


def test_every_tool_over_standard_input_and_output(tmp_path: Path) -> None:
    """One server for all, as it takes seconds to start; numbers equal those of the job called directly."""
    viewfinder = load()
    picture = EXAMPLES / "shapes.png"

    async def work() -> None:
        async with connected(EXAMPLES) as client:
            listed: ListToolsResult = await client.list_tools()
            assert {tool.name for tool in listed.tools} == set(NAMES)
            assert all(tool.description and "path" in tool.input_schema["properties"] for tool in listed.tools)
            found = await client.call_tool("locate", {"path": "shapes.png", "query": "star"})
            boxes = fields_of(found)["boxes"]
            assert boxes == [box.to_dict() for box in viewfinder.locate(picture, "star")]
            assert boxes
            assert max((await drawing_of(client, found)).size) >= 720
            counted = fields_of(await client.call_tool("count", {"path": "shapes.png", "query": "star"}))
            assert counted["count"] == viewfinder.count(picture, "star").value
            points = fields_of(await client.call_tool("point", {"path": "shapes.png", "query": "star"}))["points"]
            assert points == [point.to_dict() for point in viewfinder.point(picture, "star")]
            read = fields_of(await client.call_tool("read", {"path": "word.png"}))
            assert read["text"] == str(viewfinder.read(EXAMPLES / "word.png"))
            moments = await client.call_tool("moments", {"path": "clip.mp4", "query": "the red circle"})
            spans = fields_of(moments)
            assert spans["moments"] == [
                span.to_dict() for span in viewfinder.moments(EXAMPLES / "clip.mp4", "the red circle")
            ]
            assert spans["duration"] > 0
            await drawing_of(client, moments)

    run(work)


def test_documents_and_charts_and_what_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "page.png").write_bytes((EXAMPLES / "word.png").read_bytes())
    (tmp_path / "outside.png").write_bytes(b"secret")
    server = create_server(load(), root)

    async def work() -> None:
        async with Client(server) as client:
            parsed = await client.call_tool("parse", {"path": "page.png"})
            assert [page["page"] for page in fields_of(parsed)["pages"]] == [1]
            await drawing_of(client, parsed)
            extracted = fields_of(await client.call_tool("extract", {"path": "page.png", "fields": ["total"]}))
            assert set(extracted["data"]) == {"total"}
            assert {field["page"] for field in extracted["fields"]} == {1}
            assert isinstance(fields_of(await client.call_tool("chart", {"path": "page.png"}))["rows"], list)
            for path in ("../outside.png", str(tmp_path / "outside.png"), "none.png", "file:///etc/passwd", "."):
                refused = await client.call_tool("read", {"path": path})
                assert refused.is_error
                assert "there is no file" in refused.content[0].text  # type: ignore[union-attr]
            (root / "broken.png").write_bytes(b"not a picture")
            broken = await client.call_tool("read", {"path": "broken.png"})
            assert broken.is_error
            assert "broken.png" in broken.content[0].text  # type: ignore[union-attr]
            both = await client.call_tool("extract", {"path": "page.png"})
            assert "one of them" in both.content[0].text  # type: ignore[union-attr]

    run(work)


def test_links_are_followed_before_the_root_is_checked(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "below").mkdir(parents=True)
    (root / "below" / "a.png").write_bytes(b"a")
    (tmp_path / "secret").write_bytes(b"s")
    (root / "good").symlink_to(root / "below" / "a.png")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "away").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    assert inside(root, "good") == inside(root, "below/../below/a.png") == root / "below" / "a.png"
    for path in ("out", "away/secret", "loop", "\0", "x" * 5000, "below", "../root/../secret", ""):
        with pytest.raises(MediaError, match="there is no file"):
            inside(root, path)
    (tmp_path / "linked").symlink_to(root)
    assert inside(tmp_path / "linked", "below/a.png") == root / "below" / "a.png"


def test_drawings_are_bounded() -> None:
    drawings = Drawings(most=2)
    names = [drawings.keep(Image.new("RGB", (4, 4)))[0] for _ in range(3)]
    assert drawings.get(names[2])[:4] == b"\x89PNG"
    with pytest.raises(Exception, match="the last 2 are kept"):
        drawings.get(names[0])


@pytest.mark.slow
def test_over_http() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "viewfinder", "mcp", "--root", str(EXAMPLES), "--http", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with socket.socket() as ready:
                    if ready.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)

            async def work() -> None:
                async with Client(f"http://127.0.0.1:{port}/mcp") as client:
                    found = await client.call_tool("locate", {"path": "shapes.png", "query": "star"})
                    assert fields_of(found)["boxes"]

            run(work)
        finally:
            process.terminate()
