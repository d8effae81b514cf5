"""The jobs as tools of the Model Context Protocol, on files under one folder.

An answer is JSON text, in pixels of the original picture and seconds of the original clip, since assistants hide the
pictures of tools from the model in the same turn; the drawn picture is a resource that the answer links to.
"""

import functools
import inspect
import io
import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.types import CallToolResult, ResourceLink, TextContent, ToolAnnotations
from PIL import Image
from pydantic import Field

import viewfinder as package
from viewfinder.chat.documents.extract import field_boxes
from viewfinder.chat.documents.sources import open_pages
from viewfinder.cli.video_commands import evidence_frames
from viewfinder.errors import MediaError, ViewfinderError
from viewfinder.media.image import load_image
from viewfinder.media.video import probe_video
from viewfinder.outputs.draw import draw
from viewfinder.outputs.results import provenance
from viewfinder.outputs.timeline import timeline

if TYPE_CHECKING:
    from viewfinder.chat import Viewfinder

PictureFile = Annotated[str, Field(description="A picture, as a path below the root folder.")]
DocumentFile = Annotated[str, Field(description="A PDF or picture, as a path below the root folder.")]
ClipFile = Annotated[str, Field(description="A video, as a path below the root folder.")]
Query = Annotated[str, Field(min_length=1, max_length=2000, description="What to look for, in words.")]
Pages = Annotated[list[Annotated[int, Field(ge=1)]] | None, Field(description="Pages counted from 1; all by default.")]
Drawn = Image.Image | None
Job = Callable[..., tuple[dict[str, Any], Drawn]]

_MOST_KEPT = 64
_URI = "viewfinder://drawn/"
_INSTRUCTIONS = (
    "Finds things in local pictures, documents and videos. Boxes are [x1, y1, x2, y2] and points [x, y] in pixels of "
    "the original picture, times are seconds of the original clip, pages count from 1."
)


class Drawings:
    """The last drawn pictures, by name; older ones are forgotten."""

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, image: Image.Image) -> tuple[str, int]:
        """The name it can be asked for by, and its bytes."""
        sink = io.BytesIO()
        image.save(sink, "PNG")
        name = uuid.uuid4().hex
        with self._lock:
            self._kept[name] = sink.getvalue()
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return name, len(sink.getvalue())

    def get(self, name: str) -> bytes:
        with self._lock:
            if name not in self._kept:
                raise ResourceNotFoundError(f"there is no drawing {name[:40]!r}: the last {self._most} are kept")
            return self._kept[name]


def inside(root: Path, path: str) -> Path:
    """The file that `path` names below `root`, all symbolic links followed first.

    Raises:
        MediaError: it lies elsewhere, or is no file; the two are not told apart.
    """
    try:
        found = (root.resolve() / path).resolve()
        if found.is_relative_to(root.resolve()) and found.is_file():
            return found
    except (OSError, ValueError, RuntimeError):  # a name too long, a zero byte, a loop of links
        pass
    raise MediaError(f"there is no file {path[:200]!r} below the root folder; give a path relative to it")


class Tools:
    """What each tool does: fields for the answer, and the drawn picture if there is one."""

    def __init__(self, viewfinder: "Viewfinder", root: Path) -> None:
        self.viewfinder, self.root = viewfinder, root

    def locate(self, path: PictureFile, query: Query) -> tuple[dict[str, Any], Drawn]:
        """Boxes of everything in a picture that fits the query, in pixels of the original."""
        picture = load_image(inside(self.root, path))
        found = self.viewfinder.locate(picture, query)
        return {"boxes": [box.to_dict() for box in found], **_told(found.reply)}, draw(picture, found)

    def point(self, path: PictureFile, query: Query) -> tuple[dict[str, Any], Drawn]:
        """A point on everything in a picture that fits the query, in pixels of the original."""
        picture = load_image(inside(self.root, path))
        found = self.viewfinder.point(picture, query)
        return {"points": [point.to_dict() for point in found], **_told(found.reply)}, draw(picture, found)

    def count(self, path: PictureFile, query: Query) -> tuple[dict[str, Any], Drawn]:
        """How many things in a picture fit the query, each pointed at."""
        picture = load_image(inside(self.root, path))
        found = self.viewfinder.count(picture, query)
        return {**found.to_dict(), **_told(found.reply)}, draw(picture, found.points)

    def read(self, path: PictureFile, lines: bool = False) -> tuple[dict[str, Any], Drawn]:
        """The text in a picture; with `lines` each line with its box, in pixels of the original."""
        picture = load_image(inside(self.root, path))
        if lines:
            found = self.viewfinder.spot(picture)
            return {"lines": [line.to_dict() for line in found], **_told(found.reply)}, draw(picture, found)
        answer = self.viewfinder.read(picture)
        return {"text": str(answer), "confidence": answer.confidence, **_told(answer.reply)}, None

    def parse(self, path: DocumentFile, pages: Pages = None) -> tuple[dict[str, Any], Drawn]:
        """A PDF or picture as Markdown, and each element of its pages with its kind and box; the drawing is of the
        first page."""
        source = str(inside(self.root, path))
        document = self.viewfinder.parse(source, pages=_from_zero(pages))
        failed = {number + 1: reason for number, reason in document.failed.items()}
        told = [
            {"page": page.number + 1, "elements": [box.to_dict() for box in page.boxes()]} for page in document.pages
        ]
        first = document.pages[0]
        with open_pages(source) as opened:
            drawn = draw(opened.picture(first.number).image, first.boxes())
        return {"markdown": document.to_markdown(), "pages": told, "failed": failed}, drawn

    def extract(
        self,
        path: DocumentFile,
        fields: Annotated[list[str] | None, Field(description="Names of values, such as total or seller.")] = None,
        json_schema: Annotated[dict[str, Any] | None, Field(description="A JSON schema instead of fields.")] = None,
        pages: Pages = None,
    ) -> tuple[dict[str, Any], Drawn]:
        """Named values of a document, each with the page and box it was read from."""
        if (fields is None) == (json_schema is None):
            raise ToolError("give fields or json_schema, one of them")
        source = str(inside(self.root, path))
        found = self.viewfinder.extraction(source, fields or json_schema, pages=_from_zero(pages))
        told = found.to_dict()
        numbers = [field.page for field in found.fields if field.page is not None]
        if not numbers:
            return {**told, **_told(found.reply)}, None
        page = max(set(numbers), key=numbers.count)
        with open_pages(source) as opened:
            drawn = draw(opened.picture(page).image, field_boxes(found, page))
        return {**told, "drawn_page": page + 1, **_told(found.reply)}, drawn

    def chart(self, path: PictureFile) -> tuple[dict[str, Any], Drawn]:
        """The values of a chart as rows, the first of them the heads."""
        found = self.viewfinder.chart(load_image(inside(self.root, path)))
        fields = {"rows": found.table.grid(), "confidence": found.confidence, "complete": found.complete}
        return {**fields, **_told(found.reply)}, None

    def moments(
        self,
        path: ClipFile,
        query: Annotated[str | None, Field(description="What happens; all events with times when left out.")] = None,
    ) -> tuple[dict[str, Any], Drawn]:
        """When something happens in a video, in seconds of the original; the drawing is a timeline with frames."""
        source = str(inside(self.root, path))
        duration = probe_video(source).duration
        spans = self.viewfinder.moments(source, query) if query else self.viewfinder.describe(source)
        drawn = timeline(spans, duration, evidence_frames(source, spans, duration))
        return {"moments": [span.to_dict() for span in spans], "duration": duration, **_told(spans.reply)}, drawn


NAMES = ("locate", "point", "count", "read", "parse", "extract", "chart", "moments")


def create_server(viewfinder: "Viewfinder", root: Path) -> MCPServer[Any]:
    """A server with all tools and their drawings; one job runs at a time, as one model is asked."""
    server: MCPServer[Any] = MCPServer(
        "viewfinder", instructions=_INSTRUCTIONS, version=package.__version__, log_level="WARNING"
    )
    drawings, tools, one_at_a_time = Drawings(), Tools(viewfinder, root), threading.Lock()
    for name in NAMES:
        tool = _as_tool(getattr(tools, name), drawings, one_at_a_time)
        hints = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
        server.tool(name, annotations=hints, structured_output=False)(tool)
    server.resource(_URI + "{name}", name="drawing", mime_type="image/png")(drawings.get)
    return server


def _as_tool(job: Job, drawings: Drawings, lock: threading.Lock) -> Callable[..., CallToolResult]:
    @functools.wraps(job)
    def tool(**arguments: Any) -> CallToolResult:
        try:
            with lock:
                fields, drawn = job(**arguments)
        except ViewfinderError as error:  # other errors are told without their insides
            raise ToolError(str(error)) from error
        content: list[Any] = [TextContent(type="text", text=json.dumps(fields, ensure_ascii=False))]
        if drawn is not None:
            name, size = drawings.keep(drawn)
            about = f"The result of {job.__name__}, drawn"
            link = {"uri": _URI + name, "name": f"{job.__name__}.png", "description": about, "size": size}
            content.append(ResourceLink(type="resource_link", mime_type="image/png", **link))
        return CallToolResult(content=content)

    tool.__signature__ = inspect.signature(job).replace(return_annotation=CallToolResult)  # type: ignore[attr-defined]
    return tool


def _from_zero(pages: Sequence[int] | None) -> list[int] | None:
    return None if pages is None else [page - 1 for page in pages]


def _told(reply: Any) -> dict[str, Any]:
    """How an answer came about, less the words that its fields are made of."""
    account = {} if reply is None else provenance(reply)
    return {key: value for key, value in account.items() if key not in ("text", "media")}
