"""One chat request to one HTTP answer, whole or streamed, in the form of the endpoint it came to.

Every endpoint that lets the model talk makes a `ChatRequest` of its body and hands it in here with a `WireForm`, which
writes the chat answer and its chunks in the endpoint's own shapes.
"""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import ValidationError

from viewfinder.serve.body import lenient
from viewfinder.serve.completions import Completion
from viewfinder.serve.errors import UnknownModelError, status_of
from viewfinder.serve.protocol import ChatRequest
from viewfinder.serve.settings import ServeSettings

if TYPE_CHECKING:
    from viewfinder.serve.app import Server

Chunks = AsyncIterator[dict[str, Any]]


class WireForm(Protocol):
    """How one endpoint writes a chat answer. One object a request."""

    def whole(self, completion: Completion, answer: dict[str, Any]) -> dict[str, Any]:
        """The body, from the body of a chat completion."""
        ...

    def events(self, completion: Completion, chunks: Chunks) -> AsyncIterator[str]:
        """Server-sent events, from the chunks of a streamed chat completion."""
        ...

    def failure(self, body: dict[str, Any]) -> str:
        """The event that tells of an error in the middle of a stream, from OpenAI's error body."""
        ...


class ChatForm:
    """`/v1/chat/completions` itself: as it is."""

    def whole(self, completion: Completion, answer: dict[str, Any]) -> dict[str, Any]:
        return answer

    async def events(self, completion: Completion, chunks: Chunks) -> AsyncIterator[str]:
        async for chunk in chunks:
            yield sse(chunk)
        yield "data: [DONE]\n\n"

    def failure(self, body: dict[str, Any]) -> str:
        return sse(body)


def taker(app: FastAPI, settings: ServeSettings, tag: str) -> Callable[..., Callable[[Any], Any]]:
    """A decorator that makes an endpoint the route of a POST, whose `body` is lenient where the operator is."""

    def post(path: str, **about: Any) -> Callable[[Any], Any]:
        def add(endpoint: Any) -> Any:
            if settings.lenient:
                endpoint.__annotations__["body"] = lenient(endpoint.__annotations__["body"])
            return app.post(path, tags=[tag], response_model=None, **about)(endpoint)

        return add

    return post


async def answer_chat(server: "Server", body: ChatRequest, request: Request, form: WireForm) -> Response:
    """Run a chat request and answer in `form`; the work stops when the client hangs up."""
    check_model(server, body.model)
    completion = Completion(body, server.engine, server.request_media, request.state.tenant)
    return await answer_completion(server, completion, request, form)


async def answer_completion(server: "Server", completion: Completion, request: Request, form: WireForm) -> Response:
    """As `answer_chat`, of a completion that is made already."""
    request.state.asked = completion
    try:
        await unless_gone(request, server.in_thread(completion.begin, server.mailbox, server.settings.max_choices))
        if not completion.request.stream:
            answer = await unless_gone(request, completion.whole())
            return await server.in_thread(lambda: JSONResponse(form.whole(completion, answer)))
    except BaseException as error:
        completion.cancel()
        if isinstance(error, Exception):
            return error_response(error)
        raise
    headers = {"Cache-Control": "no-cache"}
    return StreamingResponse(_server_sent(completion, form), media_type="text/event-stream", headers=headers)


async def _server_sent(completion: Completion, form: WireForm) -> AsyncIterator[str]:
    try:
        async for text in form.events(completion, completion.chunks()):
            yield text
    except Exception as error:
        yield form.failure(status_of(error)[1])
    finally:
        completion.cancel()


def sse(data: dict[str, Any], event: str | None = None) -> str:
    """One server-sent event, in ASCII: some clients end lines at U+2028 or read UTF-8 as Latin-1."""
    name = "" if event is None else f"event: {event}\n"
    return f"{name}data: {json.dumps(data)}\n\n"


def to_chat_request(**fields: Any) -> ChatRequest:
    """The chat request with the given fields, those that are None left out; what is wrong with them is the client's."""
    try:
        return ChatRequest(**{name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


def check_model(server: "Server", name: str | None) -> None:
    own = server.settings.model_name
    if name is not None and name != own:
        raise UnknownModelError(f"there is no model {name[:80]!r}; this server has {own!r}")


def error_response(error: BaseException) -> Response:
    if isinstance(error, ClientGoneError):
        return Response(status_code=499)  # nobody reads it; it is counted under this status, as is usual
    status, body, headers = status_of(error)
    # A future and the error in it know one another through these frames, and they know the whole request.
    traceback.clear_frames(error.__traceback__)
    return JSONResponse(body, status, headers)


class ClientGoneError(Exception):
    """The client hung up while its answer was made."""


async def unless_gone(request: Request, work: Awaitable[Any]) -> Any:
    """The result of `work`, given up when the client hangs up."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue

    task, watcher = asyncio.ensure_future(work), asyncio.ensure_future(watch())
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError
        return task.result()
    finally:
        task.cancel()
        watcher.cancel()
