"""Rejection sampling for reasoning: a model thinks aloud, and what can be believed is kept (report, section 2.3.3).

Of several tries the shortest is kept that has the right answer, ends, stays in one language, does not repeat itself,
whose sums are right, and whose numbers come from the question, the picture or sums. That the picture was needed is
tried by asking without it.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from viewfinder.data.filters.judge import conversation_parts, marks
from viewfinder.data.filters.languages import language_of, switches
from viewfinder.data.filters.text_quality import repetition
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample, say
from viewfinder.messages import ChatModel, Message, Reply, Sampling, TextPart

INSTRUCTION = 'Think step by step and say what you see that matters. End with a line "Answer: " and the answer alone.'
_ANSWER = re.compile(r"(?:final answer|answer|答案)\s*(?:is|:|：)\s*(.+?)\s*\Z", re.IGNORECASE | re.DOTALL)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|\.\d)")
_SUM = re.compile(
    r"([-−]?\d+(?:,\d{3})*(?:\.\d+)?)((?:\s*[-+−*×x/÷]\s*\d+(?:,\d{3})*(?:\.\d+)?)+)\s*=\s*([-−]?\d+(?:,\d{3})*(?:\.\d+)?)"
)
_SMALL = 10
"""Whole numbers up to here are used for counting steps and things."""


class Rejection:
    """Replaces a sample's last answer by reasoning that leads to it, or drops the sample.

    Args:
        model: that reasons.
        samples: tries.
        temperature: of the tries.
        max_words: longer reasoning is refused.
        blind: tries without the picture; a sample whose answer comes every time is dropped. 0 asks none.
        judge: a model that marks whether the steps use what is shown.
    """

    name, version = "rejection", 1
    models: ClassVar = ("model", "judge")

    def __init__(
        self,
        model: ChatModel,
        samples: int = 4,
        temperature: float = 0.8,
        max_words: int = 400,
        blind: int = 1,
        judge: ChatModel | None = None,
    ) -> None:
        self.model, self.judge = model, judge
        self.samples, self.temperature, self.max_words, self.blind = samples, temperature, max_words, blind

    def __call__(self, sample: Sample) -> Iterable[Sample | Bad]:
        truth = true_answer(sample)
        question = [*sample.messages[:-1]]
        if sample.media and self.blind and self._is_guessed(question, truth):
            return [Bad("rejection: the answer comes without the picture, so it teaches no looking", sample.id)]
        why: Counter[str] = Counter()
        kept: list[str] = []
        for k in range(self.samples):
            reply = self.model.chat(
                _asked(question), sampling=try_sampling(sample, k, 6 * self.max_words, self.temperature)
            )
            reason = self._reason(sample, truth, reply)
            if reason is None:
                kept.append(reply.text.strip())
            else:
                why[reason] += 1
        if not kept:
            said = ", ".join(f"{count} {reason}" for reason, count in why.most_common())
            return [Bad(f"rejection: of {self.samples} tries {said}", sample.id)]
        best = min(kept, key=len)
        scores = {**sample.scores, "rejection.kept": len(kept) / self.samples}
        forms = sample.forms[: len(sample.messages) - 1]
        messages = (*_asked(question), say("assistant", best))
        return [replace(sample, messages=messages, forms=forms, scores=scores, tags=(*sample.tags, "reasoning"))]

    def _is_guessed(self, question: Sequence[Message], truth: str) -> bool:
        text = [m.model_copy(update={"parts": tuple(p for p in m.parts if isinstance(p, TextPart))}) for m in question]
        tries = (self.model.chat(_asked(text), sampling=Sampling(max_new_tokens=400)) for _ in range(self.blind))
        return all(same_answer(final_answer(reply.text), truth) for reply in tries)

    def _reason(self, sample: Sample, truth: str, reply: Reply) -> str | None:
        text = reply.text
        if reply.finish_reason != "stop":
            return "did not end"
        if not same_answer(final_answer(text), truth):
            return "wrong"
        if len(text.split()) > self.max_words:
            return "too long"
        if repetition(re.findall(r"\w+", text)) > 0.3:
            return "repetitive"
        if switches(text, language_of(text) or sample.language) > 0.1:
            return "of several languages"
        if not sums_are_right(text):
            return "with a wrong sum"
        if made_up_numbers(text, sample):
            return "with numbers from nowhere"
        if self.judge is not None:
            shown = [*conversation_parts(sample.messages[:-1]), TextPart(text=f"[reasoning] {text}\n")]
            given = marks(self.judge, shown, "Judge the reasoning.", {"vision": "each step uses what is really shown"})
            if given["vision"] < 0.6:
                return "without looking"
        return None


def try_sampling(sample: Sample, k: int, max_new_tokens: int, temperature: float) -> Sampling:
    """Of try `k` at a sample: the same in every run, another for each."""
    seed = zlib.crc32(f"{sample.id} {k}".encode())
    return Sampling(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)


def _asked(question: Sequence[Message]) -> tuple[Message, ...]:
    last = question[-1]
    return (*question[:-1], last.model_copy(update={"parts": (*last.parts, TextPart(text=f"\n{INSTRUCTION}"))}))


def true_answer(sample: Sample) -> str:
    """The truth's `answer` where there is one, else the last answer's own final words."""
    value = sample.truth.get("answer")
    return str(value) if value is not None else final_answer(sample.answer) or sample.answer


def final_answer(text: str) -> str:
    """What stands after the last "Answer:", in a box, or in the last line."""
    boxed = _BOXED.findall(text)
    if boxed:
        return boxed[-1].strip()
    pieces = re.split(r"(?i)(?=(?:final answer|answer|答案)\s*(?:is|:|：))", text)
    match = _ANSWER.search(pieces[-1])
    if match:
        return match[1].splitlines()[0].strip(" *.")
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip(" *.") if lines else ""


def same_answer(given: str, truth: str) -> bool:
    """Equal as numbers (within a thousandth, percent signs and units aside), as letters of a choice, or as words."""
    if not given.strip():
        return False
    one, other = _number(given), _number(truth)
    if one is not None and other is not None:
        return abs(one - other) <= 1e-3 * max(1.0, abs(other)) if "." in truth + given else one == other
    choice = re.fullmatch(r"\(?([A-H])\)?[.:)]?(?:\s.*)?", given.strip())
    if choice and re.fullmatch(r"\(?[A-H]\)?", truth.strip()):
        return choice[1] == truth.strip(" ()")
    return _folded(given) == _folded(truth)


def _folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _number(text: str) -> float | None:
    found = _NUMBER.findall(text.replace("−", "-").replace("$", ""))
    words = re.findall(r"[^\W\d_]{2,}", text)
    return _value(found[0]) if len(found) == 1 and len(words) <= 2 else None


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def sums_are_right(text: str) -> bool:
    """Whether every "a + b = c" of a text holds, to the digits that it gives."""
    for first, rest, result in _SUM.findall(text):
        terms = re.findall(r"([-+−*×x/÷])\s*([\d,.]*\d)", rest)
        value = _calculated(_value(first), [(sign, _value(number)) for sign, number in terms])
        digits = len(result.partition(".")[2])
        if value is None or abs(value - _value(result)) > 0.51 * 10**-digits + 1e-9:
            return False
    return True


def _calculated(first: float, terms: Sequence[tuple[str, float]]) -> float | None:
    """Products before sums: 2 + 3 * 4 is 14."""
    values = [first]
    for sign, number in terms:
        if sign in "*×x":
            values[-1] *= number
        elif sign in "/÷":
            if number == 0:
                return None
            values[-1] /= number
        else:
            values.append(number if sign == "+" else -number)
    return sum(values)


def made_up_numbers(text: str, sample: Sample) -> list[float]:
    """Numbers of the reasoning that neither question nor truth holds and no sum before them gives.

    Only where the sample's truth says what is in the picture (`facts`, or anything beside the answer).
    """
    facts = {key: value for key, value in sample.truth.items() if key not in ("answer", "seed")}
    if not facts:
        return []
    known = {abs(number) for number in (*_numbers(facts), *map(_value, _NUMBER.findall(sample.question)))}
    made_up: list[float] = []
    for match in _NUMBER.finditer(text.replace("−", "-")):
        number = abs(_value(match[0]))
        before = text[: match.start()].rstrip()
        if number in known or (number <= _SMALL and number == int(number)) or before.endswith("="):
            known.add(number)
        elif not same_answer(match[0], true_answer(sample)):
            made_up.append(number)
    return made_up


def _numbers(value: Any) -> list[float]:
    if isinstance(value, bool):
        return []
    if isinstance(value, int | float):
        return [float(value)]
    if isinstance(value, str):
        return [_value(found) for found in _NUMBER.findall(value)]
    if isinstance(value, dict):
        return [number for key, inner in value.items() for number in (*_numbers(key), *_numbers(inner))]
    if isinstance(value, list | tuple):
        return [number for inner in value for number in _numbers(inner)]
    return []
