"""A server in a thread of this process, over a small random model, and clients for it."""

import contextlib
import io
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator

import pytest
import torch
import uvicorn
from PIL import Image, ImageDraw

from tests.engine.test_async_engine import engine_of
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
