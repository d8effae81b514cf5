"""Exports of a run over several files."""

import json

from viewfinder.outputs.boxes import Box
from viewfinder.outputs.export import coco_from_results, csv_from_results, jsonl_from_results
from viewfinder.outputs.points import Point

RESULTS = [
    {
        "file": "a.jpg",
        "boxes": [Box(1, 2, 11, 22, "can", confidence=0.5).to_dict(), Box(0, 0, 5, 5, "=HYPERLINK(1)").to_dict()],
        "text": "```json ...",
        "media": [{"original_size": [640, 480]}],
    },
    {"file": "b.jpg", "boxes": [], "text": "```json\n[]\n```", "media": [{"original_size": [10, 20]}]},
    {"file": "c.jpg", "error": "c.jpg is empty"},
    {"file": "d.jpg", "points": [Point(3, 4, "can").to_dict()], "media": [{"original_size": [30, 30]}]},
]


def test_csv() -> None:
    assert csv_from_results(RESULTS) == (
        "file,index,label,x1,y1,x2,y2,x,y,confidence,error\n"
        "a.jpg,0,can,1,2,11,22,,,0.5,\n"
        "a.jpg,1,'=HYPERLINK(1),0,0,5,5,,,,\n"
        "b.jpg,,,,,,,,,,\n"
        "c.jpg,,,,,,,,,,c.jpg is empty\n"
        "d.jpg,0,can,,,,,3,4,,\n"
    )


def test_csv_of_texts_and_counts() -> None:
    assert csv_from_results([{"file": "a", "text": "two\nlines, one"}, {"file": "b", "count": 0}]) == (
        'file,text,count\na,"two\nlines, one",\nb,,0\n'
    )


def test_coco() -> None:
    coco = json.loads(coco_from_results(RESULTS))
    assert coco["images"] == [
        {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480},
        {"id": 2, "file_name": "b.jpg", "width": 10, "height": 20},
        {"id": 3, "file_name": "d.jpg", "width": 30, "height": 30},
    ]
    assert [category["name"] for category in coco["categories"]] == ["=HYPERLINK(1)", "can"]
    assert coco["annotations"][0] == {
        "id": 1,
        "image_id": 1,
        "category_id": 2,
        "bbox": [1, 2, 10, 20],
        "area": 200,
        "iscrowd": 0,
        "score": 0.5,
    }
    assert coco["annotations"][2]["keypoints"] == [3, 4, 2]
    assert coco["errors"] == [{"file_name": "c.jpg", "error": "c.jpg is empty"}]


def test_jsonl() -> None:
    lines = jsonl_from_results(RESULTS).splitlines()
    assert [json.loads(line) for line in lines] == RESULTS
