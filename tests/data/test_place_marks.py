"""Places in people's spellings: each number is moved where it stands, and ordinary numbers never are."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.data.sources.reading import picture, read_all
from tests.doubles import small_processor
from viewfinder.data.place_marks import find_places, rewrite_places
from viewfinder.data.places import for_model
from viewfinder.data.sample import Sample, say
from viewfinder.errors import DataError
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import parse_action
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.document.document import Page
from viewfinder.outputs.points import parse_points

BEFORE = Transform.identity((4000, 2000))
AFTER = BEFORE.then_resize((1400, 700))

MOVED = {
    '{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [2000, 1000]}}':
        '{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [700, 350]}}',
    '{"arguments": "{\\"action\\": \\"click\\", \\"coordinate\\": [400, 200]}"}':
        '{"arguments": "{\\"action\\": \\"click\\", \\"coordinate\\": [140, 70]}"}',
    '{"action": "swipe", "coordinate": [400, 200], "coordinate2": [800, 200]}':
        '{"action": "swipe", "coordinate": [140, 70], "coordinate2": [280, 70]}',
    '{"action": "scroll", "pixels": -300}': '{"action": "scroll", "pixels": -105}',
    '{"pixels": 300, "action": "scroll"}': '{"pixels": 105, "action": "scroll"}',
    '<p data-bbox="100 200 3000 1000">4 of 7</p>': '<p data-bbox="35 70 1050 350">4 of 7</p>',
    "<img data-polygon='0 0 400 0 400 200'>": "<img data-polygon='0 0 140 0 140 70'>",
    "<|box_start|>(400,200),(3000,1000)<|box_end|>": "<|box_start|>(140,70),(1050,350)<|box_end|>",
    "<|point_start|>(400,200)<|point_end|>": "<|point_start|>(140,70)<|point_end|>",
    "<box>[[400, 200, 3000, 1000]]</box>": "<box>[[140, 70, 1050, 350]]</box>",
    '{"bbox": [400.5, 200, 3000, 1000]}': '{"bbox": [140, 70, 1050, 350]}',
    "{'bbox_2d': [400,200,3000,1000]}": "{'bbox_2d': [140,70,1050,350]}",
    '{"bbox_2d": [[400, 200], [3000, 1000]]}': '{"bbox_2d": [[140, 70], [1050, 350]]}',
    '{"bbox_2d": [\n  400,\n  200,\n  3000,\n  1000\n]}': '{"bbox_2d": [\n  140,\n  70,\n  1050,\n  350\n]}',
    '{"bbox_2d": [[400,200,3000,1000],[0,0,4000,2000]]}': '{"bbox_2d": [[140,70,1050,350],[0,0,1400,700]]}',
    '{"bbox_2d": "400, 200, 3000, 1000"}': '{"bbox_2d": "140, 70, 1050, 350"}',
    '{"point_2d": [400, 200], "label": "7"}': '{"point_2d": [140, 70], "label": "7"}',
    '{"points": [[400, 200], [800, 200], [800, 400], [400, 400]]}':
        '{"points": [[140, 70], [280, 70], [280, 140], [140, 140]]}',
    '{"polygon": [400, 200, 800, 200]}': '{"polygon": [140, 70, 280, 70]}',
    '<points x1="400" y1="200" x2="800" y2="400" alt="2 cats">2 cats</points>':
        '<points x1="140" y1="70" x2="280" y2="140" alt="2 cats">2 cats</points>',
    '<point x="400" y="200" alt="a">a</point>': '<point x="140" y="70" alt="a">a</point>',
    "<point>400 200</point>": "<point>140 70</point>",
    "Action: click(start_box='(400,200)')": "Action: click(start_box='(140,70)')",
    "click(start_box='<|box_start|>(400,200)<|box_end|>')": "click(start_box='<|box_start|>(140,70)<|box_end|>')",
    "click(point='<point>400 200</point>')": "click(point='<point>140 70</point>')",
    "drag(start_box='[400, 200, 400, 200]', end_box='[800, 400, 800, 400]')":
        "drag(start_box='[140, 70, 140, 70]', end_box='[280, 140, 280, 140]')",
    "pyautogui.click(x=400, y=200)": "pyautogui.click(x=140, y=70)",
    "pyautogui.moveTo(400, 200)": "pyautogui.moveTo(140, 70)",
    "bbox_2d: 400, 200, 3000, 1000": "bbox_2d: 140, 70, 1050, 350",
    "The screen's resolution is 4000x2000.": "The screen's resolution is 1400x700.",
    'In {"bbox_2d": [400, 200, 3000, 1000]}. Taken in [1990, 2000].':
        'In {"bbox_2d": [140, 70, 1050, 350]}. Taken in [1990, 2000].',
}  # fmt: skip


@pytest.mark.parametrize("text", MOVED)
def test_every_spelling_is_moved(text: str) -> None:
    assert rewrite_places(text, BEFORE, AFTER) == MOVED[text]
    assert rewrite_places(MOVED[text], AFTER, AFTER) == MOVED[text]


ORDINARY = [
    "Taken in [1990, 2000].",
    "It costs 4, 5 or 6 dollars.",
    "The sequence [1, 2, 3, 4] goes on.",
    "(3, 4)-torus and 1,000,000",
    '{"values": [2019, 2020, 2021, 2022]}',
    '{"year": 1990, "sales": [12, 40]}',
    "| 1 | 2 |\n| 3 | 4 |",
    "192.168.10.20",
    "A resolution is 1920x1080 of pixels.",
    "points: 12, 15",
    "f(x=3, y=4)",
    "2024-01-02 10:20:30",
    "pages 3, 7, 12, 19",
    "v1.2, 3.4",
    "Point 7 is 10 percent.",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_numbers_are_never_touched(text: str) -> None:
    assert rewrite_places(text, BEFORE, AFTER) == text
    both = f'{text} {{"point_2d": [400, 200]}}'
    assert rewrite_places(both, BEFORE, AFTER) == f'{text} {{"point_2d": [140, 70]}}'


REFUSED = {
    "[400, 200, 3000, 1000]": "may be a place or ordinary",
    "Red car: [400, 200, 3000, 1000]": "may be a place or ordinary",
    '{"cat": [400, 200, 3000, 1000]}': "may be a place or ordinary",
    "400,200,3000,1000 cat": "may be a place or ordinary",
    "(400, 200)": "may be a place or ordinary",
    "What is in [0.1, 0.2, 0.5, 0.6]?": "may be a place or ordinary",
    '{"bbox_2d": [0.1, 0.2, 0.5, 0.6]}': "shares of the picture",
    '{"bbox_2d": [400, 200, 3000]}': "has 3 numbers",
    '{"bbox_2d": [400, 200, 5000, 1000]}': "outside its picture of 4000x2000",
    '{"point_2d": [-30, 200]}': "outside its picture of 4000x2000",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_may_be_a_place_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=REFUSED[text]):
        rewrite_places(text, BEFORE, AFTER)


@pytest.mark.parametrize("text", MOVED)
def test_what_our_parsers_read_is_where_it_was(text: str) -> None:
    """The parsers read the old text in the old frame and the new one in the new: the same places of the original."""
    again = rewrite_places(text, BEFORE, AFTER)
    pairs = [(parse_boxes(text, BEFORE), parse_boxes(again, AFTER))]
    if find_places(text) and ("<point" in text or "point_2d" in text):
        pairs.append((parse_points(text.split(". Taken")[0], BEFORE), parse_points(again.split(". Taken")[0], AFTER)))  # type: ignore[arg-type]
    if "computer_use" in text:
        pairs.append(([parse_action(text, BEFORE)], [parse_action(again, AFTER)]))  # type: ignore[list-item]
    if "data-" in text:
        pairs.append((Page.from_html(text, BEFORE).elements, Page.from_html(again, AFTER).elements))  # type: ignore[arg-type]
    for old, new in pairs:
        assert len(old) == len(new)
        for a, b in zip(old, new, strict=True):
            one, two = _numbers(a), _numbers(b)
            assert one == pytest.approx(two, abs=2)


def _numbers(place: object) -> tuple[float, ...]:
    for name in ("xyxy", "xy", "coordinate", "box"):
        if getattr(place, name, None) is not None:
            return tuple(getattr(place, name))
    return ()


def test_user_turns_are_moved_too_and_the_file_may_be_in_other_pixels(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (60, 40))
    row = {
        "messages": [
            {"role": "user", "content": "What is at <|box_start|>(10,5),(50,40)<|box_end|>? Made [1990, 2000]."},
            {"role": "assistant", "content": 'A cup, beside {"point_2d": [10, 20]}.'},
        ],
        "images": ["a.png"],
    }
    (tmp_path / "a.json").write_text(json.dumps([row]))
    (sample,), _ = read_all("conversations", tmp_path / "a.json")
    view = for_model(sample, small_processor())
    (after,) = view.transforms
    corners = [round(value) for value in after.box_to_model((10, 5, 50, 40))]
    assert corners != [10, 5, 50, 40]
    wanted = "({},{}),({},{})".format(*corners)
    assert f"{wanted}<|box_end|>? Made [1990, 2000]." in view.messages[0].text
    (same,), _ = read_all("conversations", tmp_path / "a.json", coordinates="model")
    assert for_model(same, small_processor()).messages == same.messages
    two = {**row, "images": ["a.png", "a.png"]}
    (tmp_path / "b.json").write_text(json.dumps([two]))
    (bad,) = read_all("conversations", tmp_path / "b.json")[1]
    assert "several pictures" in bad.reason


def test_the_second_picture_of_a_conversation() -> None:
    pictures = [Image.new("RGB", size) for size in ((112, 112), (224, 112))]
    messages = (say("user", *pictures, "Where?"), say("assistant", '{"point_2d": [200, 100]}'))
    view = for_model(Sample(messages, "chat", forms=("", "marked@1")), small_processor())
    x, y = view.transforms[1].to_model((200, 100))
    assert view.messages[1].text == f'{{"point_2d": [{round(x)}, {round(y)}]}}'
