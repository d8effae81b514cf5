"""COCO files as they are: ids of two kinds, annotations of nothing, other sizes, boxes of no size."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.sources.reading import picture, read_all
from viewfinder.errors import DataError
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import parse_boxes

DOG, CAR = {"id": 1, "name": "dog"}, {"id": 2, "name": "car"}


def coco(folder: Path, images: list[dict[str, Any]], marks: list[dict[str, Any]]) -> Path:
    for image in images:
        picture(folder / image["file_name"], (100, 80))
    (folder / "coco.json").write_text(json.dumps({"images": images, "categories": [DOG, CAR], "annotations": marks}))
    return folder / "coco.json"


def mark(image: Any, box: list[float], category: Any = 1, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": box, **more}


def test_ids_are_equal_as_text(tmp_path: Path) -> None:
    path = coco(tmp_path, [{"id": 1, "file_name": "a.png"}], [mark("1", [10, 20, 30, 40], "1")])
    ((sample,), _) = read_all("coco", path, absent=0.0)
    assert sample.truth["boxes"] == {"dog": [[10, 20, 40, 60]]}
    twice = [{"id": 1, "file_name": "a.png"}, {"id": "1", "file_name": "b.png"}]
    with pytest.raises(DataError, match="stands twice"):
        read_all("coco", coco(tmp_path, twice, [mark(1, [1, 2, 3, 4])]))


def test_annotations_of_no_image_make_no_picture_empty(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    path = coco(tmp_path, images, [mark(1, [10, 20, 30, 40]), mark("002", [10, 20, 30, 40])])
    (sample,), bad = read_all("coco", path, absent=0.0)
    assert sample.truth["boxes"] == {"dog": [[10, 20, 40, 60]]}
    assert [one.row for one in bad] == ["image 2 (b.png)", "annotations of 002"]
    assert "it may not be empty" in bad[0].reason
    assert "1 annotations have image_id '002'" in bad[1].reason
    with pytest.raises(DataError, match="every picture would be taught as empty"):
        read_all("coco", coco(tmp_path, images, [mark("a.png", [1, 2, 3, 4])]))


def test_boxes_of_another_size_are_scaled_and_of_another_shape_refused(tmp_path: Path) -> None:
    images = [
        {"id": 1, "file_name": "a.png", "width": 200, "height": 160},
        {"id": 2, "file_name": "b.png", "width": 80, "height": 100},
    ]
    path = coco(tmp_path, images, [mark(1, [20, 40, 60, 80]), mark(2, [1, 2, 3, 4])])
    (sample,), (bad,) = read_all("coco", path, absent=0.0)
    (box,) = parse_boxes(sample.answer, Transform.identity((100, 80)))
    assert box.xyxy == (10, 20, 40, 60)
    assert "80x100 and the file has 100x80, another shape" in bad.reason


def test_a_box_of_no_size_is_left_out_and_its_thing_is_not_absent(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.png"} for i in (1, 2)]
    marks = [mark(1, [10, 10, 0, 5]), mark(1, [10, 10, 20, 20], 2), mark(2, [1, 1, 5, 0]), mark(2, [1, 1, 5, 5])]
    (one, two), _ = read_all("coco", coco(tmp_path, images, marks), absent=1.0)
    assert one.truth == {"boxes": {"car": [[10, 10, 30, 30]]}, "dropped": ["dog [10, 10, 0, 5]"]}
    assert two.truth["boxes"]["dog"] == [[1, 1, 6, 6]]
    assert two.truth["dropped"] == ["dog [1, 1, 5, 0]"]


@pytest.mark.parametrize("box", [None, [1, 2, 3], "1 2 3 4"])
def test_an_annotation_without_a_box_says_so(tmp_path: Path, box: Any) -> None:
    (bad,) = read_all("coco", coco(tmp_path, [{"id": 1, "file_name": "a.png"}], [mark(1, box)]))[1]
    assert "key 'bbox' of an annotation of 'dog'" in bad.reason
