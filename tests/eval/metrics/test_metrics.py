"""Every score on examples worked by hand from its published definition."""

import itertools
import random

import numpy as np
import pytest

from viewfinder.eval.metrics.answers import (
    anls,
    contains_answer,
    exact_count,
    normalize_answer,
    relaxed_accuracy,
    vqa_score,
)
from viewfinder.eval.metrics.assignment import assign
from viewfinder.eval.metrics.pages import (
    Match,
    formula_distance,
    match_elements,
    page_edit_distance,
    reading_order_distance,
    text_distance,
)
from viewfinder.eval.metrics.reading import bag_of_tokens_f1, character_error_rate, field_f1, text_tokens
from viewfinder.eval.metrics.regions import F1, box_accuracy, box_f1, iou, point_in_box, temporal_iou


def test_anls() -> None:
    assert anls("Hello word", ["hello world"]) == pytest.approx(1 - 1 / 11)
    assert anls("hello   world", ["nothing", "hello world"]) == 1  # the best answer; spaces collapse
    assert anls("abcd", ["abxy"]) == 0.5
    assert anls("abcd", ["awxy"]) == 0  # 0.25 is below the threshold
    assert anls("", ["x"]) == 0
    assert anls("x", []) == 0


@pytest.mark.parametrize(
    ("prediction", "answer", "score"),
    [("105", "100", 1), ("106", "100", 0), ("95", "100", 1), ("12%", "0.12", 1), ("12", "12%", 0), ("-5", "5", 0)],
)
def test_relaxed_accuracy_of_numbers(prediction: str, answer: str, score: float) -> None:
    assert relaxed_accuracy(prediction, [answer]) == score


def test_relaxed_accuracy_of_words() -> None:
    assert relaxed_accuracy(" Blue ", ["red", "blue"]) == 1
    assert relaxed_accuracy("blueish", ["blue"]) == 0
    assert relaxed_accuracy("0.0", ["0"]) == 0  # zero is compared as text, as published
    assert relaxed_accuracy("0", ["0"]) == 1


def test_contains_answer() -> None:
    assert contains_answer("It says\nSTOP here", ["stop"]) == 1
    assert contains_answer("It says go", ["stop"]) == 0
    assert contains_answer("x = \\frac {1} {2}", ["\\frac{1}{2}"], formula=True) == 1
    assert contains_answer("X", ["x"], formula=True) == 0


def test_exact_count() -> None:
    assert exact_count("There are twelve.", 12) == 1
    assert exact_count("There are 11.", 12) == 0
    assert exact_count("many", 12) == 0


def test_vqa_score() -> None:
    ten = ["red"] * 3 + ["blue"] * 7
    assert vqa_score("red", ten) == pytest.approx((7 * 1 + 3 * 2 / 3) / 10)
    assert vqa_score("The Blue.", ten) == 1
    assert vqa_score("green", ten) == 0
    assert vqa_score("red", ["red"] * 10) == 1
    assert vqa_score("x", []) == 0


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The two  dogs, don't", "2 dogs don't"),
        ("dont", "don't"),
        ("couldntve", "couldntve"),
        ("couldnt've", "couldn't've"),
        ("an apple/pear", "apple pear"),
        ("1,000.", "1000"),
        ("3.5 m.", "3.5 m"),
        ("none", "0"),
        ("Is it? yes!", "is it yes"),
    ],
)
def test_vqa_normalisation(text: str, normal: str) -> None:
    assert normalize_answer(text) == normal


def test_iou() -> None:
    assert iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert iou((0, 0, 2, 2), (2, 0, 3, 2)) == 0
    assert iou((0, 0, 2, 2), (0, 5, 2, 7)) == 0
    assert iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0
    assert box_accuracy((0, 0, 2, 2), (0, 0, 2, 4)) == 1  # exactly half
    assert box_accuracy((0, 0, 2, 2), (0, 0, 2, 4.1)) == 0
    assert box_accuracy(None, (0, 0, 2, 4)) == 0


def test_times_and_clicks() -> None:
    assert temporal_iou((0, 10), (5, 15)) == pytest.approx(5 / 15)
    assert temporal_iou((0, 1), (2, 3)) == 0
    assert temporal_iou((3, 3), (3, 3)) == 0
    assert point_in_box((5, 5), (0, 0, 5, 9)) == 1
    assert point_in_box((5.1, 5), (0, 0, 5, 9)) == 0
    assert point_in_box(None, (0, 0, 5, 9)) == 0


def test_box_f1_matches_one_to_one() -> None:
    """A greedy matching would give the first prediction the wrong partner and find only one."""
    truth = [((0.0, 0.0, 10.0, 10.0), "cat"), ((0.0, 4.0, 10.0, 14.0), "cat")]
    predicted = [((0.0, 2.0, 10.0, 12.0), "Cat"), ((0.0, 0.0, 10.0, 10.0), "cat")]
    assert box_f1(predicted, truth) == F1(2, 0, 0)
    assert box_f1(predicted, [*truth, ((50.0, 50.0, 60.0, 60.0), "dog")]) == F1(2, 0, 1)
    assert box_f1([], truth) == F1(0, 0, 2)
    assert box_f1(predicted, []) == F1(0, 2, 0)
    assert box_f1([((0.0, 0.0, 10.0, 10.0), "dog")], truth) == F1(0, 1, 2)


def test_f1() -> None:
    score = F1(1, 1, 2)
    assert (score.precision, score.recall, score.f1) == (0.5, pytest.approx(1 / 3), pytest.approx(2 / 5))
    assert F1(0, 0, 0).f1 == 1
    assert F1(1, 2, 3).plus(F1(4, 5, 6)) == F1(5, 7, 9)


def test_bag_of_tokens() -> None:
    assert bag_of_tokens_f1("b c", "a b b") == F1(1, 1, 2)
    assert bag_of_tokens_f1("Hello, World", "hello world", alphanumeric=True) == F1(2, 0, 0)
    assert bag_of_tokens_f1("Hello, World", "hello world") == F1(1, 1, 1)
    assert text_tokens("日本 語", "ja") == ["日", "本", "語"]
    assert text_tokens("### Title\n a") == ["title", "a"]
    assert character_error_rate("abc", "abd") == pytest.approx(1 / 3)
    assert (character_error_rate("", ""), character_error_rate("x", "")) == (0, 1)


def test_field_f1() -> None:
    truth = {"menu": [{"name": "cake", "count": 2}, {"name": "juice", "count": 1}], "note": ""}
    assert field_f1(truth, truth) == F1(5, 0, 0)
    assert field_f1({"menu": [{"name": "juice", "count": "1"}, {"name": "pie"}]}, truth) == F1(2, 1, 3)
    assert field_f1({"menu": None}, truth) == F1(0, 1, 5)
    assert field_f1({"tags": ["a", " ", None, "b"]}, {"tags": ["b", "a"]}) == F1(2, 0, 0)
    assert field_f1({"other": {"name": "cake"}}, {"menu": {"name": "cake"}}) == F1(0, 1, 1)


def test_page_edit_distance() -> None:
    assert page_edit_distance(["abcf"], ["abcd", "xy"]) == pytest.approx(3 / 6)
    assert page_edit_distance(["two", "one"], ["one", "two"]) == 0  # order is scored elsewhere
    assert page_edit_distance([], []) == 0
    assert page_edit_distance(["abc"], []) == 1
    assert match_elements(["two", "x", "one"], ["one", "two"]) == [Match(0, 2), Match(1, 0), Match(None, 1)]


def test_reading_order() -> None:
    truth = ["alpha", "beta", "gamma"]
    assert reading_order_distance(truth, truth) == 0
    assert reading_order_distance(["beta", "alpha", "gamma"], truth) == pytest.approx(2 / 3)
    assert reading_order_distance(["alpha", "gamma"], truth) == pytest.approx(1 / 3)
    assert reading_order_distance([], truth) == 1
    assert reading_order_distance([], []) == 0


def test_formulas_and_whole_texts() -> None:
    assert formula_distance("$$ x ^ 2 $$", "\\[x^2\\]") == 0
    assert formula_distance("```latex\n$x^3$\n```", "x^2") == pytest.approx(1 / 3)
    assert text_distance("a b\nc", "ab c") == 0
    assert text_distance("abx", "abc") == pytest.approx(1 / 3)


def test_assignment_is_optimal() -> None:
    assert assign(np.array([[4, 1], [2, 9]])) == [(0, 1), (1, 0)]
    assert assign(np.zeros((0, 3))) == []
    rng = random.Random(0)
    for _ in range(60):
        rows, columns = rng.randint(1, 5), rng.randint(1, 5)
        costs = np.array([[rng.randint(-9, 9) for _ in range(columns)] for _ in range(rows)])
        pairs = assign(costs)
        small = min(rows, columns)
        assert len(pairs) == len({i for i, _ in pairs}) == len({j for _, j in pairs}) == small
        best = min(
            sum(costs[i, j] for i, j in zip(some_rows, some_columns, strict=True))
            for some_rows in itertools.combinations(range(rows), small)
            for some_columns in itertools.permutations(range(columns), small)
        )
        assert sum(costs[i, j] for i, j in pairs) == best
