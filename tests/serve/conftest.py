"""A server in a thread of this process, over a small random model, and clients for it."""

import contextlib
import io
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import uvicorn
from PIL import Image, ImageDraw

from tests.engine.small_engine import engine_of
from tests.screens import find_browser
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.media.sandbox import SandboxLimits
from viewfinder.serve.app import Server, create_app
from viewfinder.serve.settings import ServeSettings

SANDBOX = SandboxLimits(workers=1, memory_bytes=2 * 2**30, cpu_seconds=20, seconds=30)


class Running:
    """A server that listens; `url` is its address, `server` its insides."""

    def __init__(self, settings: ServeSettings, engine: AsyncEngine | None = None) -> None:
        app = create_app(engine or small_engine(), settings)
        self.server: Server = app.state.server
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._uvicorn = uvicorn.Server(uvicorn.Config(app, port=self.port, log_level="error"))
        self._thread = threading.Thread(target=self._uvicorn.run, daemon=True)

    def start(self) -> "Running":
        self._thread.start()
        while not self._uvicorn.started:
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(30)


def small_engine(max_num_seqs: int = 8, **bounds: int) -> AsyncEngine:
    return engine_of(max_num_seqs=max_num_seqs, cache_tokens=16384, dtype=torch.float32, **bounds)


@contextlib.contextmanager
def serving(settings: ServeSettings | None = None, engine: AsyncEngine | None = None) -> Iterator[Running]:
    settings = settings or ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1)
    running = Running(settings, engine).start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = str(tmp_path_factory.mktemp("served") / "samples")
    with serving(ServeSettings(model_name="small", sandbox=SANDBOX, drain_seconds=1, samples=folder)) as running:
        yield running


def uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"


def picture_bytes(size: tuple[int, int] = (200, 100), kind: str = "PNG") -> bytes:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((size[0] // 10, 30, size[0] // 2, 70), fill="red")
    sink = io.BytesIO()
    image.save(sink, kind)
    return sink.getvalue()


@pytest.fixture(scope="session")
def picture_uri() -> str:
    return uri(picture_bytes())


@pytest.fixture(scope="session")
def serve() -> Callable[..., contextlib.AbstractContextManager[Running]]:
    return serving


LONG = 240_000  # milliseconds; a loaded machine is slow, not wrong


@pytest.fixture(scope="module")
def playground_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    samples = str(tmp_path_factory.mktemp("playground") / "samples")
    from tests.serve.scripted import ScriptedEngine, about_the_receipt

    settings = ServeSettings(
        model_name="scripted", sandbox=SANDBOX, drain_seconds=1, samples=samples, prices=(0.2, 0.6)
    )
    with serving(settings, engine=ScriptedEngine(about_the_receipt)) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        running = tool.chromium.launch(executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture
def opened(browser: Any, playground_server: Running) -> Iterator[Callable[..., Any]]:
    """Opens the page of a server in a fresh browser profile."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def open_page(url: str = playground_server.url, quiet: bool = True, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(LONG)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if quiet and said.type == "error" else None)
        own = (url, "blob:", "data:")
        page.on("request", lambda asked: None if asked.url.startswith(own) else wrong.append(asked.url))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong
