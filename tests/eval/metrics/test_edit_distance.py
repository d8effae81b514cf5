"""Edit distance against the textbook table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.eval.metrics.edit_distance import edit_distance, edit_distances, normalized_edit_distance


def table(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(before + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("", "", 0), ("ab", "b", 1), ("日本", "日本語", 1)],
)
def test_worked_examples(a: str, b: str, distance: int) -> None:
    assert edit_distance(a, b) == distance
    assert edit_distances([a], [b]).tolist() == [[distance]]


def test_normalized() -> None:
    assert normalized_edit_distance("kitten", "sitting") == 3 / 7
    assert normalized_edit_distance("", "") == 0
    assert normalized_edit_distance(["<b>", "a"], ["a"]) == 0.5


texts = st.text("abc", max_size=12) | st.text("ab", min_size=60, max_size=70)


@given(texts, texts)
def test_equal_to_the_table(a: str, b: str) -> None:
    assert edit_distance(a, b) == table(a, b)


@given(st.lists(texts, max_size=5), st.lists(texts, max_size=5))
def test_all_pairs_at_once(a: list[str], b: list[str]) -> None:
    expected = np.array([[table(x, y) for y in b] for x in a]).reshape(len(a), len(b))
    assert edit_distances(a, b).tolist() == expected.tolist()
