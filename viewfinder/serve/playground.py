"""What only the playground page needs: its files under a strict policy, and pictures of what browsers cannot show.

Pages are drawn by the sandbox exactly as `/v1/parse` and `/v1/extract` draw them, so places in their answers
lie right on what is shown. The page asks nothing of any other server.
"""

import base64
import io
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from fastapi import Response
from fastapi.staticfiles import StaticFiles
from pydantic import Field

from viewfinder.media.image import Picture
from viewfinder.media.resize import resize_picture
from viewfinder.serve.protocol import Body
from viewfinder.serve.request_media import RequestMedia

STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MOST_SHOWN = 1600 * 1600
"""Pixels of a preview; larger ones are only told about."""
MOST_PAGES = 40


class PreviewRequest(Body):
    """A picture or PDF: URL or data: URI."""

    source: str
    pages: list[int] | None = Field(default=None, max_length=MOST_PAGES)


def preview(request: PreviewRequest, request_media: RequestMedia) -> dict[str, Any]:
    """Pages (a picture is one page) as JPEG, with the size that answers speak of.

    Raises:
        MediaError: the source cannot be read.
    """
    numbers = list(range(MOST_PAGES)) if request.pages is None else request.pages
    pages, count = request_media.some_pages(request.source, numbers)
    shown = [{"number": page.number, "size": list(page.picture.size), "picture": _jpeg(page.picture)} for page in pages]
    return {"count": count, "pages": shown}


def _jpeg(picture: Picture) -> str:
    width, height = picture.size
    if width * height > MOST_SHOWN:
        picture = resize_picture(picture, min_pixels=1, max_pixels=MOST_SHOWN, factor=2)
    sink = io.BytesIO()
    picture.image.save(sink, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(sink.getvalue()).decode()}"


class Page(StaticFiles):
    """The files of the page, with headers that let them reach nothing but this server."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC, html=True)

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-cache"
        return response
