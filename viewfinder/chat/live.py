"""A running camera or screen: frames come in, questions are asked at any moment, standing queries say when.

    live = LiveSession(model, processor)
    live.watch("a person enters")
    for frame, time in camera:
        for event in live.push(frame, time):
            print(event.kind, event.span)
    live.ask("What is on the table now?")

Memory and the cost of a frame are those of the window (`chat.live_window`), however long the stream is. All times are
seconds of the stream's own clock; a span that is told is at most one frame interval off where the model is right, with
frames lost or late too.
"""

import copy
import dataclasses
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from viewfinder.chat.live_window import FramePair, LiveWindow, WindowSettings
from viewfinder.chat.moments import describe_question, moments_question, read_spans
from viewfinder.chat.windows import Window
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import load_image
from viewfinder.media.video import Clip
from viewfinder.messages import ChatModel, Reply, Sampling, VideoPart, user
from viewfinder.outputs.results import Answer, Found, confidence
from viewfinder.outputs.spans import Span
from viewfinder.processor.processor import Processor

MOST_QUERIES = 16
_MOST_SPANS = 3
"""Of one answer to a standing query, so that a frame costs no more when the model finds much."""


class UnknownQueryError(ViewfinderError):
    """A standing query that does not stand."""


@dataclass(frozen=True)
class LiveEvent:
    """What a standing query says.

    Attributes:
        id: 1, 2, 3, ... of the session.
        kind: "started" while it goes on, `span` being what was seen of it; "ended" with its whole span. What began and
            ended before it was seen is only "ended".
        span: seconds of the stream.
        time: of the newest frame when this became known.
    """

    id: int
    query: str
    kind: Literal["started", "ended"]
    span: Span
    time: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "span": self.span.to_dict()}


class LiveSession:
    """One stream. One thread pushes; others may ask meanwhile."""

    def __init__(self, model: ChatModel, processor: Processor, settings: WindowSettings | None = None) -> None:
        self.model, self.processor = model, processor
        self.window = LiveWindow(settings or WindowSettings(), processor.settings)
        self._event_ids = itertools.count(1)
        self._queries: dict[str, _StandingQuery] = {}

    def over(self, model: ChatModel) -> "LiveSession":
        """The same stream, whose questions go to another `ChatModel`, such as one that can be called off."""
        view = copy.copy(self)
        view.model = model
        return view

    @property
    def queries(self) -> list[str]:
        return list(self._queries)

    def watch(self, query: str) -> None:
        """Tell when `query` happens from now on.

        Raises:
            ViewfinderError: there are `MOST_QUERIES` already.
        """
        if len(self._queries) >= MOST_QUERIES:
            raise ViewfinderError(f"{MOST_QUERIES} queries stand already, the most of one stream; end one of them")
        last = self.window.last_time
        self._queries.setdefault(query, _StandingQuery(query, -1.0 if last is None else last))

    def unwatch(self, query: str) -> None:
        """Tell of `query` no more, not even of what goes on now.

        Raises:
            UnknownQueryError: it does not stand.
        """
        if self._queries.pop(query, None) is None:
            standing = ", ".join(repr(text[:40]) for text in self._queries) or "none"
            raise UnknownQueryError(f"no query {query[:200]!r} stands in this session; those that do: {standing}")

    def push(self, frame: Any, time: float) -> list[LiveEvent]:
        """Take a frame (anything that is a picture) of `time` seconds; what standing queries say of it.

        A frame that comes sooner than 1/fps after the last is left out, before it is decoded.

        Raises:
            MediaError: the frame cannot be read, has another size than the first, or is not in order.
            ViewfinderError: the model could not be asked; the frame is kept, and the next one catches up.
        """
        return self._judge(self.window.push(load_image(frame), time)) if self.window.wants(time) else []

    def push_clip(self, clip: Clip, start: float) -> list[LiveEvent]:
        """Take a chunk of the stream that began at `start` seconds, loaded with this window's `budget`."""
        pairs: list[FramePair] = []
        for pixels, time in zip(clip.frames, clip.times, strict=True):
            last = self.window.last_time
            if last is None or start + time > last:  # a clip repeats its last frame to be even
                pairs += self.window.push_pixels(pixels, clip.transform, start + time)
        return self._judge(pairs)

    def ask(self, question: str, *, seconds: float | None = None, sampling: Sampling | None = None) -> Answer:
        """Answer about the last `seconds` (0: the newest frames), or about all that is kept.

        Raises:
            MediaError: there is no frame yet.
        """
        reply = self._look(self.window.pairs(seconds), question, None, sampling)
        return Answer(reply.text, reply, confidence(reply))

    def moments(
        self, query: str | None = None, *, seconds: float | None = None, sampling: Sampling | None = None
    ) -> Found[Span]:
        """When `query` happened (None: all events) in what is kept, in seconds of the stream; errors as in `ask`."""
        return self._spans(query, self.window.pairs(seconds), sampling)

    def _spans(
        self, query: str | None, pairs: list[FramePair], sampling: Sampling | None = None, most: int = 20
    ) -> Found[Span]:
        question = describe_question() if query is None else moments_question(query, most)
        interval = 1 / self.window.settings.fps
        start, end = (pairs[0].times[0], pairs[-1].times[1] + interval) if pairs else (0.0, 0.0)
        reply = self._look(pairs, question.prompt, question.grammar(end - start), sampling)
        spans = read_spans(reply, Window(start, end), question.label, None)
        times = [time for pair in pairs for time in pair.times] + [end]
        return Found([_on_frames(span, times) for span in spans], reply)

    def _look(self, pairs: list[FramePair], question: str, grammar: str | None, sampling: Sampling | None) -> Reply:
        part = VideoPart(video=self.window.clip(pairs))
        reply = self.model.chat([user(part, question)], grammar=grammar, sampling=sampling)
        if reply.finish_reason == "cancelled":
            raise ViewfinderError("the question was called off, so it has no answer; ask again")
        return reply

    def _judge(self, pairs: list[FramePair]) -> list[LiveEvent]:
        """Ask each standing query about the window once, if it has grown."""
        events: list[LiveEvent] = []
        for query in list(self._queries.values()) if pairs else ():
            found = self._spans(query.text, self.window.window, most=_MOST_SPANS)
            if self._queries.get(query.text) is not query:  # ended while it was asked about
                continue
            for kind, span in query.update(found, self.window.window):
                time = self.window.last_time
                assert time is not None
                events.append(LiveEvent(next(self._event_ids), query.text, kind, span, time))
        return events


class _StandingQuery:
    """A query, and what it has told: `told` is the second up to which all is said, `open` what goes on."""

    def __init__(self, text: str, told: float) -> None:
        self.text, self.told = text, told
        self.open: Span | None = None

    def update(self, spans: Iterable[Span], window: list[FramePair]) -> list[tuple[Literal["started", "ended"], Span]]:
        """What is new in the spans that were found in the window.

        Pairs at 0-0.5, 1-1.5, 2-2.5 s and the span 1.0-1.5: the second pair says "started" at 1.0, the third
        "ended" at 1.5.
        """
        first, last = window[-1].times
        over = [span for span in spans if span.end < first or span.end == first < last]
        going_on = [span for span in spans if span not in over]
        said: list[tuple[Literal["started", "ended"], Span]] = []
        if self.open is not None and going_on:
            self.open = dataclasses.replace(self.open, end=last)
            return said
        if self.open is not None:
            ends = [span.end for span in over if span.end >= self.open.start]
            said.append(("ended", dataclasses.replace(self.open, end=max(ends, default=self.open.end))))
            self.open, self.told = None, said[-1][1].end
        for span in over:
            if span.start > self.told:
                said.append(("ended", span))
                self.told = span.end
        if going_on:
            start = min(span.start for span in going_on)
            self.open = dataclasses.replace(going_on[0], start=max(start, self.told), end=last)
            said.append(("started", self.open))
        return said


def _on_frames(span: Span, times: list[float]) -> Span:
    """The span from frame to frame: a tenth of a second that an answer is rounded to says nothing more."""
    start, end = (min(times, key=lambda time: abs(time - value)) for value in (span.start, span.end))
    return dataclasses.replace(span, start=start, end=max(start, end))
