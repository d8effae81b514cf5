"""Start a server and stop it gently."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.engine import Engine
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.serve.settings import ServeError, ServeSettings

if TYPE_CHECKING:
    from viewfinder.serve.dispatch import ConnectionTaker

_SWITCH_SECONDS = 0.0005
"""For which a thread keeps the interpreter while others want it. A model's step gives the interpreter up and takes it
back hundreds of times; with Python's own 5 ms, one busy thread made a step several times longer.
"""


def run(
    engine: Engine,
    settings: ServeSettings,
    *,
    config: EngineConfig | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    on_ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Serve until interrupted (SIGINT or SIGTERM): requests under way are finished, new ones refused.

    Before that `/ready` says 503 for `settings.notice_seconds` while everything is still served, so that a load
    balancer looks elsewhere first; a second signal ends the wait.

    Args:
        on_ready: called with the port once the socket is bound and requests are taken.

    Raises:
        ServeError: the certificate cannot be used, decoders are not confined fully and other machines are let in, or
            the engine failed while serving and could not be restarted.
    """
    import uvicorn

    from viewfinder.serve.app import create_app
    from viewfinder.serve.dispatch import ConnectionTaker
    from viewfinder.serve.http_protocol import bounded_protocol

    for path in (certificate, key):
        if path is not None and not path.is_file():
            raise ServeError(f"there is no file {path}; give the certificate and its key as PEM files")
    if (certificate is None) != (key is None):
        raise ServeError("TLS needs a certificate and its key; give --tls-certificate and --tls-key")
    sys.setswitchinterval(_SWITCH_SECONDS)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    serving = AsyncEngine(engine, config)
    app = create_app(serving, settings)
    app.state.server.check_confinement()
    taker = ConnectionTaker(settings.worker.channel) if settings.worker else None
    on_lost = taker.ended if taker else lambda: None
    options = uvicorn.Config(
        app,
        http=bounded_protocol(settings.max_connections, settings.header_seconds, on_lost),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=int(settings.drain_seconds) + 5,
        h11_max_incomplete_event_size=64 * 1024,
        server_header=False,
    )
    server = _server(options, settings, app.state.server.drain, on_ready, taker)
    serving.on_failure = partial(setattr, server, "should_exit", True)
    server.run()
    if serving.has_failed:
        raise ServeError("the engine failed and could not be restarted, so serving has ended; the log says why")


def _server(
    options: Any,
    settings: ServeSettings,
    drain: Callable[[], None],
    on_ready: Callable[[int], None],
    taker: "ConnectionTaker | None",
) -> Any:
    import uvicorn

    class NoticedServer(uvicorn.Server):
        """Says when it is ready, and for a while that it soon will not be."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets if taker is None else [])
            if taker is not None:
                self.servers = [taker]  # type: ignore[list-item]
                taker.start(self._protocol, options.ssl)
            if self.started:
                on_ready(settings.worker.port if settings.worker else self.servers[0].sockets[0].getsockname()[1])

        def _protocol(self) -> asyncio.Protocol:
            state = self.lifespan.state
            return options.http_protocol_class(config=options, server_state=self.server_state, app_state=state)

        async def shutdown(self, sockets: Any = None) -> None:
            drain()
            deadline = time.monotonic() + settings.notice_seconds
            while time.monotonic() < deadline and not self.force_exit:
                await asyncio.sleep(0.05)
            await super().shutdown(sockets)

    return NoticedServer(options)
