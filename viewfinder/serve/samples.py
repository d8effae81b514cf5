"""Corrected answers of the playground, kept as a set of shards that training takes as it is.

Each correction is a shard of one sample; the index is written anew after each, so the folder is whole at any
time. Places are stored in pixels of the original picture, times in seconds of the original clip.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from viewfinder.chat.documents.fields import example_of, schema_of
from viewfinder.errors import LimitError, MediaError
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, VideoPart
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.document.document import Page
from viewfinder.outputs.points import Point, format_points
from viewfinder.outputs.spans import Span, format_moments
from viewfinder.serve.protocol import Body, Finite, check_json
from viewfinder.serve.request_media import RequestMedia
from viewfinder.serve.settings import ServeSettings
from viewfinder.storage.lock import locked

LICENSE = "unknown"
_RIGHT = {"locate": ("boxes",), "point": ("points",), "moments": ("spans",), "ask": ("text", "boxes", "points")}
"""What may hold the right answer of a task; else `text`."""


class CorrectedBox(Body):
    """Corners in pixels of the original."""

    box: tuple[Finite, Finite, Finite, Finite]
    label: str = Field(default="", max_length=500)


class CorrectedPoint(Body):
    """A place in pixels of the original."""

    point: tuple[Finite, Finite]
    label: str = Field(default="", max_length=500)


class CorrectedSpan(Body):
    """Seconds of the original clip."""

    start: Finite = Field(ge=0)
    end: Finite = Field(ge=0)


class SampleRequest(Body):
    """What was shown and asked, and the right answer: places, times, or words, whichever the task answers with.

    Shown are pictures, or one page of a document, or a clip: URLs or `data:` URIs. The page's places are pixels
    of the page as `/preview` shows it.
    """

    task: Literal["ask", "read", "locate", "point", "parse", "extract", "moments"]
    images: list[str] = Field(default_factory=list, max_length=16)
    document: str | None = None
    page: int = Field(default=1, ge=1, le=10**6)
    video: str | None = None
    question: str = Field(
        default="", max_length=5000, description="The words of ask; else the query, or names of fields."
    )
    boxes: list[CorrectedBox] | None = Field(default=None, max_length=500)
    points: list[CorrectedPoint] | None = Field(default=None, max_length=500)
    spans: list[CorrectedSpan] | None = Field(default=None, max_length=500)
    text: str | None = Field(default=None, max_length=100_000, description="Words; JSON of extract, HTML of parse.")
    model_answer: str = Field(default="", max_length=100_000)

    @field_validator("question", "text", "model_answer")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        check_json(value)
        return value

    @model_validator(mode="after")
    def _complete(self) -> "SampleRequest":
        shown = (bool(self.images), self.document is not None, self.video is not None)
        if sum(shown) != 1:
            raise ValueError("shows either images, a document or a video, and exactly one of them")
        wanted = _RIGHT.get(self.task, ("text",))
        if sum(getattr(self, name) is not None for name in wanted) != 1:
            raise ValueError(f"a sample of {self.task} needs {' or '.join(wanted)}, one of them")
        if (self.task == "moments") != (self.video is not None) and self.task != "ask":
            raise ValueError(f"{self.task} is not about {'a video' if self.video else 'pictures'}")
        return self


class SampleBook:
    """A folder of corrections, of so many and so many bytes at most."""

    def __init__(self, folder: Path, settings: ServeSettings) -> None:
        self.folder, self._settings = folder, settings
        self._lock = threading.Lock()

    def add(self, request: SampleRequest, request_media: RequestMedia) -> dict[str, Any]:
        """Write one correction; how many there are now.

        Raises:
            MediaError: what was shown cannot be read.
            LimitError: the folder is full.
        """
        from viewfinder.data.sample import Sample, say
        from viewfinder.data.shards import ShardWriter, finish

        parts, size, duration = _shown(request, request_media)
        prompt, answer, form, truth = _written(request, size, duration)
        sample = Sample(
            messages=(say("user", *parts, prompt), say("assistant", answer)),
            task=request.task,
            truth=truth,
            domain="correction",
            license=LICENSE,
            forms=("", form),
            lineage=(
                f"playground {time.strftime('%Y-%m-%d', time.gmtime())}",
                json.dumps({"was": request.model_answer}),
            ),
        )
        with self._lock, locked(self.folder, wait=60.0):  # threads of this server, then other processes
            self._check_room()
            number = _next_number(self.folder)
            with ShardWriter(self.folder, number) as shard:
                shard.add(sample)
            manifest = finish(self.folder)
        return {"saved": number, "samples": manifest["samples"], "folder": self.folder.name}

    def _check_room(self) -> None:
        sizes = [path.stat().st_size for path in self.folder.glob("shard-*.tar")] if self.folder.is_dir() else []
        if len(sizes) >= self._settings.max_samples or sum(sizes) >= self._settings.max_samples_bytes:
            raise LimitError(
                f"{len(sizes):,} corrections of {sum(sizes):,} bytes are kept already, the most taken here; move "
                "them to another folder"
            )


def _next_number(folder: Path) -> int:
    """One above the highest, so that a correction removed by hand gives its number to no other.

    It is taken by making the side file, which fails where another process made it on a file system without locks.
    """
    from viewfinder.data.shards import shard_name, side_file

    number = max((int(path.name[6:12]) + 1 for path in folder.glob("shard-??????.*")), default=0)
    while True:
        try:
            with side_file(folder / shard_name(number)).open("x"):
                return number
        except FileExistsError:
            number += 1


def _shown(request: SampleRequest, request_media: RequestMedia) -> tuple[list[Any], tuple[int, int], float]:
    """The media as parts, the size of the first picture, the seconds of the clip. All are decoded once, contained."""
    if request.video is not None:
        video = request_media.video(request.video)
        return [VideoPart(video=video.data)], video.info.size, video.info.duration
    if request.document is not None:
        drawn, count = request_media.some_pages(request.document, [request.page - 1])
        pages = list(drawn)
        if not pages:
            raise MediaError(f"the document has {count} pages and none is number {request.page}")
        pictures = [pages[0].picture]
    else:
        pictures = [request_media.picture(image) for image in request.images]
    return [ImagePart(image=picture) for picture in pictures], pictures[0].size, 0.0


def _written(request: SampleRequest, size: tuple[int, int], duration: float) -> tuple[str, str, str, dict[str, Any]]:
    """Prompt, answer, how places are written in it, truth."""
    original = Transform.identity(size)
    text = request.text or ""
    if request.boxes is not None or request.points is not None:
        prompt = {"locate": prompts.locate_prompt, "point": prompts.point_prompt}.get(request.task, str)
        return prompt(request.question), *_places(request, original)
    match request.task:
        case "moments":
            times = [sorted((min(s.start, duration), min(s.end, duration))) for s in request.spans or ()]
            spans = [Span(start, end) for start, end in times]
            truth = {"spans": [span.to_dict() for span in spans]}
            return prompts.moments_prompt(request.question), format_moments(spans, duration), "", truth
        case "parse":
            page = Page.from_html(text, original)
            return prompts.parse_prompt(), page.to_html(), "html", {"html": page.to_html()}
        case "extract":
            example = example_of(schema_of([name.strip() for name in request.question.split(",")]))
            return prompts.extract_prompt(json.dumps(example, ensure_ascii=False)), text, "", {"text": text}
        case "read":
            return prompts.read_prompt(), text, "", {"text": text}
        case _:
            return request.question, text, "", {"text": text}


def _places(request: SampleRequest, original: Transform) -> tuple[str, str, dict[str, Any]]:
    """Answer, its form, truth. What lies outside the picture is moved to its edge."""
    if request.boxes is not None:
        boxes = [Box(*original.clamp_box_original(b.box), label=b.label) for b in request.boxes]
        return format_boxes(boxes, original), "boxes", {"boxes": [box.to_dict() for box in boxes]}
    width, height = original.original_size
    points = [
        Point(min(max(p.point[0], 0.0), width), min(max(p.point[1], 0.0), height), label=p.label)
        for p in request.points or ()
    ]
    return format_points(points, original), "points", {"points": [point.to_dict() for point in points]}
