"""Boxes reach the original's pixels from whatever the model writes, and survive format -> parse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import Box, format_boxes, parse_boxes

HALF = Transform(original_size=(100, 100), resized_size=(200, 200))
CAT = (10.0, 20.0, 30.0, 40.0)


def test_the_official_form() -> None:
    text = '```json\n[\n\t{"bbox_2d": [20, 40, 60, 80], "label": "cat"},\n'
    text += '\t{"bbox_2d": [0, 0, 200, 100], "label": "红"}\n]\n```'
    boxes = parse_boxes(text, HALF)
    assert boxes == [Box(*CAT, "cat"), Box(0, 0, 100, 50, "红")]
    assert boxes[0].transform == HALF
    assert text[slice(*boxes[0].source or ())] == '{"bbox_2d": [20, 40, 60, 80], "label": "cat"}'
    assert format_boxes(boxes, HALF) == text


def test_nothing_found() -> None:
    assert parse_boxes("```json\n[]\n```", HALF) == []
    assert parse_boxes("There are none.", HALF) == []
    assert format_boxes([], HALF) == "```json\n[]\n```"


@pytest.mark.parametrize(
    "text",
    [
        '[{"bbox_2d": ["20", "40", "60", "80"], "label": "cat",},]',
        '{"bbox_2d": ["20, 40, 60, 80"], "label": "cat"}',
        '{"bbox_2d": [[20, 40], [60, 80]], "label": "cat"}',
        '{"bbox_2d": [60, 80, 20, 40], "label": "cat"}',
        "{'bbox_2d': (20.0, 40.0, 60.0, 80.0), 'label': 'cat'}",
        '{"bbox": [20, 40, 60, 80, "label": "cat"}',
        'Sure, here it is:\n```json\n[{"bbox_2d": [20, 40, 60, 80], "label": "cat"}, {"bbox_2d": [1, 2, 3',
        "20,40,60,80 cat",
        "[20, 40, 60, 80]: cat.",
        "(20,40),(60,80) cat",
    ],
)
def test_sloppy_forms(text: str) -> None:
    assert parse_boxes(text, HALF) == [Box(*CAT, "cat")]


def test_plain_lines() -> None:
    boxes = parse_boxes("20,40,60,80 cat\n0,0,20,20 small dog\n", HALF)
    assert boxes == [Box(*CAT, "cat"), Box(0, 0, 10, 10, "small dog")]


def test_outside_is_clamped_and_said() -> None:
    (box,) = parse_boxes('{"bbox_2d": [-20, 40, 60, 999], "label": "cat"}', HALF)
    assert (box.xyxy, box.clamped) == ((0, 20, 30, 100), True)
    assert parse_boxes('{"bbox_2d": [0, 0, 200, 200], "label": "cat"}', HALF)[0].clamped is False


def test_a_crop_is_undone() -> None:
    crop = Transform(original_size=(100, 50), resized_size=(80, 20), crop=(20, 10, 60, 30))
    assert parse_boxes("20,5,80,20 cat", crop) == [Box(30, 15, 60, 30, "cat")]
    assert '"bbox_2d": [20, 5, 80, 20]' in format_boxes([Box(30, 15, 60, 30, "cat")], crop)


def test_spotted_text_and_further_keys() -> None:
    text = '```json\n[\n\t{"bbox_2d": [20, 40, 60, 80], "text_content": "say \\"hi\\"\\n", "language": "en"}\n]\n```'
    (box,) = parse_boxes(text, HALF)
    assert (box.text, box.label, box.extra) == ('say "hi"\n', "", {"language": "en"})
    assert format_boxes([box], HALF) == text


def test_boxes_inside_a_box_belong_to_it() -> None:
    text = '{"bbox_2d": [20, 40, 60, 80], "label": "shelf", "parts": [{"bbox_2d": [20, 40, 30, 50], "label": "can"}]}'
    assert [box.label for box in parse_boxes(text, HALF)] == ["shelf"]


def test_to_dict_leaves_out_what_is_absent() -> None:
    assert Box(1, 2, 3, 4, "a").to_dict() == {"box": [1, 2, 3, 4], "label": "a"}
    full = Box(1, 2, 3, 4, "a", confidence=0.5, clamped=True, text="t", extra={"k": 1})
    assert full.to_dict() == {
        "box": [1, 2, 3, 4],
        "label": "a",
        "text": "t",
        "confidence": 0.5,
        "clamped": True,
        "extra": {"k": 1},
    }


sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
labels = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def transforms(draw: st.DrawFn) -> Transform:
    width, height = draw(sizes)
    crop = None
    if draw(st.booleans()):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        crop = (float(x), float(y), float(draw(st.integers(x + 1, width))), float(draw(st.integers(y + 1, height))))
    return Transform((width, height), draw(sizes), crop)


@st.composite
def pictures_with_boxes(draw: st.DrawFn) -> tuple[Transform, list[Box]]:
    transform = draw(transforms())
    x0, y0, x1, y1 = transform.window
    boxes: list[Box] = []
    for _ in range(draw(st.integers(0, 4))):
        xs = sorted(draw(st.tuples(st.floats(x0, x1), st.floats(x0, x1))))
        ys = sorted(draw(st.tuples(st.floats(y0, y1), st.floats(y0, y1))))
        text = draw(st.none() | labels)
        label = draw(labels)
        boxes.append(Box(xs[0], ys[0], xs[1], ys[1], label, text=text))
    return transform, boxes


@given(pictures_with_boxes())
def test_format_then_parse_is_within_half_a_model_pixel_and_stable(case: tuple[Transform, list[Box]]) -> None:
    transform, boxes = case
    text = format_boxes(boxes, transform)
    again = parse_boxes(text, transform)
    assert [(box.label, box.text, box.clamped) for box in again] == [(b.label, b.text, False) for b in boxes]
    for got, want in zip(again, boxes, strict=True):
        got_model, want_model = transform.box_to_model(got.xyxy), transform.box_to_model(want.xyxy)
        assert max(abs(a - b) for a, b in zip(got_model, want_model, strict=True)) <= 0.5 + 1e-6
    assert format_boxes(again, transform) == text


@given(st.text(max_size=80) | st.text(alphabet='{}[]()",: 0123456789.-bx_2dlabel', max_size=120))
def test_any_text_is_read_without_an_exception_and_inside_the_picture(text: str) -> None:
    for box in parse_boxes(text, HALF):
        assert 0 <= box.x1 <= box.x2 <= 100
        assert 0 <= box.y1 <= box.y2 <= 100


def test_overlap_is_shared_over_united_area() -> None:
    assert Box(0, 0, 2, 2).overlap(Box(1, 0, 3, 2)) == 2 / 6
    assert Box(0, 0, 2, 2).overlap(Box(2, 0, 3, 2)) == 0
    assert Box(1, 1, 1, 1).overlap(Box(1, 1, 1, 1)) == 0
