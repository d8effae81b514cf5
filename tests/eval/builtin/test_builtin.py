"""The built-in model's table: the same questions every time, a top that is reached, floors, and nothing of training."""

import random
from itertools import islice

import numpy as np
import pytest

from tests.eval.little import NOWHERE
from viewfinder.data.synth.fonts import HELD_OUT_FAMILIES
from viewfinder.eval.baselines import Baseline
from viewfinder.eval.builtin import all_builtin
from viewfinder.eval.builtin.fields import bare, schema_of
from viewfinder.eval.builtin.pages import page_boxes, page_distance, values_right
from viewfinder.eval.builtin.placing import recall_of_none
from viewfinder.eval.question import ModelAnswer, Question, sight_of
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.eval.task import Scored
from viewfinder.media.digest import digest, digest_messages
from viewfinder.media.encode import Encoded
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Reply

TASKS = all_builtin()
ASKED = 10
BLIND: dict[str, tuple[float, float]] = {
    # least and most that one answer for all may get in the first ten questions
    "builtin_read_latin": (100.0, 100.0),
    "builtin_read_scripts": (100.0, 100.0),
    "builtin_locate": (0.0, 0.0),
    "builtin_absent": (0.0, 0.0),
    "builtin_point": (0.0, 40.0),
    "builtin_count": (0.0, 0.0),
    "builtin_ask": (0.0, 30.0),
    "builtin_moments": (15.0, 50.0),
    "builtin_page": (1.0, 1.0),
    "builtin_table": (0.0, 0.0),
    "builtin_chart": (0.0, 0.0),
    "builtin_chart_ask": (0.0, 0.0),
    "builtin_fields": (0.0, 0.0),
    "builtin_click": (0.0, 40.0),
    "builtin_renderer_locate": (0.0, 0.0),
    "builtin_renderer_absent": (0.0, 0.0),
    "builtin_renderer_yes_no": (50.0, 50.0),
}


@pytest.fixture(scope="module")
def asked() -> dict[str, list[Question]]:
    return {name: list(islice(task.questions(NOWHERE), ASKED)) for name, task in TASKS.items()}


def score_of(name: str, kind: str, asked: dict[str, list[Question]]) -> float:
    model = Baseline(kind, TASKS[name], asked[name])
    return run(TASKS[name], NOWHERE, Subject(model, kind), RunOptions(limit=ASKED)).value


@pytest.mark.parametrize("name", TASKS)
def test_a_perfect_model_reaches_the_top(name: str, asked: dict[str, list[Question]]) -> None:
    best = 0.0 if TASKS[name].better == "lower" else 1.0 if name in _SHARES else 100.0
    assert score_of(name, "perfect", asked) == pytest.approx(best, abs=1e-6)


_SHARES = {"builtin_table", "builtin_chart", "builtin_fields"}
"""Scored 0 to 1 rather than in percent, as their published metrics are."""


@pytest.mark.parametrize("name", TASKS)
def test_a_blind_model_gets_what_it_must(name: str, asked: dict[str, list[Question]]) -> None:
    low, high = BLIND[name]
    assert low <= score_of(name, "blind", asked) <= high


@pytest.mark.parametrize("name", TASKS)
def test_guessing_stays_far_from_the_goal(name: str, asked: dict[str, list[Question]]) -> None:
    task, values = TASKS[name], []
    sights = [sight_of(question) for question in asked[name]]
    for seed in range(10):
        rng = random.Random(seed)
        scored = []
        for question, sight in zip(asked[name], sights, strict=True):
            said = task.form.read(ModelAnswer(Reply(text=task.form.guess(question, sight, rng)), sight), question)
            scored.append(Scored(question.id, task.score(said, question), said, question.truth, question.tags))
        values.append(task.total(scored)["score"])
    mean = sum(values) / len(values)
    if task.better == "lower":
        assert mean >= (0.9 if name == "builtin_page" else 80.0)
    else:
        chance = 60.0 if name == "builtin_renderer_yes_no" else 45.0
        assert mean <= (0.1 if name in _SHARES else chance)


@pytest.mark.parametrize("name", TASKS)
def test_question_i_is_always_the_same(name: str, asked: dict[str, list[Question]]) -> None:
    again = list(islice(TASKS[name].questions(NOWHERE), 3))
    kept = [[q.id, digest(digest_messages(q.messages)), q.truth] for q in asked[name][:3]]
    assert [[q.id, digest(digest_messages(q.messages)), q.truth] for q in again] == kept


@pytest.mark.parametrize("name", TASKS)
def test_pictures_and_clips_are_known_by_what_was_drawn(name: str, asked: dict[str, list[Question]]) -> None:
    media = [part.image if isinstance(part, ImagePart) else part.video for q in asked[name] for part in q.media]
    assert [type(file) for file in media] == [Encoded] * len(media)  # never by the bytes of an encoder


def test_latin_is_drawn_with_held_out_fonts_in_the_sizes_of_the_table(asked: dict[str, list[Question]]) -> None:
    fonts = {question.tags["font"] for question in asked["builtin_read_latin"]}
    assert fonts <= HELD_OUT_FAMILIES | {"Pillow"}
    counts = {question.truth.count("\n") + 1 for question in asked["builtin_read_latin"]}
    assert counts <= set(range(1, 7))
    assert len(counts) >= 3


def test_every_letter_of_a_page_is_on_the_picture(asked: dict[str, list[Question]]) -> None:
    for question in asked["builtin_read_latin"] + asked["builtin_read_scripts"]:
        (part,) = question.media
        assert isinstance(part, ImagePart)
        pixels = np.asarray(load_image(part.image).image.convert("L"), int)
        ink = np.abs(pixels - int(np.median(pixels))) > 60
        assert ink.any()
        assert not ink[[0, -1]].any()
        assert not ink[:, -1].any()


def test_every_number_is_counted_as_often(asked: dict[str, list[Question]]) -> None:
    assert [question.truth for question in asked["builtin_count"]] == list(range(10))


def test_half_of_what_is_asked_for_is_absent(asked: dict[str, list[Question]]) -> None:
    assert [question.tags["there"] for question in asked["builtin_absent"]] == ["yes", "no"] * 5


def _none(there: str, prediction: list[int], confidence: float) -> Scored:
    return Scored("", 0.0, prediction, None, {"there": there}, confidence)


def test_recall_of_none_at_nine_in_ten() -> None:
    sure = [_none("no", [], 0.9) for _ in range(9)]
    one_wrong = [*sure, _none("yes", [], 0.8), _none("yes", [1], 0.6), _none("no", [1], 0.7)]
    assert recall_of_none(one_wrong)["score"] == pytest.approx(90.0)  # 9 of 10 found, 9 of 10 right
    two_wrong = [*one_wrong, _none("yes", [], 0.95), _none("yes", [], 0.95)]
    assert recall_of_none(two_wrong)["score"] == 0.0  # the surest two are wrong, so no ranking is right often enough
    assert recall_of_none(two_wrong)["recall as answered"] == pytest.approx(90.0)
    assert recall_of_none(two_wrong)["precision as answered"] == pytest.approx(75.0)


def test_equal_confidences_are_not_told_apart_by_their_order() -> None:
    tied = [_none("no", [], 0.9), _none("yes", [], 0.9)]
    assert recall_of_none(tied)["score"] == recall_of_none(tied[::-1])["score"] == 0.0


TABLE = (
    "<html><body><table data-bbox='0 0 9 9'><tr><th>Year</th><th>A</th></tr>"
    "<tr><td>2001</td><td>{}</td></tr></table></body></html>"
)


def test_values_are_right_within_five_percent_at_their_heads() -> None:
    truth = TABLE.format("1,000")
    assert values_right(TABLE.format("1040"), truth) == 1.0
    assert values_right(TABLE.format("1060"), truth) == 0.0
    assert values_right(TABLE.format("1000").replace("2001", "2002"), truth) == 0.0
    assert values_right("", truth) == 0.0


def test_pages_are_told_apart_by_words_and_by_boxes() -> None:
    truth = "<html><body><p data-bbox='10 10 60 30'>abcd</p></body></html>"
    assert page_distance(truth.replace("abcd", "abcf"), truth) == 0.25
    assert page_boxes(truth.replace("10 10 60 30", "12 10 60 30"), truth) == (1, 0, 0)
    assert page_boxes(truth.replace("10 10 60 30", "70 70 90 90"), truth) == (0, 1, 1)


def test_values_with_places_are_read_as_values() -> None:
    said = {
        "total": {"value": "$4.20", "bbox_2d": [1, 2, 3, 4]},
        "items": [{"name": {"value": "tea", "bbox_2d": [0] * 4}}],
    }
    assert bare(said) == {"total": "$4.20", "items": [{"name": "tea"}]}
    import jsonschema

    schema = schema_of({"total": "$4.20", "items": [{"name": "tea"}]}, places=True)
    jsonschema.validate(said, schema)
    jsonschema.validate({"total": None, "items": []}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"total": "$4.20", "items": []}, schema)
