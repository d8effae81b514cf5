"""What only the playground page needs: its files under a strict policy, pictures of what browsers cannot show, and
files of what people kept.

Pages are drawn by the sandbox exactly as `/v1/parse` and `/v1/extract` draw them, so places in their answers
lie right on what is shown. The page asks nothing of any other server.
"""

import base64
import io
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from PIL import Image
from pydantic import Field
from starlette.exceptions import HTTPException

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.frames import VIDEO_SUFFIXES
from viewfinder.media.image import IMAGE_SUFFIXES, Picture
from viewfinder.media.resize import resize_picture
from viewfinder.messages import VideoPart
from viewfinder.processor.loading import video_options
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.serve.answering import error_response, taker, unless_gone
from viewfinder.serve.body import Body, Finite, PageNumber, from_zero
from viewfinder.serve.labels import LabelsRequest, labels_file
from viewfinder.serve.request_media import RequestMedia
from viewfinder.serve.samples import SampleRequest

if TYPE_CHECKING:
    from viewfinder.serve.app import Server

STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PERMISSIONS = "camera=({0}), display-capture=({0}), microphone=(), geolocation=()"
"""Of browsers' devices, with who may use the camera and the screen: `self` on the playground page, nobody elsewhere."""
TAKEN = {"image": sorted(IMAGE_SUFFIXES), "document": [".pdf"], "video": sorted({*VIDEO_SUFFIXES} - IMAGE_SUFFIXES)}
"""Kinds of files by their names, for the page to tell people."""
MOST_SHOWN = 1600 * 1600
"""Pixels of a preview; larger ones are only told about."""
MOST_PAGES = 40
_STILLS = {"nframes": 24, "max_pixels": 480 * 360, "total_pixels": 24 * 480 * 360}


class PreviewRequest(Body):
    """A picture, PDF or clip: URL or data: URI. `stills` asks for frames of a clip, `fps` is what will be asked."""

    source: str
    pages: list[PageNumber] | None = Field(default=None, max_length=MOST_PAGES)
    fps: Finite | None = Field(default=None, gt=0, le=60)
    stills: bool = False


def preview(request: PreviewRequest, request_media: RequestMedia, settings: ProcessorSettings) -> dict[str, Any]:
    """What kind of medium it is. Pages (a picture is one page) as JPEG, with the size that answers speak of; of a clip
    its size, seconds, and the frames and tokens that the model would see.

    Raises:
        MediaError: the source is no picture, document or clip that can be read.
    """
    numbers = from_zero(request.pages) or tuple(range(MOST_PAGES))
    data = request_media.fetch(request.source)
    try:
        drawn, count = request_media.some_pages(data, numbers)
        shown = [{"page": p.number + 1, "size": list(p.picture.size), "picture": _jpeg(p.picture)} for p in drawn]
    except LimitError:
        raise
    except MediaError as error:
        return _clip(request, data, request_media, settings, error)
    kind = "document" if count > 1 or b"%PDF-" in data[:1024] else "image"
    return {"kind": kind, "count": count, "pages": shown}


def _clip(
    request: PreviewRequest, data: bytes, media: RequestMedia, settings: ProcessorSettings, error: MediaError
) -> dict[str, Any]:
    options = video_options(VideoPart(video=data, fps=request.fps), settings, is_list=False)
    try:
        plan = media.sandbox.measure_clip(data, media.limits, **options)
    except LimitError:
        raise
    except MediaError as other:
        if b"%PDF-" in data[:1024]:
            raise error from other
        known = ", ".join(name for names in TAKEN.values() for name in names)
        raise MediaError(f"no picture, PDF or clip that can be read ({error}; {other}); taken are {known}") from other
    width, height = plan["seen"]
    tokens = len(plan["times"]) // 2 * width * height // settings.factor**2
    told = {name: plan[name] for name in ("size", "duration", "fps", "codec", "notes", "times", "seen")}
    stills: list[dict[str, Any]] = []
    if request.stills:
        options |= _STILLS | {"min_pixels": min(options["min_pixels"], _STILLS["max_pixels"])}
        frames = media.sandbox.clip(data, media.limits, **{k: v for k, v in options.items() if k != "fps"})
        for time, pixels in zip(frames.times, frames.frames, strict=True):
            stills.append({"time": time, "picture": _jpeg_of(Image.fromarray(pixels))})
    return {"kind": "video", **told, "tokens": tokens, "stills": stills}


def _jpeg(picture: Picture) -> str:
    width, height = picture.size
    if width * height > MOST_SHOWN:
        picture = resize_picture(picture, min_pixels=1, max_pixels=MOST_SHOWN, factor=2)
    return _jpeg_of(picture.image)


def _jpeg_of(image: Image.Image) -> str:
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(sink.getvalue()).decode()}"


class Page(StaticFiles):
    """The files of the page, with headers that let them reach nothing but this server."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC, html=True)

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Permissions-Policy"] = PERMISSIONS.format("self" if path in (".", "index.html") else "")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-cache"
        return response


def add_playground_routes(app: FastAPI, server: "Server") -> None:
    post = taker(app, server.settings, "playground")

    @post("/samples")
    async def save(body: SampleRequest, request: Request) -> Response:
        """Keep a corrected answer as a training sample."""
        if server.book is None:
            raise HTTPException(403, "this server keeps no samples; start it with --samples FOLDER")
        return await answered(server.book.add, request, body)

    @post("/preview")
    async def show(body: PreviewRequest, request: Request) -> Response:
        """Kind and sizes of a medium; pages of a document and frames of a clip as pictures."""
        settings = server.engine.engine.processor.settings
        return await answered(lambda body, media: preview(body, media, settings), request, body)

    @post("/labels")
    async def labels(body: LabelsRequest, request: Request) -> Response:
        """Places as a file: COCO, YOLO, Label Studio, or drawn on their picture."""
        return await answered(labels_file, request, body)

    async def answered(work: Callable[..., Any], request: Request, body: Any) -> Response:
        media = server.request_media.for_tenant(request.state.tenant)

        def answer() -> Response:
            result = work(body, media)
            return result if isinstance(result, Response) else JSONResponse(result)

        try:
            return await unless_gone(request, server.in_thread(answer))
        except Exception as error:
            return error_response(error)
        finally:
            media.call_off()
