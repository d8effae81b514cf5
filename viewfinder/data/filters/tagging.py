"""Stage one of the filter for fine-tuning data: domain and subcategory of a sample (report, section 2.3.2).

The report has 8 domains with 30 subcategories and names only Coding's four and Planning; the others are ours. What is
shown and how answers are written decides where it can, words decide the rest; or a judge chooses.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

from viewfinder.data.filters import answers
from viewfinder.data.filters.judge import choice, conversation_parts, marks
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.messages import ChatModel, VideoPart

DOMAINS: dict[str, tuple[str, ...]] = {
    "Coding": ("Code_Debugging", "Code_Generation", "Code_Translation", "Code_Understanding"),
    "Planning": ("Device_Operation", "Step_Planning", "Schedule_Planning"),
    "Mathematics": ("Arithmetic", "Algebra", "Geometry", "Statistics"),
    "Document": ("Text_Reading", "Page_Parsing", "Information_Extraction", "Document_QA"),
    "Chart_And_Table": ("Chart_QA", "Table_QA", "Chart_To_Table"),
    "Grounding": ("Locating", "Pointing", "Counting", "Text_Spotting"),
    "Video": ("Moment_Localisation", "Dense_Captioning", "Video_QA"),
    "General": ("Captioning", "Visual_QA", "Multi_Image", "Knowledge_QA", "Creative_Writing"),
}
TAGS = tuple(f"{domain}/{sub}" for domain, subs in DOMAINS.items() for sub in subs)

_BY_TASK = {
    "locate": "Grounding/Locating",
    "locate_text": "Grounding/Locating",
    "refer": "Grounding/Locating",
    "point": "Grounding/Pointing",
    "count": "Grounding/Counting",
    "spot": "Grounding/Text_Spotting",
    "read": "Document/Text_Reading",
    "parse": "Document/Page_Parsing",
    "extract": "Document/Information_Extraction",
    "chart": "Chart_And_Table/Chart_To_Table",
    "moments": "Video/Moment_Localisation",
    "describe": "Video/Dense_Captioning",
    "action": "Planning/Device_Operation",
    "caption": "General/Captioning",
}
_BY_FORM = {
    "boxes": "Grounding/Locating",
    "plain boxes": "Grounding/Locating",
    "points": "Grounding/Pointing",
    "points xml": "Grounding/Pointing",
    "html": "Document/Page_Parsing",
    "action": "Planning/Device_Operation",
}
_BY_WORDS = (
    (r"translate .*\b(code|program|function|script)|(port|convert|rewrite) .* (to|in|into) (python|java|rust|c\+\+)\b",
     "Coding/Code_Translation"),
    (r"\b(bug|debug|traceback|exception|segfault|stack trace|why does .* (fail|crash))\b|fix .*\b(code|function|error)",
     "Coding/Code_Debugging"),
    (r"(write|implement|create|generate) .*\b(function|program|script|class|code|query|regex|html)\b",
     "Coding/Code_Generation"),
    (r"what does .*\b(code|function|program|script)\b|explain .*\b(code|function|program|snippet)\b",
     "Coding/Code_Understanding"),
    (r"\b(itinerary|schedule|timetable|calendar|agenda)\b", "Planning/Schedule_Planning"),
    (r"\b(plan (for|to|of)|step[- ]by[- ]step (plan|guide)|how (do|can|should) i)\b", "Planning/Step_Planning"),
    (r"\b(angle|triangle|circle|radius|perimeter|area of|volume of|parallel|polygon|diameter)\b",
     "Mathematics/Geometry"),
    (r"\b(solve for|equation|polynomial|inequality|derivative|integral|factor(ise|ize))\b", "Mathematics/Algebra"),
    (r"\b(mean|median|probability|variance|standard deviation|percentile)\b", "Mathematics/Statistics"),
    (r"\bhow (much|many) .*\b(left|altogether|in total|cost|remain)\b|\d+\s*[-+*/×÷]\s*\d+",
     "Mathematics/Arithmetic"),
    (r"\b(bar|line|pie|scatter) ?(chart|graph|plot)?s?\b.*\b(chart|graph|plot)|\b(chart|graph|plot|axis|legend)\b",
     "Chart_And_Table/Chart_QA"),
    (r"\b(in|from|of|to) (the|this) table\b|\btable (shows|below|above)|\b(row|column|cell)s?\b",
     "Chart_And_Table/Table_QA"),
    (r"\b(invoice|receipt|form|letter|document|page|contract|report|certificate|label)\b", "Document/Document_QA"),
    (r"\b(write|compose|invent) .*\b(poem|story|song|slogan|haiku|letter)\b", "General/Creative_Writing"),
    (r"\b(describe|caption)\b", "General/Captioning"),
)  # fmt: skip
_RULES = tuple((re.compile(pattern, re.IGNORECASE | re.DOTALL), tag) for pattern, tag in _BY_WORDS)


class Tag:
    """Adds `Domain/Subcategory` to a sample's tags.

    Args:
        keep: only these domains or tags, separated by "+"; all by default.
        judge: a model that chooses in place of the rules.
    """

    name, version = "tag", 1
    models: ClassVar = ("judge",)

    def __init__(self, keep: str = "", judge: ChatModel | None = None) -> None:
        self.keep = tuple(part for part in keep.split("+") if part)
        self.judge = judge

    def __call__(self, sample: Sample) -> Iterable[Sample | Bad]:
        tag = tag_of(sample) if self.judge is None else _chosen(self.judge, sample)
        if self.keep and tag not in self.keep and tag.split("/")[0] not in self.keep:
            return [Bad(f"tag: {tag} is none of {', '.join(self.keep)}", sample.id)]
        others = tuple(one for one in sample.tags if one not in TAGS)
        return [replace(sample, tags=(*others, tag))]


def tag_of(sample: Sample) -> str:
    """The tag by rules: the last turn's task or form, then words of the question, then what is shown."""
    task = sample.task.split("+")[-1]
    if task in _BY_TASK:
        return _BY_TASK[task]
    form = sample.form_of(len(sample.messages) - 1).partition("@")[0]
    if form in _BY_FORM:
        return _BY_FORM[form]
    if any(isinstance(part, VideoPart) for part in sample.media):
        return "Video/Video_QA"
    question = sample.question
    if "```" in question or ("```" in sample.answer and "_2d" not in sample.answer):
        return next((tag for rule, tag in _RULES[:4] if rule.search(question)), "Coding/Code_Understanding")
    for rule, tag in _RULES:
        if rule.search(question):
            return tag
    if len(sample.media) > 1:
        return "General/Multi_Image"
    return "General/Visual_QA" if sample.media else "General/Knowledge_QA"


def domain_of(sample: Sample) -> str:
    """The domain that `Tag` gave, or would give."""
    tag = next((one for one in sample.tags if one in TAGS), None) or tag_of(sample)
    return tag.split("/")[0]


def _chosen(judge: ChatModel, sample: Sample) -> str:
    return choice(judge, conversation_parts(sample.messages), "Which kind of task is this conversation?", TAGS)


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
