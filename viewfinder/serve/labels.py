"""Places that people keep, as files of other tools: COCO, YOLO, Label Studio; or drawn on their picture."""

import io
import json
import re
import zipfile
from typing import Any, Literal

from fastapi import Response
from pydantic import Field, field_validator

from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.draw import draw
from viewfinder.outputs.export import coco_from_results, to_label_studio, to_yolo
from viewfinder.outputs.points import Point
from viewfinder.serve.body import Body, Finite, PageNumber, check_json
from viewfinder.serve.request_media import RequestMedia

_TYPES = {"png": "image/png", "coco": "application/json", "label-studio": "application/json", "yolo": "application/zip"}


class LabeledPlace(Body):
    """A box or a point in pixels of the original."""

    box: tuple[Finite, Finite, Finite, Finite] | None = None
    point: tuple[Finite, Finite] | None = None
    label: str = Field(default="", max_length=500)
    confidence: Finite | None = Field(default=None, ge=0, le=1)

    @field_validator("label")
    @classmethod
    def _plain(cls, value: str) -> str:
        check_json(value)
        return value

    def within(self, size: tuple[int, int]) -> Box | Point | None:
        """What lies outside is moved to the edge; None without a place."""
        told: dict[str, Any] = {"label": self.label, "confidence": self.confidence}
        if self.box is not None:
            return Box(*Transform.identity(size).clamp_box_original(self.box), **told)
        if self.point is None:
            return None
        x, y = (min(max(value, 0.0), side) for value, side in zip(self.point, size, strict=True))
        return Point(x, y, **told)


class LabeledPicture(Body):
    """A picture (or page) and its places; `source`, a URL or data: URI, is only read to be drawn on."""

    name: str = Field(max_length=500)
    size: tuple[int, int]
    places: list[LabeledPlace] = Field(max_length=500)
    source: str | None = None
    page: PageNumber = 1

    @field_validator("size")
    @classmethod
    def _positive(cls, value: tuple[int, int]) -> tuple[int, int]:
        if min(value) < 1 or max(value) > 10**6:
            raise ValueError("is the width and height of a picture, 1 to 1,000,000 pixels")
        return value

    @property
    def found(self) -> list[Box | Point]:
        return [place for each in self.places if (place := each.within(self.size)) is not None]


class LabelsRequest(Body):
    """What to write. `png` draws one picture."""

    format: Literal["png", "coco", "yolo", "label-studio"]
    pictures: list[LabeledPicture] = Field(min_length=1, max_length=2000)


def labels_file(request: LabelsRequest, request_media: RequestMedia) -> Response:
    """The file.

    Raises:
        MediaError: the picture to draw on cannot be read.
    """
    match request.format:
        case "png":
            data = _drawn(request.pictures[0], request_media)
        case "coco":
            rows = [_row(picture) for picture in request.pictures]
            data = coco_from_results(rows).encode()
        case "label-studio":
            tasks = [to_label_studio(p.found, p.size, p.name) for p in request.pictures]
            data = json.dumps(tasks, ensure_ascii=False, indent=1).encode()
        case "yolo":
            data = _yolo(request.pictures)
    return Response(data, media_type=_TYPES[request.format])


def _row(picture: LabeledPicture) -> dict[str, object]:
    found = picture.found
    return {
        "file": picture.name,
        "media": [{"original_size": list(picture.size)}],
        "boxes": [place.to_dict() for place in found if isinstance(place, Box)],
        "points": [place.to_dict() for place in found if isinstance(place, Point)],
    }


def _drawn(picture: LabeledPicture, request_media: RequestMedia) -> bytes:
    drawn, _ = request_media.some_pages(picture.source, [picture.page - 1])
    sink = io.BytesIO()
    draw(next(iter(drawn)).picture, picture.found).save(sink, "PNG")
    return sink.getvalue()


def _yolo(pictures: list[LabeledPicture]) -> bytes:
    """A ZIP of `labels/NAME.txt` for each picture, and `data.yaml` with the classes; points have no place in it."""
    boxes = {i: [place for place in p.found if isinstance(place, Box)] for i, p in enumerate(pictures)}
    names = sorted({box.label for found in boxes.values() for box in found})
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        taken: set[str] = set()
        for i, picture in enumerate(pictures):
            stem = re.sub(r"[^\w.#=-]+", "_", picture.name.rsplit("/", 1)[-1]).rsplit(".", 1)[0] or "picture"
            stem = f"{stem}-{i + 1}" if stem in taken else stem
            taken.add(stem)
            archive.writestr(f"labels/{stem}.txt", to_yolo(boxes[i], picture.size, names))
        listed = "".join(f"  {i}: {json.dumps(name, ensure_ascii=False)}\n" for i, name in enumerate(names))
        archive.writestr("data.yaml", f"path: .\ntrain: images\nval: images\nnames:\n{listed or '  {}'}")
    return sink.getvalue()
