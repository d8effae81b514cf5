"""Interleaved documents by the report's four criteria (section 2.2.1), measured without any model, or by a judge.

- text quality: the text alone (`text_quality`);
- relevance: a picture supplements, explains or expands the text beside it, rather than decorating it;
- complementarity: text and pictures each say what the other does not, and no picture repeats another;
- balance: neither a picture for every few words nor pages of words for one picture.

Without a judge, relevance is read from what the page says of a picture (alt text, caption, file name) and from pixels
that show nothing. A picture that was exchanged together with nothing else is beyond it: that takes a judge who sees.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from viewfinder.data.filters.fingerprints import PictureMark, mark_of
from viewfinder.data.filters.judge import conversation_parts, marks
from viewfinder.data.filters.text_quality import text_quality
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.media.image import load_image
from viewfinder.messages import ChatModel, ImagePart

CRITERIA = {
    "text_quality": "the text alone is fluent, informative and free of noise",
    "relevance": "pictures supplement, explain or expand on the text rather than just decorating it",
    "complementarity": "text and pictures each give details the other lacks, together a complete account",
    "balance": "neither too much text for the pictures nor too many pictures for the text",
}
_QUESTION = "Above is a document of text and pictures. Judge it as training material for a model that sees and reads."
_DECORATION = re.compile(
    r"\b(logo|icon|banner|spacer|avatar|badge|button|advert|sponsor|pixel|tracking|divider|bullet)s?\b"
)
_WORD = re.compile(r"[^\W\d_]{3,}")
_PLENTY = 8


class Interleaved:
    """Scores documents as `interleaved.NAME`, and drops those below a threshold in any.

    Args:
        text_quality, relevance, complementarity, balance: least score that is kept.
        judge: a model that sees; its marks take the place of the measures.
    """

    name, version = "interleaved", 1
    models: ClassVar = ("judge",)

    def __init__(
        self,
        text_quality: float = 0.5,
        relevance: float = 0.45,
        complementarity: float = 0.3,
        balance: float = 0.3,
        judge: ChatModel | None = None,
    ) -> None:
        self.least = dict(zip(CRITERIA, (text_quality, relevance, complementarity, balance), strict=True))
        self.judge = judge

    def __call__(self, sample: Sample) -> Iterable[Sample | Bad]:
        if self.judge is not None:
            scores, worst = marks(self.judge, conversation_parts(sample.messages), _QUESTION, CRITERIA), ""
        else:
            scores, worst = measure_document(sample)
        low = [name for name, score in scores.items() if score < self.least[name]]
        if low:
            name = min(low, key=lambda one: scores[one] - self.least[one])
            why = f" ({worst})" if name == "text_quality" and worst else ""
            return [Bad(f"interleaved: {name} {scores[name]:.2f} is below {self.least[name]:g}{why}", sample.id)]
        named = {f"interleaved.{name}": round(score, 4) for name, score in scores.items()}
        return [replace(sample, scores={**sample.scores, **named})]


def measure_document(sample: Sample) -> tuple[dict[str, float], str]:
    """The four scores (only the first where there are no pictures), and what is worst in the text."""
    texts = [message.text for message in sample.messages if message.role == "assistant"]
    quality, worst = text_quality("\n".join(texts))
    pictures = [part for part in sample.media if isinstance(part, ImagePart)]
    if not pictures:
        return {"text_quality": quality}, worst
    said = [_said(one) for one in sample.truth.get("pictures", [])] or [""] * len(pictures)
    images = [_small(load_image(part.image).image) for part in pictures]
    places = _neighbours(sample)
    relevance = [
        _relevance(words, near, sample, np.asarray(image))
        for words, near, image in zip(said, places, images, strict=False)
    ]
    scores = {
        "text_quality": quality,
        "relevance": float(np.mean(relevance)),
        "complementarity": _complementarity(said, places, [mark_of(image) for image in images]),
        "balance": _balance(texts, len(pictures)),
    }
    return scores, worst


def _small(image: Image.Image) -> Image.Image:
    image = image.copy()
    image.thumbnail((256, 256))
    return image


def _said(picture: dict[str, Any]) -> str:
    """What a page says of a picture; its file's name speaks only when it is words."""
    name = re.sub(r"\.\w+$", "", str(picture.get("address", "")).rsplit("/", 1)[-1])
    name = "" if name.startswith("data:") else re.sub(r"[-_+.]|%20|\d+", " ", name)
    return f"{picture.get('alt', '')} {picture.get('caption', '')} {name}"


def _neighbours(sample: Sample) -> list[str]:
    """The text before and after each picture."""
    places: list[str] = []
    for i, message in enumerate(sample.messages):
        near = " ".join(m.text for m in sample.messages[max(0, i - 1) : i + 2])
        places += [near for part in message.parts if isinstance(part, ImagePart)]
    return places


def _words(text: str) -> set[str]:
    """Content words cut to their first six letters, and pairs of characters of scripts without spaces."""
    words = {word.lower()[:6] for word in _WORD.findall(text) if word.isascii() or not _is_han(word)}
    for run in re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]+", text):
        words |= {run[i : i + 2] for i in range(len(run) - 1)}
    return words - _COMMON


def _is_han(word: str) -> bool:
    return any("\u3040" <= letter <= "\u9fff" for letter in word)


_WEAK = (
    "the and for are with that this from have was were been has its not but you your can all one which when will there "
    "their also into more other than then these those some such only image picture photo figure screenshot example png "
    "jpg jpeg gif webp und der die das mit ist eine ein les des une est dans pour avec que los las una"
)
_COMMON = frozenset(word[:6] for word in _WEAK.split())


def _relevance(said: str, near: str, sample: Sample, pixels: np.ndarray) -> float:
    if _DECORATION.search(said.lower()) or is_blank(pixels):
        return 0.0
    words = _words(said)
    if not words:
        return 0.5  # nothing is said of it
    beside = len(words & _words(near)) / len(words)
    anywhere = len(words & _words(" ".join(m.text for m in sample.messages))) / len(words)
    return min(1.0, 2.0 * max(beside, 0.5 * anywhere))


def is_blank(pixels: np.ndarray) -> bool:
    """Whether next to nothing is shown: one color, or a smooth run of colors."""
    grey = pixels.astype(np.float32).mean(2)
    steps = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
    return float(grey.std()) < 3.0 or float(steps) < 0.25


def _complementarity(said: Sequence[str], places: Sequence[str], pictures: Sequence[PictureMark]) -> float:
    """Distinct pictures, times the share of the words beside them that what is said of them does not already say."""
    kept: list[PictureMark] = []
    for mark in pictures:
        if not any(mark.is_near(other) for other in kept):
            kept.append(mark)
    distinct = len(kept) / len(pictures)
    news: list[float] = []
    for words, near in zip(said, places, strict=False):
        text = _words(near)
        news.append(min(1.0, len(text - _words(words)) / _PLENTY))
    return distinct * (sum(news) / len(news) if news else 1.0)


def _balance(texts: Sequence[str], pictures: int) -> float:
    """1 from 20 to 500 words a picture, 0 at 4 and at 5,000, in between by the logarithm."""
    text = " ".join(texts)
    han = sum(1 for letter in text if "\u3040" <= letter <= "\u9fff")
    words = (len(re.findall(r"\S+", text)) + han / 1.7) / pictures
    if words <= 0:
        return 0.0
    low = math.log(max(words, 1e-9) / 4) / math.log(20 / 4)
    high = math.log(5000 / words) / math.log(5000 / 500)
    return min(1.0, max(0.0, min(low, high)))
