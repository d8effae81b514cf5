"""The page: whole in one file, pictures with truth and answer drawn, sortable, and nothing a model says is run."""

import base64
import hashlib
import io
import re

from PIL import Image

from tests.eval.little import NOWHERE, Says, boxes_task, right_on_even, words_task
from viewfinder.eval.report import Gallery, page, picture_of, places_in
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.eval.task import Scored


def _opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))).convert("RGB")


def test_every_question_stands_on_the_page_with_picture_answer_and_truth() -> None:
    gallery = Gallery()
    score = run(words_task(), NOWHERE, Subject(Says(right_on_even), "m"), RunOptions(on_scored=gallery.add))
    text = page([(score, gallery)], "A <title>")
    assert "A &lt;title&gt;" in text
    assert text.count("<img") == 6
    assert text.count("no idea") == 3
    assert len(re.findall(r"Which word\? \(\d\)", text)) == 6
    assert "50.00" in text
    assert score.hash[:12] in text
    assert not re.search(r"(src|href)=.?https?:", text)  # nothing is fetched


def test_truth_is_green_and_answer_red() -> None:
    question = next(iter(boxes_task().questions(None)))
    place = [10.0, 60.0, 60.0, 100.0]
    image = _opened(picture_of(question, Scored("b0", 0.0, place, question.truth)))
    zoom = image.width / 168

    def near(x: float, y: float) -> list[tuple[int, int, int]]:
        spots = [(round(x * zoom) + dx, round(y * zoom) + dy) for dx in range(-3, 4) for dy in range(-3, 4)]
        return [image.getpixel(s) for s in spots]  # type: ignore[misc]

    assert any(g > r + 40 and g > b + 20 for r, g, b in near(50, 30))  # upper edge of the truth
    assert any(r > 160 and g < 110 and b < 130 for r, g, b in near(35, 100))  # lower edge of the answer
    assert min(min(pixel) for pixel in near(150, 20)) > 200  # nothing elsewhere


def test_what_a_model_says_is_text() -> None:
    gallery = Gallery()
    evil = Says(lambda _: "<script>alert(1)</script>")
    score = run(words_task(2), NOWHERE, Subject(evil, "m"), RunOptions(on_scored=gallery.add))
    assert "<script>alert" not in page([(score, gallery)], "t")


def test_a_policy_lets_the_page_s_own_script_run_alone() -> None:
    gallery = Gallery()
    score = run(words_task(2), NOWHERE, Subject(Says(lambda _: "x"), "m"), RunOptions(on_scored=gallery.add))
    text = page([(score, gallery)], "t")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text


def test_the_worst_are_kept_when_there_are_too_many() -> None:
    gallery = Gallery(most=3)
    run(words_task(), NOWHERE, Subject(Says(right_on_even), "m"), RunOptions(on_scored=gallery.add))
    assert sorted(scored.id for scored, *_ in gallery.rows) == ["q1", "q3", "q5"]


def test_places_are_found_in_any_form_of_answer() -> None:
    assert places_in([1, 2, 3, 4]) == [[1, 2, 3, 4]]
    assert places_in([{"box": [1, 2, 3, 4], "label": "x"}]) == [[1, 2, 3, 4]]
    assert places_in({"boxes": [[1, 2, 3, 4], [5, 6, 7, 8]]}) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert places_in({"points": [[1, 2]]}) == [[1, 2]]
    assert places_in("red") == places_in(None) == places_in([True, False]) == []
    assert places_in({"span": [1.0, 2.0], "duration": 5}) == []  # seconds are no place
