"""Places in every spelling, with the characters of their numbers; what is no place is left alone or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.outputs.place import Place
from viewfinder.outputs.places import find_places

CAT = (20.0, 40.0, 60.0, 80.0)
DOG = (1.0, 2.0, 3.0, 4.0)
QUAD = (20.0, 40.0, 60.0, 40.0, 60.0, 80.0, 20.0, 80.0)
START, END = "<|box_start|>", "<|box_end|>"
REF, FER = "<|object_ref_start|>", "<|object_ref_end|>"


def told(places: list[Place]) -> list[tuple[str, tuple[float, ...], str]]:
    return [(place.kind, place.coordinates, place.label) for place in places]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"bbox_2d": [20, 40, 60, 80], "label": "cat"}', [("box", CAT, "cat")]),
        ('{"cat": {"bbox_2d": [20, 40, 60, 80]}}', [("box", CAT, "cat")]),
        (
            '{"cat": [{"bbox_2d": [20, 40, 60, 80]}, {"bbox_2d": [1, 2, 3, 4]}]}',
            [("box", CAT, "cat"), ("box", DOG, "cat")],
        ),
        ('{"objects": [{"bbox_2d": [20, 40, 60, 80]}]}', [("box", CAT, "")]),
        ('{"bbox_2d": [[20, 40, 60, 80], [1, 2, 3, 4]], "label": "cat"}', [("box", CAT, "cat"), ("box", DOG, "cat")]),
        (
            '{"bboxes": [[20, 40, 60, 80], [1, 2, 3, 4]], "labels": ["cat", "dog"]}',
            [("box", CAT, "cat"), ("box", DOG, "dog")],
        ),
        ('{"bbox_2d": [[20, 40], [60, 80]], "label": "cat"}', [("box", CAT, "cat")]),
        ('{"bbox_2d": [[[20, 40], [60, 80]], [[1, 2], [3, 4]]]}', [("box", CAT, ""), ("box", DOG, "")]),
        ('{"bbox_2d": [20, 40, 60, 40, 60, 80, 20, 80]}', [("polygon", QUAD, "")]),
        ('{"bbox_2d": [[20, 40], [60, 40], [60, 80], [20, 80]]}', [("polygon", QUAD, "")]),
        ('{"quad": [20, 40, 60, 40, 60, 80, 20, 80], "text": "STOP"}', [("polygon", QUAD, "")]),
        ('{"bbox_2d": "x1: 20, y1: 40, x2: 60, y2: 80"}', [("box", CAT, "")]),
        ('{"bbox": {"x1": 20, "y1": 40, "x2": 60, "y2": 80}, "label": "cat"}', [("box", CAT, "cat")]),
        ('{"label": "cat", "y1": 40, "x1": 20, "x2": 60, "y2": 80}', [("box", CAT, "cat")]),
        ('{"x": 20, "y": 40, "width": 40, "height": 40}', [("box", CAT, "")]),
        ('{"bbox_2d": [20, 40, 60, 80], "bbox_2d": [1, 2, 3, 4]}', [("box", CAT, ""), ("box", DOG, "")]),
        ('{"bbox_2d": [100, 200], "label": "a"}', [("point", (100, 200), "a")]),
        ('{"point_2d": [20, 40, 60, 80], "label": "a"}', [("box", CAT, "a")]),
        ('{"points": [[20, 40], [60, 80]], "label": "a"}', [("point", (20, 40), "a"), ("point", (60, 80), "a")]),
        ('{"points": [{"x": 20, "y": 40}, {"x": 60, "y": 80}]}', [("point", (20, 40), ""), ("point", (60, 80), "")]),
        (
            '<tool_call>{"name":"computer_use","arguments":{"action":"left_click","coordinate":[20,40]}}</tool_call>',
            [("point", (20, 40), "")],
        ),
        (
            f"{REF}cat{FER}{START}(20,40),(60,80){END}{REF}dog{FER}{START}(1,2),(3,4){END}",
            [("box", CAT, "cat"), ("box", DOG, "dog")],
        ),
        (
            f"{START}(20,40),(60,80){END}{REF}cat{FER}{START}(1,2),(3,4){END}{REF}dog{FER}",
            [("box", CAT, "cat"), ("box", DOG, "dog")],
        ),
        (
            f"{REF}cats{FER}{START}(20,40),(60,80){END}{START}(1,2),(3,4){END}",
            [("box", CAT, "cats"), ("box", DOG, "cats")],
        ),
        (
            "<ref>cat</ref><box>(20,40),(60,80)</box><ref>dog</ref><box>(1,2),(3,4)</box>",
            [("box", CAT, "cat"), ("box", DOG, "dog")],
        ),
        ("<ref>cat</ref><box>[[20, 40, 60, 80], [1, 2, 3, 4]]</box>", [("box", CAT, "cat"), ("box", DOG, "cat")]),
        (f"cat{START}(20,40),(60,80){END} dog{START}(1,2),(3,4){END}", [("box", CAT, "cat"), ("box", DOG, "dog")]),
        (f"<think>It is at the top.</think><answer>{START}(20,40),(60,80){END}</answer>", [("box", CAT, "")]),
        ("<|quad_start|>(20,40),(60,40),(60,80),(20,80)<|quad_end|>", [("polygon", QUAD, "")]),
        ("<point>100 200</point>", [("point", (100, 200), "")]),
        ("<point>(100, 200)</point>", [("point", (100, 200), "")]),
        ("<point>20 40 60 80</point>", [("box", CAT, "")]),
        (
            "<points x1='20' y1='40' x2='60' y2='80' alt='a'>a</points>",
            [("point", (20, 40), "a"), ("point", (60, 80), "a")],
        ),
        ("Action: click(start_box='(20,40)')", [("point", (20, 40), "")]),
        (f"click(start_box='{START}(20,40){END}')", [("point", (20, 40), "")]),
        ("drag(start_box='(20,40)', end_box='(60,80)')", [("point", (20, 40), ""), ("point", (60, 80), "")]),
        ("pyautogui.click(x=20, y=40)", [("point", (20, 40), "")]),
        ("click(point='<point>20 40</point>')", [("point", (20, 40), "")]),
        ('<p data-bbox="20 40 60 80">Words</p>', [("box", CAT, "Words")]),
        ('<p data-polygon="20 40 60 40 60 80 20 80">Words</p>', [("polygon", QUAD, "Words")]),
    ],
)
def test_marked_places(text: str, expected: list[tuple[str, tuple[float, ...], str]]) -> None:
    problems: list[str] = []
    places = find_places(text, problems=problems)
    assert (told(places), problems) == (expected, [])
    assert all(place.marked for place in places)
    for place in places:
        read = [float(text[start:end]) for start, end in place.numbers]
        if place.sized:
            read[2:] = read[0] + read[2], read[1] + read[3]
        assert tuple(read) == place.coordinates


@pytest.mark.parametrize(
    "text",
    [
        "Taken in [1990, 2000].",
        "f(x) = (1, 2), (3, 4)",
        '{"points": 12, "score": [1, 2, 3, 4]}',
        '{"points": ["it grew by 10, 20 percent"]}',
        '{"box": "red", "years": [1990, 2000]}',
        "<points>",
        "The point = (3, 4) lies on the line.",
    ],
)
def test_ordinary_numbers_are_no_marked_places(text: str) -> None:
    problems: list[str] = []
    assert (find_places(text, problems=problems), problems) == ([], [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"bbox_2d": [1, 2, 3], "label": "a"}', "bbox_2d at character 0 holds no place"),
        ('{"bbox_2d": [1e999, 20, 30, 40], "label": "a"}', "too large"),
        ('[{"bbox_2d": [20, 40, 60, 80], "label": "ca', "cut off"),
        (f"{START}(1,2),(3){END}", "holds no place"),
        ('{"bbox_2d": "unknown"}', "holds no place"),
    ],
)
def test_a_mark_without_a_place_is_refused_with_the_reason(text: str, reason: str) -> None:
    problems: list[str] = []
    assert find_places(text, "box", problems) == []
    assert len(problems) == 1
    assert reason in problems[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"cat": [20, 40, 60, 80], "dog": [1, 2, 3, 4]}', [("box", CAT, "cat"), ("box", DOG, "dog")]),
        ('{"cat": [20, 40, 60, 80], "cat": [1, 2, 3, 4]}', [("box", CAT, "cat"), ("box", DOG, "cat")]),
        ('"cat": [20, 40, 60, 80], "dog": [1, 2, 3, 4]', [("box", CAT, "cat"), ("box", DOG, "dog")]),
        ("Red car: [20, 40, 60, 80]\nDog: [1, 2, 3, 4]", [("box", CAT, "Red car"), ("box", DOG, "Dog")]),
        ("1. Red car: [20, 40, 60, 80]\n2. Dog: [1, 2, 3, 4]", [("box", CAT, "Red car"), ("box", DOG, "Dog")]),
        ("cat [20, 40, 60, 80], dog [1, 2, 3, 4]", [("box", CAT, "cat"), ("box", DOG, "dog")]),
        ("The cat is at [20, 40, 60, 80] and a dog at [1, 2, 3, 4].", [("box", CAT, "cat"), ("box", DOG, "dog")]),
        ("The final bounding box is: (20, 40), (60, 80).", [("box", CAT, "")]),
        ("20,40,60,80 cat\n1,2,3,4 dog", [("box", CAT, "cat"), ("box", DOG, "dog")]),
        ("[[20, 40, 60, 80], [1, 2, 3, 4]]", [("box", CAT, ""), ("box", DOG, "")]),
        ("[[20, 40], [60, 80]]", [("box", CAT, "")]),
        ("[20 40 60 80]", [("box", CAT, "")]),
        ("x1=20, y1=40, x2=60, y2=80", [("box", CAT, "")]),
        ("（20，40），（60，80）", [("box", CAT, "")]),
        ("20,40,60,40,60,80,20,80,STOP", [("polygon", QUAD, "STOP")]),
        ("[20, 40, 60, 80, 0.93]", [("box", CAT, "")]),
        ("2e1, 4e1, 6e1, 8e1", [("box", CAT, "")]),
        ("<answer>[20, 40, 60, 80]</answer>", [("box", CAT, "")]),
        ("**cat**: [20, 40, 60, 80]", [("box", CAT, "cat")]),
        ("猫：[20, 40, 60, 80]", [("box", CAT, "猫")]),
        ("The picture does not show 1,234,567,890 people.", []),
        ("[1, 2, 3]", []),
    ],
)
def test_bare_boxes(text: str, expected: list[tuple[str, tuple[float, ...], str]]) -> None:
    assert told(find_places(text, "box")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("38,114 cake", [((38, 114), "cake")]),
        ("(38, 114), (50, 60)", [((38, 114), ""), ((50, 60), "")]),
        ("[[38, 114], [50, 60]]", [((38, 114), ""), ((50, 60), "")]),
        ("Cake: (38, 114)\nTea: (50, 60)", [((38, 114), "Cake"), ((50, 60), "Tea")]),
        ('{"x": 38, "y": 114}', [((38, 114), "")]),
        ("There are 1,400 people.", []),
        ("x=38, y=114", [((38, 114), "")]),
    ],
)
def test_bare_points(text: str, expected: list[tuple[tuple[float, ...], str]]) -> None:
    assert [(place.coordinates, place.label) for place in find_places(text, "point")] == expected


@given(st.text(max_size=80) | st.text(alphabet='{}[]()",: 0123456789.-bx_2dlabel<|>/point=\n', max_size=120))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    for place in find_places(text, "box"):
        for start, end in place.numbers:
            assert place.start <= start < end <= place.end


PIECES = ("1,", "[1,2],", "(1 ", "[[", '{"bbox_2d": [1,2,3,4]},', "<point>", "<|box_start|>(1,2)", "data-bbox='1 ")


@pytest.mark.parametrize(
    "piece", [*PIECES, "<points x1=1 ", "<ref>a</ref>", "click(1,", "1e", "1.", "a: 1,2,3,4 ", "\t"]
)
def test_long_texts_are_read_in_time_in_proportion_to_their_length(piece: str) -> None:
    find_places(piece * 20_000, "box")  # a quadratic reader would need minutes
