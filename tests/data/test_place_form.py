import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.data.places import canonical_answer, rewrite_rows
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.counts import format_count
from viewfinder.outputs.points import Point, format_points

SIZE = Transform.identity((1000, 1000))
CAT = format_boxes([Box(1, 2, 30, 40, "cat")], SIZE)
NOSE = format_points([Point(5, 6, "nose")], SIZE)

corners = st.integers(0, 400)
boxes = st.builds(
    lambda x, y, w, h, label: Box(x, y, x + w, y + h, label), corners, corners, corners.map(lambda n: n + 1),
    corners.map(lambda n: n + 1), st.sampled_from(["cat", "a red cup", "猫", 'the "left" one']),
)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ('[{"bbox_2d": [1, 2, 30, 40], "label": "cat"}]', CAT),
        ('```json\n[{"bbox_2d":[1,2,30,40],"label":"cat"}]\n```', CAT),
        ('{"bbox_2d": [1.2, 2, 30, 40], "label": "cat"}', CAT),
        (CAT, CAT),
        ('[{"point_2d": [5, 6], "label": "nose"}]', NOSE),
        ('[{"bbox_2d": [1, 2, 30, 40], "label": "cat"}]\nThere is 1 cat in the image.',
         f"{CAT}\n\nThere is 1 cat in the image."),
        ("[]", "```json\n[]\n```"),
        ('The cat is here: [{"bbox_2d": [1, 2, 30, 40], "label": "cat"}]', ""),
        ("Two cats.", None),
        ('{"total": {"value": "4.50", "bbox_2d": [1, 2, 3, 4]}}', None),
        ('<html><body><p data-bbox="1 2 3 4">cat</p></body></html>', None),
        ('<tool_call>\n{"name": "click", "arguments": {"coordinate": [1, 2]}}\n</tool_call>', None),
    ],
)  # fmt: skip
def test_an_answer_in_the_form_that_locate_writes(written: str, right: str | None) -> None:
    assert canonical_answer(written) == right


@given(st.lists(boxes, min_size=1, max_size=5))
def test_what_locate_writes_is_in_the_form(found: list[Box]) -> None:
    assert canonical_answer(format_boxes(found, SIZE)) == format_boxes(found, SIZE)
    counted = format_count(found, "cups", SIZE)
    assert canonical_answer(counted) == counted


def test_rows_of_any_layout_are_rewritten_and_nothing_else_is() -> None:
    rows = ['{"a": {"deep": ["x", "no"]}, "x": 1}', {"value": "x and more"}]
    assert rewrite_rows(rows, {"x": "y", "no": ""}) == [{"a": {"deep": ["y", "no"]}, "x": 1}, {"value": "x and more"}]
