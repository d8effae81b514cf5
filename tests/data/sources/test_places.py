"""COCO boxes, screens and conversation files: rows whose answers name places."""

import json
from pathlib import Path

import pytest

from tests.data.sources.reading import picture, read_all
from tests.doubles import small_processor
from viewfinder.data.places import for_model
from viewfinder.data.records import record_to_sample, sample_to_record
from viewfinder.errors import DataError
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import parse_action
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.points import parse_points
from viewfinder.outputs.prompts import locate_prompt


def _coco(tmp_path: Path) -> Path:
    for i in range(1, 5):
        picture(tmp_path / f"{i}.png", (100, 80))
    content = {
        "images": [{"id": i, "file_name": f"{i}.png"} for i in (2, 1, 3, 4)],
        "categories": [{"id": 7, "name": "car"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"image_id": 1, "category_id": 7, "bbox": [10, 20, 30, 40]},
            {"image_id": 1, "category_id": 7, "bbox": [50.4, 10, 20, 20]},
            {"image_id": 2, "category_id": 9, "bbox": [90, 20, 30, 40]},
            {"image_id": 3, "category_id": 7, "bbox": [1, 1, 5, 5]},
            {"image_id": 3, "category_id": 9, "bbox": [0, 0, 50, 50], "iscrowd": 1},
        ],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    return tmp_path / "boxes.json"


def test_coco_boxes_come_back_by_category(tmp_path: Path) -> None:
    samples, bad = read_all("coco", _coco(tmp_path), absent=0.0)
    one, three, four = samples
    assert [one.messages[0].text, three.messages[0].text] == [locate_prompt("car")] * 2  # never the crowded dog
    boxes = parse_boxes(one.messages[1].text, Transform.identity((100, 80)))
    assert [box.xyxy for box in boxes] == [(50, 10, 70, 30), (10, 20, 40, 60)]
    assert one.truth["boxes"]["car"][0] == [50.4, 10.0, 70.4, 30.0]
    assert four.messages[1].text == "```json\n[]\n```"  # nothing on it: asked for what is not there
    (outside,) = bad
    assert outside.row == "image 2 (2.png)"
    assert "outside its picture of 100x80" in outside.reason


def test_coco_asks_for_absent_things_by_seed(tmp_path: Path) -> None:
    asked = [len(sample.messages) // 2 for sample in read_all("coco", _coco(tmp_path), absent=1.0)[0]]
    assert asked == [2, 1, 1]  # on 3 the dog is a crowd: neither there nor absent
    again = [s.messages for s in read_all("coco", tmp_path / "boxes.json", absent=0.5, seed=3)[0]]
    assert [s.messages for s in read_all("coco", tmp_path / "boxes.json", absent=0.5, seed=3)[0]] == again


def test_screens_name_elements_and_act(tmp_path: Path) -> None:
    picture(tmp_path / "s.png", (200, 400))
    elements = [{"box": [20, 40, 60, 80], "role": "button", "name": "Save"}]
    action = [{"bbox": [0.1, 0.1, 0.2, 0.2], "instruction": "Save the form", "name": "Save"}]
    rows = [
        {"image": "s.png", "elements": elements, "caption": "A form."},
        {"img_url": "s.png", "element": [{"bbox": [10, 10, 5, 300], "name": "x"}]},
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (sample,), (bad,) = read_all("screens", tmp_path / "a.json")
    assert sample.messages[1].text == "A form."
    place = sample.messages[3].text
    whole = Transform.identity((200, 400))
    found = [b.xyxy for b in parse_boxes(place, whole)] or [(p.x, p.y) for p in parse_points(place, whole)]
    assert found[0] in ((20, 40, 60, 80), (40, 60))
    assert 'button "Save"' in sample.messages[2].text
    assert "check units and corners" in bad.reason

    (tmp_path / "b.json").write_text(json.dumps([{"img_filename": "s.png", "elements": action}]))
    (sample,), _ = read_all("screens", tmp_path / "b.json", units="fraction", device="mobile")
    assert sample.device == "mobile"
    assert sample.question == "Save the form"
    view = for_model(sample, small_processor())
    done = parse_action(view.messages[-1].text, view.transforms[0])
    assert done.coordinate == pytest.approx((30, 60), abs=0.6)
    with pytest.raises(DataError, match="units are pixels or fraction"):
        read_all("screens", tmp_path / "b.json", units="percent")


def test_official_conversations_and_pairs_become_records(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    place = 'Here: {"bbox_2d": [1,2,30,35.4], "label": "x"}'
    turns = [{"from": "human", "value": "<image>\nWhere?"}, {"from": "gpt", "value": place}]
    pair = {"conversations": turns[:1], "image": "a.png", "chosen": "It is here.", "rejected": "No."}
    rows = [
        {"image": "a.png", "conversations": turns, "id": "q1", "license": "MIT"},
        {**pair, "rejected_image": "a.png"},
        {"image": "a.png", "conversations": [*turns, {"from": "human", "value": "<image>"}]},
        {"conversations": [{"from": "judge", "value": "x"}]},
        3,
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    samples, bad = read_all("conversations", tmp_path / "a.json")
    assert [(s.id, s.license) for s in samples] == [("q1", "MIT"), ("conversations-1", "unknown")]
    assert samples[0].answer == place  # stored as it was given, and shown in whole pixels
    shown = for_model(samples[0], small_processor())
    box = shown.transforms[0].box_to_model((1, 2, 30, 35.4))
    assert str([round(value) for value in box]).replace(" ", "") in shown.messages[1].text
    assert samples[0].forms == ("", "marked")
    back = record_to_sample(*sample_to_record(samples[1]))
    assert back.truth["rejected_messages"][0].parts[0].type == "image"
    assert [one.row for one in bad] == ["row 3 of a.json", "row 4 of a.json", "row 5 of a.json"]
    assert "2 <image> or <video> tags for 1 files" in bad[0].reason
