"""Short answers against accepted ones: ANLS, relaxed accuracy, containment, exact count.

Definitions as in the benchmarks' own evaluators (DocVQA, ChartQA, OCRBench, CountBench).
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from viewfinder.eval.metrics.edit_distance import edit_distance
from viewfinder.outputs.counts import parse_count


def anls(prediction: str, answers: Sequence[str], threshold: float = 0.5) -> float:
    """Average normalised Levenshtein similarity of one question (DocVQA, InfoVQA): the best over `answers`,
    and 0 where that is below `threshold`.

    Both sides are lower-cased and their spaces collapsed; the lengths are those of the raw strings.

    `anls("Hello word", ["hello world"]) == 1 - 1 / 11`.
    """
    best = max((1 - _normalized(prediction, answer) for answer in answers), default=0.0)
    return best if best >= threshold else 0.0


def _normalized(prediction: str, answer: str) -> float:
    longer = max(len(prediction), len(answer))
    return edit_distance(_collapsed(prediction), _collapsed(answer)) / longer if longer else 0.0


def _collapsed(text: str) -> str:
    return " ".join(text.lower().split())


def relaxed_accuracy(prediction: str, answers: Sequence[str], tolerance: float = 0.05) -> float:
    """1 where the prediction is within `tolerance` of a numeric answer, or equals one but for case (ChartQA).

    `12%` is 0.12. A gold value of zero must be met to the letter, as in the published code.
    """
    return float(any(_relaxed(prediction.strip(), answer, tolerance) for answer in answers))


def _relaxed(prediction: str, answer: str, tolerance: float) -> bool:
    value, gold = _to_float(prediction), _to_float(answer)
    if value is not None and gold:
        return abs(value - gold) / abs(gold) <= tolerance
    return prediction.lower() == answer.lower()


def _to_float(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def contains_answer(prediction: str, answers: Sequence[str], formula: bool = False) -> float:
    """1 where an answer stands somewhere in the prediction (OCRBench): without regard to case and line ends;
    for formulas with all spaces removed and case kept."""
    if formula:
        text = re.sub(r"\s", "", prediction)
        return float(any(re.sub(r"\s", "", answer) in text for answer in answers))
    text = prediction.lower().strip().replace("\n", " ")
    return float(any(answer.lower().strip().replace("\n", " ") in text for answer in answers))


def exact_count(prediction: str, count: int) -> float:
    """1 where the answer states, or else lists, exactly `count` things (CountBench)."""
    said = parse_count(prediction)
    return float(said is not None and said.value == count)


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


_REFUSALS = ("I can't", "I cannot", "无法", "抱歉")


class Match(NamedTuple):
    """Whether the best stretch equals the covered text, and the Jaccard overlap of their words."""

    exact: float
    jaccard: float
    text: str


def split_words(text: str) -> list[str]:
    """Words and punctuation marks: `"a cat's, paw"` is a, cat, 's, ",", paw; Chinese by characters."""
    return re.findall(r"[\u4e00-\u9fff]|'\w+|\w+|[^\w\s]", text)


def best_match(covered: str, answer: str) -> Match:
    """The best stretch by difflib's ratio among those that share a word; a refusal matches nothing."""
    if any(word in answer for word in _REFUSALS) or "sorry" in answer.lower():
        return Match(0.0, 0.0, "")
    needle, hay = split_words(covered), split_words(answer)
    wanted, best, best_ratio = set(needle), (), 0.0
    for i in range(len(hay) - len(needle) + 1):
        stretch = tuple(hay[i : i + len(needle)])
        if wanted.isdisjoint(stretch):
            continue
        ratio = SequenceMatcher(None, " ".join(stretch), covered).ratio()
        if ratio > best_ratio:
            best, best_ratio = stretch, ratio
    if not best:
        return Match(0.0, 0.0, "")
    overlap = len(set(best) & wanted) / len(set(best) | wanted)
    return Match(float(list(best) == needle), overlap, " ".join(best))
