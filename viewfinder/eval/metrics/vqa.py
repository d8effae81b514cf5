"""The VQA score (Antol et al. 2015; TextVQA): agreement with ten people, after the official normalisation.

Articles go, number words become digits, contractions get their apostrophes, punctuation goes unless it
stands between digits.
"""

import re
from collections.abc import Sequence

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_BETWEEN_DIGITS = re.compile(r"\d,\d")
_PERIOD = re.compile(r"\.(?!\d)")
_ARTICLES = {"a", "an", "the"}
_NUMBERS = {
    word: str(i)
    for i, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
    )
} | {"none": "0"}
_CONTRACTED = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've
he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've
o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's
someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've
there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's
what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've
wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""


def _contractions() -> dict[str, str]:
    """Each contraction by its forms that lack one apostrophe: `dont`; `couldnt've` and `couldn'tve`."""
    forms: dict[str, str] = {"somebody'd": "somebodyd"}  # the official table has this one backwards
    for word in _CONTRACTED.split():
        for place in (i for i, letter in enumerate(word) if letter == "'"):
            forms[word[:place] + word[place + 1 :]] = word
    return forms


_FORMS = _contractions()


def vqa_score(prediction: str, answers: Sequence[str]) -> float:
    """For each answer, min(1, how many of the others equal the prediction / 3); the mean of that.

    Three of ten people agreeing with the prediction give 0.9: for seven of the answers three others match,
    for the three matching ones only two do.
    """
    said = normalize_answer(prediction)
    people = [normalize_answer(answer) for answer in answers]
    matches = sum(person == said for person in people)
    scores = [min(1.0, (matches - (person == said)) / 3) for person in people]
    return sum(scores) / len(scores) if scores else 0.0


def normalize_answer(text: str) -> str:
    """The official normalisation: `"The two  dogs, don't"` gives `"2 dogs don't"`."""
    text = _without_punctuation(text.replace("\n", " ").replace("\t", " ").strip())
    words = [_NUMBERS.get(word, word) for word in text.lower().split()]
    return " ".join(_FORMS.get(word, word) for word in words if word not in _ARTICLES)


def _without_punctuation(text: str) -> str:
    result = text
    for mark in _PUNCTUATION:
        at_word = f"{mark} " in text or f" {mark}" in text
        drops = at_word or _BETWEEN_DIGITS.search(text) is not None
        result = result.replace(mark, "" if drops else " ")
    return _PERIOD.sub("", result)
