"""Stage two of the filter for fine-tuning data: rules for a sample's domain, then a judge's marks (report, 2.3.2)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

from viewfinder.data.filters import answers
from viewfinder.data.filters.judge import conversation_parts, marks
from viewfinder.data.filters.tagging import domain_of
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.messages import ChatModel

_ALWAYS: tuple[answers.Rule, ...] = (
    answers.empty,
    answers.truncated,
    answers.malformed,
    answers.repeats,
    answers.refuses,
    answers.unfilled,
    answers.unrelated,
)
RULES: dict[str, tuple[answers.Rule, ...]] = {
    "Document": tuple(rule for rule in _ALWAYS if rule is not answers.unfilled),  # a page may hold anything
    "General": (*_ALWAYS, answers.other_language),
    "Mathematics": (*_ALWAYS, answers.other_language),
    "Planning": (*_ALWAYS, answers.other_language),
    "Chart_And_Table": (*_ALWAYS, answers.other_language),
}
"""Rules by domain; all others have the common ones."""

CRITERIA = {
    "complexity": "the question takes some thought or looking",
    "relevance": "the question makes sense and belongs to what is shown",
    "correctness": "the answer is right",
    "completeness": "the answer covers all that was asked",
    "clarity": "the answer is clear and well put",
    "helpfulness": "the answer serves the person who asked",
    "harmlessness": "neither question nor answer is harmful",
}
_SEEING = {"vision": "what is shown is read and used rightly"}
LEAST: dict[str, Mapping[str, float]] = {
    "Mathematics": {"correctness": 0.8},
    "Coding": {"correctness": 0.8},
    "Grounding": {"correctness": 0.8, "vision": 0.8, "complexity": 0.0},
    "Document": {"completeness": 0.8, "complexity": 0.0},
}
"""Least marks by domain; everything else needs `Sft.least`, complexity half of it."""


class Sft:
    """Drops broken answers by rules and, with a judge, what it marks low; `scores` keeps its marks.

    Args:
        least: mark, 0 to 1, that every criterion needs where the domain does not say otherwise.
        judge: a model that gives marks; without one only rules count.
    """

    name, version = "sft", 1
    models: ClassVar = ("judge",)

    def __init__(self, least: float = 0.6, judge: ChatModel | None = None) -> None:
        self.least, self.judge = least, judge

    def __call__(self, sample: Sample) -> Iterable[Sample | Bad]:
        domain = domain_of(sample)
        for rule in RULES.get(domain, _ALWAYS):
            reason = rule(sample)
            if reason is not None:
                return [Bad(f"sft {rule.__name__} ({domain}): {reason}", sample.id)]
        if self.judge is None:
            return [sample]
        criteria = CRITERIA | (_SEEING if sample.media else {})
        ask = "Above is a question to an assistant, and its answer. Mark them as training material."
        given = marks(self.judge, conversation_parts(sample.messages), ask, criteria)
        for name, mark in given.items():
            usual = 0.5 * self.least if name == "complexity" else self.least
            least = LEAST.get(domain, {}).get(name, usual)
            if mark < least:
                return [Bad(f"sft judge ({domain}): {name} {mark:.2f} is below {least:g}", sample.id)]
        return [replace(sample, scores={**sample.scores, **{f"sft.{name}": mark for name, mark in given.items()}})]
