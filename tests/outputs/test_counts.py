"""Counts: said, listed, or both."""

import pytest

from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.counts import Count, format_count, parse_count
from viewfinder.outputs.points import Point

SAME = Transform.identity((100, 100))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", Count(3, stated=3)),
        ("There are twelve cakes.", Count(12, stated=12)),
        ("There are twenty-three cats in 2 baskets.", Count(23, stated=23)),
        ("There are no cats.", Count(0, stated=0)),
        ("None.", Count(0, stated=0)),
        ("Three red and two blue, so 5 in total.", Count(5, stated=5)),
        ("A total of 7 people", Count(7, stated=7)),
        ("Row 1 has 4, row 2 has 6", Count(6, stated=6)),
        ("1,200 people", Count(1200, stated=1200)),
        ("图中有12个", Count(12, stated=12)),
        ("```json\n[]\n```", Count(0, listed=0)),
        ("I cannot tell", None),
        ("", None),
    ],
)
def test_forms(text: str, expected: Count | None) -> None:
    assert parse_count(text) == expected


def test_a_list_and_a_number_that_differ() -> None:
    text = '```json\n[\n\t{"bbox_2d": [1, 2, 3, 4], "label": "cat 9"}\n]\n```\n\nThere are 2 cats in the image.'
    count = parse_count(text)
    assert count == Count(2, stated=2, listed=1)
    assert count is not None
    assert not count.consistent


def test_numbers_of_an_unfenced_list_are_not_counts() -> None:
    assert parse_count('[{"point_2d": [50, 60], "label": "x"}]') == Count(1, listed=1)


def test_format() -> None:
    assert format_count([Box(1, 2, 3, 4, "cat")], "cat", SAME) == (
        '```json\n[\n\t{"bbox_2d": [1, 2, 3, 4], "label": "cat"}\n]\n```\n\nThere is 1 cat in the image.'
    )
    text = format_count([Point(1, 2, "cat"), Point(3, 4, "cat")], "cats", SAME)
    assert text.endswith("There are 2 cats in the image.")
    assert parse_count(text) == Count(2, stated=2, listed=2)
    assert parse_count(format_count(list[Box](), "cats", SAME)) == Count(0, stated=0, listed=0)
