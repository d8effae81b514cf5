"""Quality of texts, and interleaved documents by four criteria."""

import random
from dataclasses import replace

import pytest
from PIL import Image, ImageDraw

from viewfinder.data.filters.interleaved import Interleaved, measure_document
from viewfinder.data.filters.languages import language_of, switches
from viewfinder.data.filters.text_quality import repetition, text_quality
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample, say
from viewfinder.messages import Reply

_PROSE = (
    "The old harbour lies behind a wall that was built when the town was rich. In the morning the boats come in with "
    "fish, and the people of the lower streets stand at the quay and wait for them. A red crane lifts the boxes onto "
    "the stones. By noon the market is over, and the water is quiet again until the ferry arrives from the island."
)


def test_prose_of_several_languages_is_fine() -> None:
    german = "Der alte Hafen liegt hinter einer Mauer, die gebaut wurde, als die Stadt reich war. " * 1
    chinese = "旧港口位于一堵墙的后面,那是这座城市富裕的时候修建的。早晨渔船进港,人们站在码头上等候。"
    for text in (_PROSE, german, chinese):
        assert text_quality(text)[0] > 0.9


def test_noise_is_named() -> None:
    rng = random.Random(0)
    noise = "".join(
        rng.choice("abcdefghijklmnopqrstuvwxyz") if c.isalpha() and rng.random() < 0.3 else c for c in _PROSE
    )
    words = (_PROSE * 2).split()
    rng.shuffle(words)
    for text, name in (
        (noise, "words"),
        (" ".join(words), "words"),
        (_PROSE[:120] * 6, "repeated phrases"),
        ("12 34 | 56 78 == 90 {} " * 20, "letters"),
        ("Click here. Log in or sign up. Cookie policy and settings. All rights reserved. " * 2, "boilerplate"),
        ("", "empty"),
    ):
        score, worst = text_quality(text)
        assert score < 0.5, (worst, score, text)
        assert worst == name or name == "boilerplate"


def test_repetition_counts_what_stood_before() -> None:
    assert repetition(list("abcdefghijklmnopqrstuvwxyz")) == 0.0
    assert repetition(list("abcdef" * 10)) == pytest.approx(49 / 55)  # all but the first six of 55 places


def test_languages_and_where_they_change() -> None:
    assert language_of("Der Kasten ist rot und steht auf dem Tisch.") == "de"
    assert [language_of(t) for t in ("这是红色的", "これは赤いです", "Это красный", "빨간", "12", "Coffee")] == [
        "zh", "ja", "ru", "ko", "", "",
    ]  # fmt: skip
    mixed = "The box is red and it is on the table. 所以答案是三个红色的盒子在桌子上面。"
    assert switches(mixed) > 0.2
    assert switches(_PROSE) == 0.0
    assert switches('The sign says "所以答案是三个红色的盒子" and it is on the wall of the house.') == 0.0


def _drawn(seed: int) -> Image.Image:
    rng = random.Random(seed)
    image = Image.new("RGB", (160, 120), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        x, y = rng.randrange(120), rng.randrange(80)
        draw.rectangle((x, y, x + 40, y + 40), fill=tuple(rng.randrange(256) for _ in range(3)))
    return image


def _document(text: str = _PROSE, said: str = "the red crane at the quay", image: Image.Image | None = None) -> Sample:
    return Sample(
        messages=(say("user", image or _drawn(1), "The harbour"), say("assistant", text)),
        task="interleaved",
        truth={"pictures": [{"alt": said, "caption": "", "address": "img_01.png"}]},
        id="doc",
    )


@pytest.mark.parametrize(
    ("faulty", "named"),
    [
        (_document(said="quarterly turnover of insurers"), "relevance"),
        (_document(said="company logo"), "relevance"),
        (_document(image=Image.new("RGB", (200, 60), "navy")), "relevance"),
        (
            _document(text="The red crane at the quay of the harbour", said="The red crane at the quay"),
            "complementarity",
        ),
        (_document(text="Red crane."), "balance"),
        (_document(text=_PROSE[:150] * 8), "text_quality"),
    ],
)
def test_each_criterion_finds_its_fault(faulty: Sample, named: str) -> None:
    (good,) = Interleaved()(_document())
    assert isinstance(good, Sample)
    assert set(good.scores) == {f"interleaved.{n}" for n in ("text_quality", "relevance", "complementarity", "balance")}
    (bad,) = Interleaved()(faulty)
    assert isinstance(bad, Bad)
    assert named in bad.reason


def test_pictures_that_repeat_each_other_say_less() -> None:
    one = _document()
    part = one.messages[0].parts[0]
    other = say("user", _drawn(2))
    twice = replace(one, messages=(one.messages[0].model_copy(update={"parts": (part, part)}), one.messages[1]))
    two = replace(one, messages=(one.messages[0].model_copy(update={"parts": (part, *other.parts)}), one.messages[1]))
    pictures = {"pictures": [*one.truth["pictures"]] * 2}
    scores = [measure_document(replace(s, truth=pictures))[0]["complementarity"] for s in (twice, two)]
    assert scores[0] == pytest.approx(scores[1] / 2)


class Judge:
    """Gives these marks, and remembers what it was shown."""

    def __init__(self, text: str) -> None:
        self.text, self.seen = text, []

    def chat(self, messages: object, **options: object) -> Reply:
        self.seen.append((messages, options))
        return Reply(text=self.text)

    def stream(self, *_: object, **__: object) -> object:
        raise NotImplementedError


def test_a_judge_takes_the_place_of_the_measures() -> None:
    marks = '{"text_quality": 5, "relevance": 1, "complementarity": 4, "balance": 5}'
    judge = Judge(marks)
    (bad,) = Interleaved(judge=judge)(_document())
    assert isinstance(bad, Bad)
    assert "relevance 0.20" in bad.reason
    messages, options = judge.seen[0]
    assert any(part.type == "image" for part in messages[0].parts)
    assert options["schema"]["required"] == ["text_quality", "relevance", "complementarity", "balance"]
    (good,) = Interleaved(judge=Judge(marks.replace("1", "4")))(_document())
    assert isinstance(good, Sample)
    assert good.scores["interleaved.relevance"] == 0.8
