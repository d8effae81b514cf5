"""The server's routes, put together from an engine, a sandbox and the operator's settings."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import anyio
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

import viewfinder
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.errors import ViewfinderError
from viewfinder.media.sandbox import Sandbox
from viewfinder.serve import tasks
from viewfinder.serve.access import AccessMiddleware
from viewfinder.serve.answering import ClientGoneError, check_model, error_response, taker, unless_gone
from viewfinder.serve.anthropic_form import AnthropicErrors
from viewfinder.serve.chat_routes import add_chat_routes
from viewfinder.serve.docs_page import docs_html
from viewfinder.serve.errors import error_body
from viewfinder.serve.mailbox import Mailbox
from viewfinder.serve.metrics import Metrics
from viewfinder.serve.observe import ObserveMiddleware
from viewfinder.serve.paths import HeadAsGet, add_fallback, allowed_methods
from viewfinder.serve.playground import PERMISSIONS, POLICY, TAKEN, add_playground_routes
from viewfinder.serve.request_media import RequestMedia
from viewfinder.serve.samples import SampleBook
from viewfinder.serve.settings import LOOPBACK, ServeError, ServeSettings
from viewfinder.serve.shared_metrics import SharedMetrics
from viewfinder.serve.streams import Streams, add_stream_routes
from viewfinder.serve.text_endpoints import add_text_routes

_LOG = logging.getLogger(__name__)


class Server:
    """What the routes share."""

    def __init__(self, engine: AsyncEngine, settings: ServeSettings) -> None:
        self.engine, self.settings = engine, settings
        self.sandbox = Sandbox(settings.sandbox)
        context = engine.engine.model.config.text.max_position_embeddings
        self.request_media = RequestMedia(
            self.sandbox,
            settings.limits,
            context=min(context, engine.core.runner.capacity),
            max_media=settings.max_media,
            max_pixels=settings.max_request_pixels,
        )
        self.streams = Streams(self)
        self.metrics = Metrics(engine, self.sandbox, self.streams)
        worker = settings.worker
        self.shared_metrics = SharedMetrics(worker.folder, worker.name, self.metrics.text) if worker else None
        self.held: dict[str, Any] = {}
        self._is_draining = False
        self.created = int(time.time())
        self.book = SampleBook(Path(settings.samples), settings) if settings.samples else None

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Engine and decoders start with the server; at the end what runs is finished first."""
        self.threads = anyio.CapacityLimiter(self.settings.max_requests)
        self.mailbox = Mailbox(asyncio.get_running_loop())
        self.engine.on_events = self.mailbox.wake
        await asyncio.to_thread(self.check_confinement)
        self.engine.start()
        try:
            async with self.streams.tidied(), self.shared_metrics.kept() if self.shared_metrics else nullcontext():
                yield
        finally:
            await asyncio.to_thread(self.engine.stop, self.settings.drain_seconds)
            await asyncio.to_thread(self.sandbox.close)

    def check_confinement(self) -> None:
        """Start the decoders; with other machines let in, only when the kernel holds them by both mechanisms.

        Raises:
            ServeError: it does not, and nobody allowed that.
        """
        self.held = self.sandbox.start()
        missing = [name for name, in_force in self.held.items() if not in_force]
        if not missing:
            return
        said = (
            f"this system does not confine decoders by {' and '.join(missing)}, so a file that takes one over reaches"
        )
        if self.settings.host in LOOPBACK or self.settings.allow_weak_sandbox:
            _LOG.warning("%s more than its own bytes", said)
            return
        self.sandbox.close()
        raise ServeError(f"{said} this machine; use a newer kernel, or --allow-weak-sandbox if all senders are trusted")

    def drain(self) -> None:
        """Say from now on that no more is taken soon, and take it still."""
        self._is_draining = True

    @property
    def state(self) -> str:
        """open, draining or stopped; see `/ready`."""
        return "draining" if self._is_draining and self.engine.state == "open" else self.engine.state

    async def in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        """Blocking work off the event loop."""
        return await anyio.to_thread.run_sync(lambda: work(*args), limiter=self.threads, abandon_on_cancel=True)

    def model_card(self) -> dict[str, Any]:
        """OpenAI's model object, with what a client needs to know the sizes the model sees."""
        processor = self.engine.engine.processor
        return {
            "id": self.settings.model_name,
            "object": "model",
            "created": self.created,
            "owned_by": "viewfinder",
            "max_model_len": self.request_media.context,
            "viewfinder": {
                "version": viewfinder.__version__,
                "stamp": processor.stamp.to_dict(),
                "sampling": self.engine.engine.sampling.model_dump(),
                "keeps_samples": self.book is not None,
                "prices": self.settings.prices,
                "takes": TAKEN,
            },
        }


def create_app(engine: AsyncEngine, settings: ServeSettings | None = None) -> FastAPI:
    """The whole application. Starting it starts the engine's loop and the decode workers."""
    server = Server(engine, settings or ServeSettings())
    traces = server.settings.traces
    only_spans: Any = {"operation_spans": False, "metrics": False, "logs": False, "auto_configure": False}
    only_spans |= {"tracing": traces is not None, "tracer_provider": traces}
    app = FastAPI(
        title="Viewfinder",
        version=viewfinder.__version__,
        lifespan=server.lifespan,
        docs_url=None,
        redoc_url=None,
        description="Answers about pictures, clips and documents, in pixels and seconds of the original.",
        telemetry=only_spans,
    )
    app.state.server = server
    _add_errors(app)
    _add_service_routes(app, server)
    add_chat_routes(app, server)
    add_text_routes(app, server)
    add_stream_routes(app, server)
    _add_task_routes(app, server)
    add_playground_routes(app, server)
    add_fallback(app)
    app.add_middleware(ObserveMiddleware, metrics=server.metrics, access_log=server.settings.access_log)
    app.add_middleware(AccessMiddleware, settings=server.settings)
    app.add_middleware(AnthropicErrors)
    app.add_middleware(HeadAsGet)
    if traces is not None:
        from viewfinder.serve.tracing import TracingMiddleware

        app.add_middleware(TracingMiddleware)
    if server.settings.cors_origins:
        origins = list(server.settings.cors_origins)
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"] if part != "body")
        said = str(problem["msg"]).removeprefix("Value error, ")  # pydantic's, before a sentence of our own
        message = f"{where}: {said}" if where else said
        if problem["type"] == "unknown_field":
            where = ".".join(filter(None, (where, problem["ctx"]["name"])))
            message = f"{where} is not a field of this endpoint; {problem['ctx']['hint']}"
        elif problem["type"] == "json_invalid":
            at = len(str(error.body)[: problem["loc"][-1]].encode("utf-8", "replace"))
            where, message = "", f"the body is no JSON ({problem['ctx']['error']} at byte {at}); correct it there"
        return JSONResponse(error_body(message, 400, "invalid_request", where[:200] or None), 400)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        message, headers = str(error.detail), dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(allowed_methods(app, request.scope))
            message = f"{request.url.path[:100]} does not take {request.method[:20]}; it takes {headers['Allow']}"
        return JSONResponse(error_body(message, error.status_code, "http_error"), error.status_code, headers)

    @app.exception_handler(ViewfinderError)
    @app.exception_handler(ClientGoneError)
    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        return error_response(error)


def _add_service_routes(app: FastAPI, server: Server) -> None:
    @app.get("/health", tags=["service"])
    async def health() -> dict[str, Any]:
        """Alive; how decoders are held."""
        return {"status": "ok", "version": viewfinder.__version__, "decoders": server.held}

    @app.get("/ready", tags=["service"])
    async def ready() -> Response:
        """200 when requests are taken, 503 while starting or draining."""
        good = server.engine.is_alive and server.state == "open"
        return JSONResponse({"ready": good, "state": server.state}, 200 if good else 503)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        headers = {"Content-Security-Policy": POLICY, "Permissions-Policy": PERMISSIONS.format("")}
        return HTMLResponse(docs_html(app.openapi()), headers=headers)

    @app.get("/metrics", tags=["service"])
    async def metrics() -> Response:
        """Prometheus text; behind `--workers` of all of them."""
        return Response(
            (server.shared_metrics or server.metrics).text(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    @app.get("/v1/models", tags=["openai"])
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [server.model_card()]}

    @app.get("/v1/models/{name:path}", tags=["openai"])
    async def model(name: str) -> dict[str, Any]:
        check_model(server, name)
        return server.model_card()


def _add_task_routes(app: FastAPI, server: Server) -> None:
    post = taker(app, server.settings, "tasks")

    async def run(name: str, body: tasks.TaskRequest, request: Request) -> Response:
        check_model(server, body.model)
        running: list[tasks.Tasks] = []

        def work() -> Response:
            job = tasks.Tasks(server.engine, server.request_media, request.state.tenant, body)
            request.state.asked = job
            running.append(job)
            return JSONResponse({"model": server.settings.model_name, **getattr(job, name)(body)})

        try:
            return await unless_gone(request, server.in_thread(work))
        except BaseException as error:
            for job in running:
                job.cancel()
            if isinstance(error, Exception):
                return error_response(error)
            raise

    def add(name: str, shape: type[tasks.TaskRequest], text: str) -> None:
        async def endpoint(body: Any, request: Request) -> Response:
            return await run(name, body, request)

        endpoint.__annotations__ = {"body": shape, "request": Request, "return": Response}
        post(f"/v1/{name}", summary=text, name=name)(endpoint)

    add("locate", tasks.LocateRequest, "Boxes of everything that fits the query")
    add("point", tasks.PointRequest, "A point on everything that fits the query")
    add("count", tasks.PointRequest, "How many things fit the query, each pointed at")
    add("read", tasks.ReadRequest, "The text in a picture")
    add("parse", tasks.ParseRequest, "A picture or PDF as a typed document")
    add("extract", tasks.ExtractRequest, "Values of a document by a schema, each with its place")
    add("moments", tasks.MomentsRequest, "When something happens in a clip")
