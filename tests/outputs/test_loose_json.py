"""Broken JSON is read as far as it makes sense, valid JSON exactly, and nothing raises."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.outputs.loose_json import find_objects, find_value, outermost, read_numbers

scalars = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=12)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)


@given(st.dictionaries(st.text(max_size=6), values, max_size=5), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_valid_json_is_read_exactly(value: dict[str, object], indent: int | str | None, ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii)
    assert find_value(text) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1,}', [{"a": 1}]),
        ("{'a': 'it\\'s', 'b': None, 'c': True}", [{"a": "it's", "b": None, "c": True}]),
        ('{"a": "the "red" one", "b": 2}', [{"a": 'the "red" one', "b": 2}]),
        ('[{"a": 1}, {"a": 2', [{"a": 1}]),
        ('[{"a": 1}, {"a": "cut of', [{"a": 1}]),
        ('[{"a": 1}, {"a": 12', [{"a": 1}]),  # 12 may have been 123
        ('{"a": [1, 2, "b": 3}', [{"a": [1, 2], "b": 3}]),
        ('[{"a": 1 {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ("{a: 1, b: red ball}", [{"a": 1, "b": "red ball"}]),
        ('{"a": "x" "b": 1}', [{"a": "x", "b": 1}]),
        ('{"a": "x\n\t{"a": 2}', [{"a": "x"}, {"a": 2}]),
        ('{"a": (1, 2)}', [{"a": [1, 2]}]),
        ('Here [as asked: {"a": 1}', [{"a": 1}]),
        ('{"a": "\\ud83d", "b": "\\u00e9"}', [{"a": "\ufffd", "b": "é"}]),
        ('{"a": 1e999, "b": .5}', [{"a": "1e999", "b": 0.5}]),
        ("no json at all", []),
    ],
)
def test_sloppy_json(text: str, expected: list[dict[str, object]]) -> None:
    assert [found.fields for found in find_objects(text)] == expected


def test_nested_objects_come_after_their_parent_and_outermost_drops_them() -> None:
    found = find_objects('{"a": {"b": 1}} {"c": 2}')
    assert [one.fields for one in found] == [{"a": {"b": 1}}, {"b": 1}, {"c": 2}]
    assert [(one.start, one.end) for one in outermost(found)] == [(0, 15), (16, 24)]


@given(st.text(alphabet="{}[]()\",:'\\ \n1a`.-", max_size=60))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    find_objects(text)
    find_value(text)


@pytest.mark.parametrize("piece", ["[", "{", '{"a":', '"', "'", "\\", '["', '{"a": "', "```"])
def test_long_hostile_texts_are_read_in_one_pass(piece: str) -> None:
    assert find_objects(piece * 20_000) == []  # a quadratic reader would need minutes


def test_numbers_however_they_were_typed() -> None:
    assert read_numbers(["243, 291"]) == [243, 291]
    assert read_numbers([["1", 2], [3.5, "-4"]]) == [1, 2, 3.5, -4]
    assert read_numbers([True, None, 10**400]) == []
