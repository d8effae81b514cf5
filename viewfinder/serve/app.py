"""The server's routes, put together from an engine, a sandbox and the operator's settings."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

import viewfinder
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.media.sandbox import Sandbox
from viewfinder.serve import tasks
from viewfinder.serve.access import AccessMiddleware
from viewfinder.serve.completions import Completion
from viewfinder.serve.errors import error_body, status_of
from viewfinder.serve.metrics import Metrics
from viewfinder.serve.playground import Page, PreviewRequest, preview
from viewfinder.serve.protocol import ChatRequest
from viewfinder.serve.request_media import RequestMedia
from viewfinder.serve.samples import SampleBook, SampleRequest
from viewfinder.serve.settings import LOOPBACK, ServeError, ServeSettings

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
        self.metrics = Metrics(engine, self.sandbox)
        self.held: dict[str, Any] = {}
        self.created = int(time.time())
        self.book = SampleBook(Path(settings.samples), settings) if settings.samples else None

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Engine and decoders start with the server; at the end what runs is finished first."""
        self.threads = anyio.CapacityLimiter(self.settings.max_requests)
        await asyncio.to_thread(self.check_confinement)
        self.engine.start()
        try:
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
            },
        }


def create_app(engine: AsyncEngine, settings: ServeSettings | None = None) -> FastAPI:
    """The whole application. Starting it starts the engine's loop and the decode workers."""
    server = Server(engine, settings or ServeSettings())
    app = FastAPI(
        title="Viewfinder",
        version=viewfinder.__version__,
        lifespan=server.lifespan,
        docs_url=None,
        redoc_url=None,
        description="Answers about pictures, clips and documents, in pixels and seconds of the original.",
    )
    app.state.server = server
    _add_errors(app)
    _add_service_routes(app, server)
    _add_chat_route(app, server)
    _add_task_routes(app, server)
    _add_playground_routes(app, server)
    app.mount("/", Page(), name="playground")
    app.add_middleware(_Observe, server=server)
    app.add_middleware(AccessMiddleware, settings=server.settings)
    if server.settings.cors_origins:
        origins = list(server.settings.cors_origins)
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"] if part != "body")
        message = f"{where}: {problem['msg']}" if where else str(problem["msg"])
        if problem["type"] == "extra_forbidden":
            message = f"{where} is not a field of this endpoint; remove it or check its spelling"
        return JSONResponse(error_body(message, 400, "invalid_request", where[:200] or None), 400)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        body = error_body(str(error.detail), error.status_code, "http_error")
        return JSONResponse(body, error.status_code, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        return _error_response(error)


def _error_response(error: BaseException) -> Response:
    if isinstance(error, _ClientGoneError):
        return Response(status_code=499)  # nobody reads it; it is counted under this status, as is usual
    status, body, headers = status_of(error)
    return JSONResponse(body, status, headers)


class _Observe:
    """Counts and times requests; paths that do not exist share one name."""

    def __init__(self, app: Any, server: Server) -> None:
        self._app, self._server = app, server

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", None) or "other"
            self._server.metrics.observe(path, status, time.monotonic() - started)


def _add_service_routes(app: FastAPI, server: Server) -> None:
    @app.get("/health", tags=["service"])
    async def health() -> dict[str, Any]:
        """Alive; how decoders are held."""
        return {"status": "ok", "version": viewfinder.__version__, "decoders": server.held}

    @app.get("/ready", tags=["service"])
    async def ready() -> Response:
        """200 when requests are taken, 503 while starting or draining."""
        good = server.engine.is_alive and server.engine.state == "open"
        return JSONResponse({"ready": good, "state": server.engine.state}, 200 if good else 503)

    @app.get("/metrics", tags=["service"])
    async def metrics() -> Response:
        """Prometheus text."""
        return Response(server.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/v1/models", tags=["openai"])
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [server.model_card()]}

    @app.get("/v1/models/{name:path}", tags=["openai"])
    async def model(name: str) -> dict[str, Any]:
        if name != server.settings.model_name:
            raise HTTPException(404, f"there is no model {name[:80]!r}; this server has {server.settings.model_name!r}")
        return server.model_card()


def _check_model(server: Server, name: str | None) -> None:
    if name is not None and name != server.settings.model_name:
        raise HTTPException(404, f"there is no model {name[:80]!r}; this server has {server.settings.model_name!r}")


def _add_chat_route(app: FastAPI, server: Server) -> None:
    @app.post("/v1/chat/completions", tags=["openai"], response_model=None)
    async def chat(body: ChatRequest, request: Request) -> Response:
        """OpenAI's chat completions with pictures, clips and documents; `stream` gives server-sent events."""
        _check_model(server, body.model)
        completion = Completion(body, server.engine, server.request_media, request.state.tenant)
        loop = asyncio.get_running_loop()
        try:
            await _unless_gone(request, server.in_thread(completion.begin, loop, server.settings.max_choices))
            if not body.stream:
                return JSONResponse(await _unless_gone(request, completion.whole()))
        except BaseException as error:
            completion.cancel()
            if isinstance(error, Exception):
                return _error_response(error)
            raise
        return StreamingResponse(
            _server_sent(completion), media_type="text/event-stream", headers={"Cache-Control": "no-cache"}
        )


async def _server_sent(completion: Completion) -> AsyncIterator[str]:
    try:
        async for chunk in completion.chunks():
            yield f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
        yield "data: [DONE]\n\n"
    except Exception as error:
        yield f"data: {json.dumps(status_of(error)[1])}\n\n"
    finally:
        completion.cancel()


class _ClientGoneError(Exception):
    pass


async def _unless_gone(request: Request, work: Awaitable[Any]) -> Any:
    """The result of `work`, given up when the client hangs up."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue

    task, watcher = asyncio.ensure_future(work), asyncio.ensure_future(watch())
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise _ClientGoneError
        return task.result()
    finally:
        task.cancel()
        watcher.cancel()


def _add_task_routes(app: FastAPI, server: Server) -> None:
    async def run(name: str, body: tasks.TaskRequest, request: Request) -> Response:
        _check_model(server, body.model)
        running: list[tasks.Tasks] = []

        def work() -> dict[str, Any]:
            job = tasks.Tasks(server.engine, server.request_media, request.state.tenant, body)
            running.append(job)
            return getattr(job, name)(body)

        try:
            result = await _unless_gone(request, server.in_thread(work))
        except BaseException as error:
            for job in running:
                job.cancel()
            if isinstance(error, Exception):
                return _error_response(error)
            raise
        return JSONResponse({"model": server.settings.model_name, **result})

    def add(name: str, shape: type[tasks.TaskRequest], text: str) -> None:
        async def endpoint(body: Any, request: Request) -> Response:
            return await run(name, body, request)

        endpoint.__annotations__ = {"body": shape, "request": Request, "return": Response}
        app.post(f"/v1/{name}", tags=["tasks"], summary=text, name=name, response_model=None)(endpoint)

    add("locate", tasks.LocateRequest, "Boxes of everything that fits the query")
    add("point", tasks.PointRequest, "A point on everything that fits the query")
    add("count", tasks.PointRequest, "How many things fit the query, each pointed at")
    add("read", tasks.ReadRequest, "The text in a picture")
    add("parse", tasks.ParseRequest, "A picture or PDF as a typed document")
    add("extract", tasks.ExtractRequest, "Values of a document by a schema, each with its place")
    add("moments", tasks.MomentsRequest, "When something happens in a clip")


def _add_playground_routes(app: FastAPI, server: Server) -> None:
    @app.post("/samples", tags=["playground"], response_model=None)
    async def save(body: SampleRequest, request: Request) -> Response:
        """Keep a corrected answer as a training sample."""
        if server.book is None:
            raise HTTPException(403, "this server keeps no samples; start it with --samples FOLDER")
        return await answered(server.book.add, body, request)

    @app.post("/preview", tags=["playground"], response_model=None)
    async def show(body: PreviewRequest, request: Request) -> Response:
        """Pages of a document as pictures."""
        return await answered(preview, body, request)

    async def answered(work: Callable[..., dict[str, Any]], body: Any, request: Request) -> Response:
        media = server.request_media.for_tenant(request.state.tenant)
        try:
            return JSONResponse(await _unless_gone(request, server.in_thread(work, body, media)))
        except Exception as error:
            return _error_response(error)
        finally:
            media.call_off()
