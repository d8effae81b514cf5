"""Rewards against the truth, in pixels of the original, and answers that try to be paid for nothing."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.train.making import MADE
from viewfinder.data.sample import Sample, say
from viewfinder.messages import ChatModel, ImagePart, Reply, VideoPart
from viewfinder.recipes.rewards.by_truth import BY_KIND, fluency, form, truth
from viewfinder.recipes.rewards.cases import Case, case_of
from viewfinder.recipes.rewards.scoring import Rewards
from viewfinder.train.config import ConfigError
from viewfinder.train.rollouts import Prompt, Rollout

TWO = """```json
[
	{"bbox_2d": [10, 10, 50, 50], "label": "cup"},
	{"bbox_2d": [100, 10, 160, 70], "label": "cup"}
]
```"""
NONE = "```json\n[]\n```"


def case(answer: str, form: str = "", question: str = "Locate every cup.", **truth: Any) -> Case:
    """A picture of 224x168 that the model sees at 112x84."""
    picture = ImagePart(image=Image.new("RGB", (224, 168)), resized_width=112, resized_height=84)
    forms = ("", form) if form else ()
    one = Sample((say("user", picture, question), say("assistant", answer)), "t", truth, forms=forms)
    return case_of(one, MADE, MADE.prepare(one.messages[:-1], pixels=False).media)


def clip(answer: str, **truth: Any) -> Case:
    part = VideoPart(video=[Image.new("RGB", (56, 56))] * 8, sample_fps=2.0)
    one = Sample((say("user", part, "When?"), say("assistant", answer)), "moments", truth)
    return case_of(one, MADE, MADE.prepare(one.messages[:-1]).media)


def text_case(answer: str, question: str = "What is it?") -> Case:
    return case_of(Sample((say("user", question), say("assistant", answer)), "t"), MADE, ())


BOXES = case(TWO, "boxes")
EMPTY = case(NONE, "boxes")


def test_boxes_are_compared_in_pixels_of_the_original() -> None:
    assert BOXES.truth == [((10, 10, 50, 50), "cup"), ((100, 10, 160, 70), "cup")]
    halved = '[{"bbox_2d": [5, 5, 25, 25]}, {"bbox_2d": [50, 5, 80, 35]}]'
    assert truth(halved, BOXES) == 1.0  # what the model says is in pixels of what it sees
    assert truth(TWO, BOXES) is not None
    assert truth(TWO, BOXES) < 0.2  # the frame of the original is the wrong one
    assert truth(BOXES.answer, BOXES) == 1.0


@pytest.mark.parametrize(
    ("name", "answer", "most"),
    [
        ("an empty list", NONE, 0.0),
        ("nothing at all", "", 0.0),
        ("words", "There are two cups.", 0.0),
        ("one box of two", '[{"bbox_2d": [5, 5, 25, 25]}]', 0.67),
        ("the same box ten times", str([{"bbox_2d": [5, 5, 25, 25]}] * 10), 0.17),
        (
            "a flood of boxes",
            str([{"bbox_2d": [x, y, x + 20, y + 20]} for x in range(0, 90, 5) for y in range(0, 60, 5)]),
            0.02,
        ),
        ("the whole picture", '[{"bbox_2d": [0, 0, 112, 84]}]', 0.07),
    ],
)
def test_tricks_with_boxes_do_not_pay(name: str, answer: str, most: float) -> None:
    reward = truth(answer, BOXES)
    assert reward is not None
    assert reward <= most, name


def test_none_must_be_said() -> None:
    """Words that hold no box are not "none": or all that cannot be read would be right where nothing is there."""
    assert (truth(NONE, EMPTY), truth("[]", EMPTY)) == (1.0, 1.0)
    assert (truth("", EMPTY), truth("I do not know", EMPTY), truth("[ [ [", EMPTY)) == (0.0, 0.0, 0.0)
    assert truth('[{"bbox_2d": [5, 5, 25, 25]}]', EMPTY) == 0.0


def test_labels_count_where_there_are_several() -> None:
    both = case(TWO.replace('"cup"', '"plate"', 1), "boxes")
    swapped = both.answer.replace("plate", "x").replace("cup", "plate").replace("x", "cup")
    assert (truth(both.answer, both), truth(swapped, both)) == (1.0, 0.0)


def test_points_and_counts() -> None:
    said = '```json\n[\n\t{"point_2d": [100, 80], "label": "cup"}\n]\n```'
    points = case(said, "points", "Point to the cup.")
    assert (points.kind, points.truth[0]) == ("points", [(100, 80)])
    assert truth('[{"point_2d": [50, 40]}]', points) == 1.0
    assert truth('[{"point_2d": [50, 40]}, {"point_2d": [9, 9]}, {"point_2d": [90, 9]}]', points) == 0.5
    counted = case(f"{said}\n\nThere is 1 cup in the image.", "points", "Count the cups.")
    assert counted.kind == "count"
    assert truth("There is 1 cup.", counted) == 1.0
    assert truth("There are 2 cups.", counted) == 0.0
    assert truth(f"{NONE}\n\nThere is 1 cup in the image.", counted) == 0.0  # list and number differ


def test_moments_are_compared_in_seconds() -> None:
    one = clip("The given query happens in 1.0 - 3.0 seconds.", spans=[(1.0, 3.0)])
    assert (one.kind, one.truth) == ("spans", [(1.0, 3.0)])
    assert truth("The given query happens in 1.0 - 3.0 seconds.", one) == 1.0
    assert truth("The given query happens in 0.0 - 4.0 seconds.", one) == 0.5
    none = clip("The given query does not occur in the video.", spans=[])
    assert (truth(none.answer, none), truth("no idea", none)) == (1.0, 0.0)


def test_a_click_is_one_place_inside() -> None:
    one = case(TWO, "boxes", boxes=[[100, 100, 140, 140]])
    one = Case("click", [(100.0, 100.0, 140.0, 140.0)], "", one.frame, "")
    assert truth('{"action": "left_click", "coordinate": [60, 60]}', one) == 1.0
    assert truth('{"action": "left_click", "coordinate": [20, 20]}', one) == 0.0
    assert truth(str([{"point_2d": [x, 60]} for x in range(0, 100, 10)]), one) == 0.0


def test_short_answers() -> None:
    letter = text_case("B", "Which?\nA. cat\nB. dog")
    assert letter.kind == "choice"
    assert (truth("The answer is B.", letter), truth("A B C D", letter)) == (1.0, 0.0)
    number = text_case("42", "How many?")
    assert (truth("so it is 42", number), truth("41", number)) == (1.0, 0.0)
    words = text_case("the red fox")
    assert truth("the red fox", words) == 1.0
    assert (truth("the red fox " * 20, words) or 0.0) < 0.1


def test_tables_pages_and_fields() -> None:
    table = text_case("<table><tr><td>a</td><td>b</td></tr></table>")
    assert (table.kind, truth(table.answer, table)) == ("table", 1.0)
    assert truth(table.answer + "<table><tr><td>x</td></tr></table>", table) == 0.5
    fields = text_case('{"total": "3.50", "date": "May"}')
    assert truth('{"total": "3.50"}', fields) == pytest.approx(2 / 3)
    assert truth(json.dumps({"total": "3.50", "date": "May", **{str(i): i for i in range(20)}}), fields) < 0.2  # type: ignore[operator]
    page = case('<body><p data-bbox="20 20 100 40">one two</p></body>', "html")
    assert page.kind == "page"
    assert truth(page.answer, page) == 1.0
    assert truth('<body><p data-bbox="50 60 60 70">one two</p></body>', page) == 0.0  # right words, another place


def test_form_and_fluency() -> None:
    assert (form(BOXES.answer, BOXES), form(BOXES.answer.replace("\n", " "), BOXES)) == (1.0, 0.0)
    assert fluency("one two three four five six", BOXES) == 1.0
    assert (fluency("a b c d " * 50, BOXES) or 0.0) < 0.05


def test_every_kind_has_a_reward() -> None:
    assert set(BY_KIND) == {
        *("boxes", "points", "spans", "count", "click", "choice", "number", "text", "table", "page", "json")
    }


def scored(rewards: Rewards, text: str, one: Case = BOXES, finish: str = "stop") -> Any:
    rollout = Rollout(0, (1,), (0.0,), (), finish, text)
    return rewards(Prompt(0, "row", None, None, one), [rollout])[0]  # type: ignore[arg-type]


def test_rewards_are_weighted() -> None:
    rewards = Rewards({"truth": 1.0, "ended": 0.5, "text": 9.0}, 1.0)
    score = scored(rewards, BOXES.answer, finish="length")
    assert (score.value, score.parts) == (1.0, {"reward/truth": 1.0, "reward/ended": 0.0})  # no text here
    assert scored(rewards, BOXES.answer).value == 1.5
    assert not Rewards({"points": 1.0}, 1.0).applies(BOXES)


@pytest.mark.parametrize("name", ["trth", "nowhere.py:reward", "judge:x", "schema:nowhere.json"])
def test_a_reward_that_is_none_is_said_at_once(name: str) -> None:
    with pytest.raises(ConfigError, match=name.rpartition(":")[2]):
        Rewards({name: 1.0}, 1.0)


def test_a_schema(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({"type": "object", "required": ["total"]}))
    rewards = Rewards({f"schema:{tmp_path / 's.json'}": 1.0}, 1.0)
    assert [scored(rewards, text).value for text in ('{"total": 1}', '{"sum": 1}', "no")] == [1.0, 0.0, 0.0]


USERS = """
import time
print("loaded")  # is not a reply
def reward(answer, about):
    print("called")
    if answer == "slow": time.sleep(60)
    if answer == "wrong": raise RuntimeError("no luck")
    if answer == "nan": return float("nan")
    if answer == "exit": import os; os._exit(1)
    return len(answer) + (about["kind"] == "boxes") / 2
"""


def test_a_users_function_runs_beside_and_may_fail(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(USERS)
    rewards = Rewards({f"{tmp_path / 'mine.py'}:reward": 2.0}, 3.0)
    begun = time.monotonic()
    found = [scored(rewards, text) for text in ("ok", "wrong", "nan", "slow", "exit", "fine")]
    assert [score.value for score in found] == [5.0, None, None, None, None, 9.0]
    assert "RuntimeError: no luck" in found[1].reason
    assert "nan" in found[2].reason
    assert all("within 3 s" in found[i].reason for i in (3, 4))
    assert time.monotonic() - begun < 50


def test_a_function_that_cannot_be_called_is_said_before_the_first_step(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def reward(answer, about): return 1.0")
    (tmp_path / "broken.py").write_text("import no_such_module_anywhere")
    with pytest.raises(ConfigError, match="no function other"):
        Rewards({f"{tmp_path / 'mine.py'}:other": 1.0}, 5.0)
    with pytest.raises(ConfigError, match="ModuleNotFoundError: No module named 'no_such_module_anywhere'"):
        Rewards({f"{tmp_path / 'broken.py'}:reward": 1.0}, 5.0)


class _Judge(ChatModel):
    def stream(self, messages: Any, **options: Any) -> Any:
        yield Reply(text="7" if "yes" in messages[0].text else "hm")


def test_a_judge_gives_tenths() -> None:
    rewards = Rewards({"judge:any": 1.0}, 1.0, lambda name: _Judge())
    assert scored(rewards, "yes").value == pytest.approx(0.7)
    assert scored(rewards, "no").value is None
