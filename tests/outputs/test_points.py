"""Points in JSON, XML and plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.media.transform import Transform
from viewfinder.outputs.points import Point, format_points, parse_points

HALF = Transform(original_size=(100, 100), resized_size=(200, 200))


@pytest.mark.parametrize(
    "text",
    [
        '```json\n[\n\t{"point_2d": [38, 114], "label": "cake"}\n]\n```',
        '[{"point_2d": ["38", "114"], "label": "cake"},]',
        '{"point_2d": ["38, 114"], "label": "cake"}',
        '<points x1="38" y1="114" alt="cakes">cake</points>',
        '```xml\n<points x1="38" y1="114" alt="cake"></points>\n```',
        "<points x='38' y='114'>cake</points>",
        "<point x=38 y=114>cake</point>",
        "38,114 cake",
        "(38, 114): cake",
    ],
)
def test_forms(text: str) -> None:
    assert parse_points(text, HALF) == [Point(19, 57, "cake")]


def test_many_points_in_one_tag_and_a_last_one_that_was_cut_off() -> None:
    tag = '<points x1="38" y1="114" x2="20" y2="10" alt="a &amp; b">a &amp; b</points>'
    points = [Point(19, 57, "a & b"), Point(10, 5, "a & b")]
    assert parse_points(tag, HALF) == points
    assert format_points(points, HALF, style="xml") == tag
    assert parse_points(tag[: tag.index(' alt="a')] + ' x3="1', HALF) == [Point(19, 57), Point(10, 5)]


def test_outside_is_clamped_and_said() -> None:
    (point,) = parse_points('{"point_2d": [-1, 300], "label": ""}', HALF)
    assert (point.xy, point.clamped) == ((0, 100), True)


def test_to_dict_leaves_out_what_is_absent() -> None:
    assert Point(1, 2, "a").to_dict() == {"point": [1, 2], "label": "a"}
    full = Point(1, 2, "a", confidence=0.5, clamped=True, extra={"k": 1}).to_dict()
    assert full == {"point": [1, 2], "label": "a", "confidence": 0.5, "clamped": True, "extra": {"k": 1}}


def test_nothing() -> None:
    assert parse_points("none", HALF) == []
    assert format_points([], HALF) == "```json\n[]\n```"
    assert format_points([], HALF, style="xml") == ""


def test_a_box_is_no_point() -> None:
    assert parse_points("10,20,30,40 cat", HALF) == []


@given(st.lists(st.builds(Point, st.floats(0, 100), st.floats(0, 100), st.text("ab<>&\"' é", max_size=8)), max_size=4))
def test_format_then_parse_is_within_half_a_model_pixel_and_stable(points: list[Point]) -> None:
    text = format_points(points, HALF)
    again = parse_points(text, HALF)
    assert [point.label for point in again] == [point.label for point in points]
    for got, want in zip(again, points, strict=True):
        assert max(abs(got.x - want.x), abs(got.y - want.y)) <= 0.25 + 1e-9
    assert format_points(again, HALF) == text


@given(st.text(max_size=60) | st.text(alphabet='<points x1="23y/>,. ', max_size=100))
def test_any_text_is_read_without_an_exception_and_inside_the_picture(text: str) -> None:
    for point in parse_points(text, HALF):
        assert 0 <= point.x <= 100
        assert 0 <= point.y <= 100
