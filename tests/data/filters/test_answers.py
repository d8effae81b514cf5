"""Both stages of the filter for fine-tuning data."""

from dataclasses import replace

import pytest
from PIL import Image

from tests.data.filters.test_documents import Judge
from tests.data.samples import boxed_sample
from viewfinder.data.filters.tagging import DOMAINS, TAGS, Sft, Tag, tag_of
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample, say
from viewfinder.errors import DataError
from viewfinder.outputs import prompts


def _asked(question: str, answer: str, *, image: bool = True, form: str = "", task: str = "chat") -> Sample:
    parts = [Image.new("RGB", (60, 40))] if image else []
    messages = (say("user", *parts, question), say("assistant", answer))
    return Sample(messages=messages, task=task, forms=("", form), domain="file", id="s")


def test_there_are_eight_domains_and_thirty_subcategories() -> None:
    assert (len(DOMAINS), len(TAGS), len(set(TAGS))) == (8, 30, 30)


@pytest.mark.parametrize(
    ("sample", "tag"),
    [
        (boxed_sample(1), "Grounding/Locating"),
        (_asked("x", "y", task="read+extract"), "Document/Information_Extraction"),
        (_asked("Write a function that sorts a list.", "x", image=False), "Coding/Code_Generation"),
        (_asked("Fix the error in this code:\n```\nx\n```", "x", image=False), "Coding/Code_Debugging"),
        (_asked("What is the angle at B in the triangle?", "40"), "Mathematics/Geometry"),
        (_asked("Which bar of the chart is highest?", "the third"), "Chart_And_Table/Chart_QA"),
        (_asked("What color is the door?", "red"), "General/Visual_QA"),
        (_asked("Who wrote Faust?", "Goethe", image=False), "General/Knowledge_QA"),
    ],
)
def test_rules_tag_by_task_form_and_words(sample: Sample, tag: str) -> None:
    assert tag_of(sample) == tag
    (tagged,) = Tag()(sample)
    assert isinstance(tagged, Sample)
    assert tagged.tags == (tag,)


def test_tags_choose_samples_and_a_judge_may_tag() -> None:
    (bad,) = Tag(keep="Coding+Video")(boxed_sample(1))
    assert isinstance(bad, Bad)
    (tagged,) = Tag(judge=Judge('{"choice": "Video/Video_QA"}'))(boxed_sample(1))
    assert isinstance(tagged, Sample)
    assert tagged.tags == ("Video/Video_QA",)
    with pytest.raises(DataError, match="none of"):
        Tag(judge=Judge('{"choice": "Cooking"}'))(boxed_sample(1))


_BOX = '```json\n[\n\t{"bbox_2d": [1, 2, 30, 35], "label": "thing"}\n]\n```'
_LOCATE = prompts.locate_prompt("thing")
_PAGE = '<html><body>\n<p data-bbox="1 2 30 30">a</p>\n</body></html>'
_GERMAN = "Auf dem Tisch vor dem Haus steht ein roter Kasten, und der ist für die Post und nicht für die Zeitung."
_LONG = "The box stands on the table and nobody knows who put it there, since the room was locked all night long, as"


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (_asked(_LOCATE, _BOX, form="boxes"), None),
        (_asked(_LOCATE, "```json\n[]\n```", form="boxes"), None),
        (_asked("What is it?", "A red box."), None),
        (_asked(prompts.parse_prompt(), _PAGE, form="html"), None),
        (_asked("What is it?", "  "), "is empty"),
        (_asked(_LOCATE, _BOX[:-6], form="boxes"), "not closed"),
        (_asked(_LOCATE, _BOX.replace("30, 35", "30, 95"), form="boxes"), "outside its picture"),
        (_asked(_LOCATE, _BOX.replace("1, 2, 30", "1, 2"), form="boxes"), "cannot be read"),
        (_asked(_LOCATE, _BOX.replace("[1, 2, 30, 35]", "[1, 2, 1, 35]"), form="boxes"), "is empty"),
        (_asked(_LOCATE, "It is on the left.", form=""), "was asked for"),
        (_asked(_LOCATE, _BOX.replace("\n]", ",\n" + _BOX.splitlines()[2] + "\n]"), form="boxes"), "twice"),
        (_asked("Name the colors.", "red, green and blue, " * 30 + "red."), "repeats itself"),
        (_asked("Tell me about it.", _LONG), "middle of a sentence"),
        (_asked("Tell me about it.", "The cat sat and then it went to the"), "middle of a sentence"),
        (_asked("What is it?", "I'm sorry, but as an AI I cannot view it."), "refuses"),
        (_asked("What is it?", "It is [insert name here]."), "placeholder"),
        (_asked("How many are there?", "There are."), "number was asked"),
        (_asked("What color is the door?", _BOX), "was not asked for"),
        (_asked(prompts.read_prompt(), _BOX), "was asked for"),
        (_asked(prompts.extract_prompt('{"a": ""}'), '{"a": 1'), "not closed"),
        (_asked("What is on the table in front of the house?", _GERMAN), "answered in de"),
    ],
)  # fmt: skip
def test_broken_answers_are_named(sample: Sample, reason: str | None) -> None:
    (result,) = Sft()(sample)
    if reason is None:
        assert isinstance(result, Sample)
    else:
        assert isinstance(result, Bad)
        assert reason in result.reason


def test_a_judges_marks_count_by_domain() -> None:
    names = (
        "complexity",
        "relevance",
        "correctness",
        "completeness",
        "clarity",
        "helpfulness",
        "harmlessness",
        "vision",
    )
    marks = dict.fromkeys(names, 3)
    sample = _asked("What is it?", "A red box.")
    (kept,) = Sft(judge=Judge(str(marks).replace("'", '"')))(sample)
    assert isinstance(kept, Sample)
    assert kept.scores["sft.correctness"] == 0.6
    maths = replace(sample, tags=("Mathematics/Algebra",))
    (bad,) = Sft(judge=Judge(str(marks).replace("'", '"')))(maths)
    assert isinstance(bad, Bad)
    assert "Mathematics" in bad.reason
    assert "correctness 0.60 is below 0.8" in bad.reason
    with pytest.raises(DataError, match="gave no marks"):
        Sft(judge=Judge("fine!"))(sample)
