"""The task endpoints: `/v1/locate|point|count|read|parse|extract|moments`.

Typed results in original pixels and seconds. Each is a job of `viewfinder.chat` for a tenant, run in a worker thread.
"""

from typing import Any, Literal

from pydantic import Field, field_validator

from viewfinder.chat.viewfinder import Viewfinder
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.errors import LimitError
from viewfinder.media.transform import Transform
from viewfinder.messages import Reply, Sampling, Usage
from viewfinder.outputs.written import BoxJson, PointJson
from viewfinder.processor.processor import Processor
from viewfinder.serve.body import PageNumber, from_zero
from viewfinder.serve.protocol import Body, Coordinates, Finite, check_json
from viewfinder.serve.request_media import ContainedChat, RequestMedia
from viewfinder.serve.seen import described

Query = Field(min_length=1, max_length=2000)


class TaskRequest(Body):
    """What all tasks share."""

    model: str | None = None
    max_tokens: int | None = Field(default=None, gt=0, le=10**6)
    min_pixels: int | None = Field(default=None, gt=0, le=10**9)
    max_pixels: int | None = Field(default=None, gt=0, le=10**9)


class LookRequest(TaskRequest):
    """A task on one picture: a URL or `data:` URI."""

    image: str
    coordinates: Coordinates = "original"


class LocateRequest(LookRequest):
    query: str = Query
    max_items: int = Field(default=100, ge=1, le=500)
    verify: bool = False


class PointRequest(LookRequest):
    query: str = Query
    max_items: int = Field(default=100, ge=1, le=500)


class ReadRequest(LookRequest):
    lines: bool = Field(default=False, description="Each line with its box.")


class ParseRequest(TaskRequest):
    document: str = Field(description="A picture or PDF: URL or data: URI.")
    pages: list[PageNumber] | None = Field(default=None, max_length=500)
    check_text: bool = Field(default=True, description="Compare with the text layer of the PDF.")
    correct: bool = False
    format: Literal["json", "html", "markdown"] = "json"


class ExtractRequest(TaskRequest):
    document: str = Field(description="A picture or PDF: URL or data: URI.")
    schema_: dict[str, Any] | list[str] = Field(alias="schema", description="JSON schema, or names of fields.")
    pages: list[PageNumber] | None = Field(default=None, max_length=500)
    places: bool = True

    @field_validator("schema_")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        check_json(value)
        return value


class MomentsRequest(TaskRequest):
    video: str = Field(description="URL or data: URI.")
    query: str | None = Field(default=None, min_length=1, max_length=2000, description="None asks for all events.")
    fps: Finite | None = Field(default=None, gt=0, le=60)


class Tasks:
    """Runs tasks for a tenant; blocking. `cancel` stops what is under way."""

    def __init__(self, engine: AsyncEngine, request_media: RequestMedia, tenant: str, request: TaskRequest) -> None:
        settings = engine.engine.processor.settings
        most = request_media.context * settings.factor**2
        if request.min_pixels is not None and request.min_pixels > most:
            raise LimitError(f"min_pixels is {request.min_pixels:,}, over the {most:,} that the model takes; lower it")
        high = min(request.max_pixels or max(settings.max_pixels, request.min_pixels or 0), most)
        low = min(request.min_pixels or settings.min_pixels, high)
        processor = Processor(engine.engine.processor.tokenizer, settings.with_(min_pixels=low, max_pixels=high))
        self.replies: list[Reply] = []
        self._chat = engine.chat_for(tenant, processor)
        self.request_media, self.request = request_media.for_tenant(tenant), request
        self._contained = ContainedChat(self._chat, self.request_media, self.replies.append)
        self.viewfinder = Viewfinder(self._contained, processor)

    def cancel(self) -> None:
        self.request_media.call_off()
        self._chat.cancel()

    @property
    def _sampling(self) -> Sampling | None:
        if self.request.max_tokens is None:
            return None
        return self._chat.sampling.model_copy(update={"max_new_tokens": self.request.max_tokens})

    def locate(self, request: LocateRequest) -> dict[str, Any]:
        picture = self.request_media.picture(request.image)
        found = self.viewfinder.locate(
            picture, request.query, verify=request.verify, max_items=request.max_items, sampling=self._sampling
        )
        return {"boxes": [self._box(box.to_dict()) for box in found], **self._account(found.reply)}

    def point(self, request: PointRequest) -> dict[str, Any]:
        picture = self.request_media.picture(request.image)
        found = self.viewfinder.point(picture, request.query, max_items=request.max_items, sampling=self._sampling)
        return {"points": [self._point(p.to_dict()) for p in found], **self._account(found.reply)}

    def count(self, request: PointRequest) -> dict[str, Any]:
        picture = self.request_media.picture(request.image)
        count = self.viewfinder.count(picture, request.query, max_items=request.max_items, sampling=self._sampling)
        fields = count.to_dict()
        return {**fields, "points": [self._point(p) for p in fields["points"]], **self._account(count.reply)}

    def read(self, request: ReadRequest) -> dict[str, Any]:
        picture = self.request_media.picture(request.image)
        if request.lines:
            lines = self.viewfinder.spot(picture, sampling=self._sampling)
            return {"lines": [self._box(line.to_dict()) for line in lines], **self._account(lines.reply)}
        answer = self.viewfinder.read(picture, sampling=self._sampling)
        return {"confidence": answer.confidence, **self._account(answer.reply), "text": str(answer)}

    def parse(self, request: ParseRequest) -> dict[str, Any]:
        pages = self.request_media.pages(request.document, from_zero(request.pages))
        document = self.viewfinder.parse(
            pages, check=request.check_text, correct=request.correct, pages=pages.numbers, sampling=self._sampling
        )
        written: dict[str, Any] = {"html": document.to_html()}
        if request.format != "html":
            written["markdown"] = document.to_markdown()
        if request.format == "json":
            written["pages"] = document.to_dict()["pages"]
        failed = [{"page": page.number + 1, "reason": page.error} for page in document.pages if page.error]
        return {**written, "failed": failed, **self._account(None)}

    def extract(self, request: ExtractRequest) -> dict[str, Any]:
        pages = self.request_media.pages(request.document, from_zero(request.pages), at_once=True)
        result = self.viewfinder.extraction(
            pages, request.schema_, pages=pages.numbers, places=request.places, sampling=self._sampling
        )
        return {**result.to_dict(), **self._account(result.reply)}

    def moments(self, request: MomentsRequest) -> dict[str, Any]:
        video = self.request_media.video(request.video)
        options: dict[str, Any] = {"fps": request.fps, "sampling": self._sampling}
        if request.query is None:
            spans = self.viewfinder.describe(video, **options)
        else:
            spans = self.viewfinder.moments(video, request.query, **options)
        fields = {"moments": [span.to_dict() for span in spans], "duration": video.info.duration}
        return {**fields, **self._account(spans.reply)}

    def _box(self, fields: BoxJson) -> BoxJson:
        if self._in_model_pixels:
            left, top, right, bottom = fields["box"]
            fields["box"] = list(self._transform.box_to_model((left, top, right, bottom)))
        return fields

    def _point(self, fields: PointJson) -> PointJson:
        if self._in_model_pixels:
            x, y = fields["point"]
            fields["point"] = list(self._transform.to_model((x, y)))
        return fields

    @property
    def _in_model_pixels(self) -> bool:
        return getattr(self.request, "coordinates", "original") == "model"

    @property
    def _transform(self) -> Transform:
        return Transform.from_dict(self.replies[0].media[0].transform)

    def _account(self, reply: Reply | None) -> dict[str, Any]:
        """How the result came about: the words, what was seen, tokens of all requests, the stamp."""
        media = [info for r in self.replies for info in r.media] if reply is None else reply.media
        return {
            "text": "" if reply is None else reply.text,
            "finish_reason": "stop" if reply is None else reply.finish_reason,
            "coordinates": getattr(self.request, "coordinates", "original"),
            "usage": self.usage(),
            **described(media, self.viewfinder.processor.stamp.hash),
        }

    def usage(self) -> dict[str, Any]:
        """Tokens of all requests."""
        usage = [reply.usage for reply in self.replies]
        return {name: sum(getattr(one, name) for one in usage) for name in Usage.model_fields}
