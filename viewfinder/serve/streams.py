"""Live sessions over HTTP: open one, send frames as they are taken, ask at any moment, close.

A session outlives its connections: a client that was cut off goes on with the same id, and `GET` says which frame was
the last and what was told since. One frame at a time is under way: its answer, with the events that it brought, is
the sign to send the next, so the camera is paced by the model and frames that had to be left out are times that did not
come, never a queue. That is why no WebSocket is needed: plain requests pass the same door as all others.
"""

import asyncio
import contextlib
import threading
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field, field_validator, model_validator

from viewfinder.chat.live import MOST_QUERIES, LiveEvent, LiveSession
from viewfinder.chat.live_window import WindowSettings
from viewfinder.engine.scheduler import BusyError
from viewfinder.messages import Sampling
from viewfinder.outputs.results import Answer, Found
from viewfinder.outputs.spans import Span
from viewfinder.serve.answering import check_model, taker, unless_gone
from viewfinder.serve.body import Body, Finite, check_json
from viewfinder.serve.errors import StreamBusyError, UnknownStreamError
from viewfinder.serve.request_media import ContainedChat, RequestMedia
from viewfinder.serve.sampling_fields import SamplingFields
from viewfinder.serve.shares import Shares
from viewfinder.serve.tasks import Query

if TYPE_CHECKING:
    from viewfinder.serve.app import Server

_EVENTS = 1000
"""Events kept of a session for whoever comes back."""


class SessionRequest(Body):
    """`POST /v1/streaming/sessions`; bounds as in `chat.live_window.WindowSettings`."""

    model: str | None = None
    queries: list[str] = Field(default=[], max_length=MOST_QUERIES, description="What to tell of when it happens.")
    fps: Finite = Field(default=2.0, gt=0, le=60, description="Frames taken in a second at most.")
    window_seconds: Finite = Field(default=16.0, gt=0, le=3600, description="The newest stretch, kept whole.")
    past_pairs: int = Field(default=16, ge=0, le=512, description="Frame pairs kept of what was before.")
    past_seconds: Finite = Field(default=600.0, ge=0, le=86400)
    max_pixels: int | None = Field(default=None, gt=0, le=10**9, description="Of one frame.")

    @field_validator("queries")
    @classmethod
    def _plain(cls, value: list[str]) -> list[str]:
        check_json(value)
        if any(not 0 < len(query) <= 2000 for query in value):
            raise ValueError("a query has 1 to 2000 characters")
        return value


class FrameRequest(Body):
    """A frame, or a chunk of video that is a file of its own: URL or `data:` URI."""

    time: Finite = Field(ge=0, le=10**9, description="Seconds of the stream's own clock; of a chunk, of its beginning.")
    image: str | None = None
    video: str | None = None

    @model_validator(mode="after")
    def _one(self) -> "FrameRequest":
        if (self.image is None) == (self.video is None):
            raise ValueError("give either image or video")
        return self


class AskRequest(SamplingFields):
    """A question about what is kept, or, with `query`, when something happened in it."""

    question: str | None = Field(default=None, min_length=1, max_length=20_000)
    query: str | None = Field(default=None, min_length=1, max_length=2000)
    seconds: Finite | None = Field(default=None, ge=0, description="Of the newest stretch; 0 is now, null all.")

    @model_validator(mode="after")
    def _one(self) -> "AskRequest":
        check_json(self.question or self.query)
        if (self.question is None) == (self.query is None):
            raise ValueError("give either question or query")
        return self


class WatchRequest(Body):
    query: str = Query

    @field_validator("query")
    @classmethod
    def _plain(cls, value: str) -> str:
        check_json(value)
        return value


class Stream:
    """An open session of a tenant."""

    def __init__(self, session: LiveSession, tenant: str) -> None:
        self.session, self.tenant = session, tenant
        self.id = f"stream_{uuid.uuid4().hex}"
        self.events: deque[dict[str, Any]] = deque(maxlen=_EVENTS)
        self.used = time.monotonic()
        self.frame_under_way = threading.Lock()

    def push(self, frame: FrameRequest, session: LiveSession, media: RequestMedia) -> list[LiveEvent]:
        """Decode a frame and ask the standing queries; `session` is this one for the request at hand.

        Raises:
            StreamBusyError: the frame before is not done with.
        """
        if not self.frame_under_way.acquire(blocking=False):
            raise StreamBusyError("the frame before this one is still looked at; send the next after its answer")
        try:
            events = self._push(frame, session, media)
            self.events.extend(event.to_dict() for event in events)
            return events
        finally:
            self.frame_under_way.release()

    def _push(self, frame: FrameRequest, session: LiveSession, media: RequestMedia) -> list[LiveEvent]:
        window = session.window
        if frame.video is not None:
            options = {**window.budget, "fps": window.settings.fps, "min_frames": 2}
            most = min(media.limits.max_frames, 2 * window.settings.window_pairs)
            clip = media.sandbox.clip(media.fetch(frame.video), media.limits, max_frames=most, **options)
            return session.push_clip(clip, frame.time)
        if not window.wants(frame.time):
            return []
        picture = media.sandbox.image(media.fetch(frame.image), media.limits, window.budget)
        return session.push(picture, frame.time)

    def state(self, after: int = 0) -> dict[str, Any]:
        window = self.session.window
        pairs = window.pairs()
        return {
            "id": self.id,
            "object": "streaming.session",
            "queries": self.session.queries,
            "frames": window.num_frames,
            "last_time": window.last_time,
            "kept": {"pairs": len(pairs), "since": pairs[0].times[0] if pairs else None, "bytes": window.num_bytes},
            "events": [event for event in list(self.events) if event["id"] > after],
        }


class Streams:
    """The open sessions of a server. Each key has its share of places, and sees its own sessions only."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        settings = server.settings
        self._places = Shares(settings.max_streams, one_tenant=len(settings.api_keys) < 2)
        self._streams: dict[str, Stream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def open(self, request: SessionRequest, tenant: str) -> Stream:
        """Raises `BusyError` where the key has its share of sessions open, `MediaError` for a window that is none."""
        settings, processor = self._server.settings, self._server.engine.engine.processor
        room = 3 * self._server.request_media.context // 4 * processor.settings.factor**2
        given = request.model_dump(include={"fps", "window_seconds", "past_pairs", "past_seconds", "max_pixels"})
        total = min(processor.settings.total_pixels, room, settings.max_stream_bytes // 6)
        session = LiveSession(
            self._server.engine.chat_for(tenant), processor, WindowSettings(**given, total_pixels=total)
        )
        for query in request.queries:
            session.watch(query)
        if not self._places.take(tenant):
            raise BusyError(f"{self._places.held(tenant)} live sessions of yours are open; close one", 5.0)
        stream = Stream(session, tenant)
        self._streams[stream.id] = stream
        return stream

    def find(self, name: str, tenant: str) -> Stream:
        stream = self._streams.get(name)
        if stream is None or stream.tenant != tenant:
            settings = self._server.settings
            elsewhere = ", or another worker has it: use the connection that opened it" if settings.worker else ""
            raise UnknownStreamError(
                f"there is no live session {name[:60]!r}; it was closed, or not used for "
                f"{settings.stream_idle_seconds:g} s: open a new one{elsewhere}"
            )
        stream.used = time.monotonic()
        return stream

    def close(self, stream: Stream) -> None:
        if self._streams.pop(stream.id, None) is not None:
            self._places.give(stream.tenant)

    @contextlib.asynccontextmanager
    async def tidied(self) -> AsyncIterator[None]:
        """While inside, sessions that nobody uses are closed; at the end, all."""
        idle = self._server.settings.stream_idle_seconds

        async def tidy() -> None:
            while True:
                await asyncio.sleep(min(5.0, idle / 4))
                for stream in list(self._streams.values()):
                    if time.monotonic() - stream.used > idle:
                        self.close(stream)

        task = asyncio.create_task(tidy())
        try:
            yield
        finally:
            task.cancel()
            self._streams.clear()


def add_stream_routes(app: FastAPI, server: "Server") -> None:
    post = taker(app, server.settings, "live")
    streams = server.streams

    async def worked(request: Request, stream: Stream, work: Callable[[LiveSession, RequestMedia], Any]) -> Any:
        """Run `work` in a thread; it ends when the client hangs up, and the session stays."""
        chat = server.engine.chat_for(stream.tenant)
        media = server.request_media.for_tenant(stream.tenant)
        session = stream.session.over(ContainedChat(chat, media))
        try:
            return await unless_gone(request, server.in_thread(work, session, media))
        except BaseException:
            chat.cancel()
            media.call_off()
            raise
        finally:
            stream.used = time.monotonic()

    @post("/v1/streaming/sessions")
    async def open_session(body: SessionRequest, request: Request) -> Response:
        """Open a live session: what is kept of it, and the queries that stand from the beginning."""
        check_model(server, body.model)
        return JSONResponse(streams.open(body, request.state.tenant).state())

    @post("/v1/streaming/sessions/{name}/frame")
    async def frame(name: str, body: FrameRequest, request: Request) -> Response:
        """The next frame; answered with what standing queries say, which is the sign to send another."""
        stream = streams.find(name, request.state.tenant)
        events: list[LiveEvent] = await worked(request, stream, lambda s, media: stream.push(body, s, media))
        taken = stream.session.window.last_time
        said = {"object": "streaming.frame", "last_time": taken, "events": [event.to_dict() for event in events]}
        return JSONResponse(said)

    @post("/v1/streaming/sessions/{name}/ask")
    async def ask(name: str, body: AskRequest, request: Request) -> Response:
        """A question about now or the kept past; or when a query happened, in seconds of the stream."""
        stream = streams.find(name, request.state.tenant)
        sampling: Sampling = body.sampling_over(server.engine.engine.sampling)

        def work(session: LiveSession, _: RequestMedia) -> Answer | Found[Span]:
            if body.question is None:
                return session.moments(body.query, seconds=body.seconds, sampling=sampling)
            return session.ask(body.question, seconds=body.seconds, sampling=sampling)

        found: Answer | Found[Span] = await worked(request, stream, work)
        reply = found.reply
        said = {"object": "streaming.answer", "text": reply.text, "finish_reason": reply.finish_reason}
        spans = {} if isinstance(found, Answer) else {"spans": [span.to_dict() for span in found]}
        seen = [time for info in reply.media for time in info.frame_times or ()]
        about = {"frame_times": seen, "usage": reply.usage.model_dump(), "stamp": reply.stamp}
        return JSONResponse({**said, **spans, **about})

    @post("/v1/streaming/sessions/{name}/watch")
    async def watch(name: str, body: WatchRequest, request: Request) -> Response:
        """One more standing query: tell when it happens, from now on."""
        stream = streams.find(name, request.state.tenant)
        stream.session.watch(body.query)
        return JSONResponse(stream.state())

    @app.delete("/v1/streaming/sessions/{name}/watch", tags=["live"], response_model=None)
    async def unwatch(name: str, query: str, request: Request) -> Response:
        """Tell of a standing query no more."""
        stream = streams.find(name, request.state.tenant)
        stream.session.unwatch(query)
        return JSONResponse(stream.state())

    @app.get("/v1/streaming/sessions/{name}", tags=["live"], response_model=None)
    async def look(name: str, request: Request, after: int = 0) -> Response:
        """Where the session stands, and the events after one; for a client that was cut off."""
        return JSONResponse(streams.find(name, request.state.tenant).state(after))

    @app.delete("/v1/streaming/sessions/{name}", tags=["live"], response_model=None)
    async def close(name: str, request: Request) -> Response:
        """End a session and free what it holds."""
        stream = streams.find(name, request.state.tenant)
        streams.close(stream)
        return JSONResponse({"id": stream.id, "object": "streaming.session", "deleted": True})
