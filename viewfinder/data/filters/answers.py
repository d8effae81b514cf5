"""What can be wrong with an answer without knowing the right one: cut off, badly formed, repeating itself, evasive.

Each rule takes a sample and gives the reason, or None. `tagging.Sft` chooses rules by domain.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from viewfinder.data.filters.languages import language_of, prose, switches
from viewfinder.data.filters.text_quality import repetition
from viewfinder.data.place_marks import rewrite_places
from viewfinder.data.places import FORMS
from viewfinder.data.sample import Sample
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, Message
from viewfinder.outputs.actions import parse_action
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.document.document import Page
from viewfinder.outputs.points import parse_points

Rule = Callable[[Sample], str | None]
_REFUSAL = re.compile(
    r"\b(as an ai|as a language model|i('m| am) (sorry|unable)|i can(no|')t (help|assist|see|view|provide|answer)"
    r"|i do not have (access|the ability)|无法回答|作为(一个)?(人工智能|AI))",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"lorem ipsum|\bTODO\b|\[(insert|your|placeholder)[^\]]*\]|\{\{.*?\}\}|<unk>|\ufffd", re.IGNORECASE
)
_END = re.compile(r"[.!?:;)\]}>\"'”’`。！？）】」…*|\d]\s*\Z")
_FRAGMENT = re.compile(
    r"(,|\b(the|a|an|of|and|to|in|is|are|with|for|that|as|or|but|und|der|die|das|et|de|la|le|el|y))\s*\Z", re.IGNORECASE
)
_LISTED = re.compile(r"\A```json\n\[.*\]\n```", re.DOTALL)
_NUMBER = re.compile(r"\d|\b(no|none|zero|one|two|three|four|five|six|seven|eight|nine|ten|many|several|few)\b")
_SLACK = 1.0


def empty(sample: Sample) -> str | None:
    """An assistant turn says nothing (drawn pictures without text are read as nothing on purpose)."""
    if sample.domain == "synthetic":
        return None
    nothing = any(not m.text.strip() and not m.tool_calls for m in _answers(sample))
    return "an answer is empty" if nothing else None


def repeats(sample: Sample) -> str | None:
    """An answer repeats itself: whole phrases again, the same entry of a list again, one line over and over."""
    for message in _answers(sample):
        words = re.findall(r"\w+|[^\w\s]", message.text)
        if "bbox_2d" not in message.text and "point_2d" not in message.text and repetition(words, 8) > 0.35:
            return "an answer repeats itself"
        lines = [line.strip(" \t,") for line in message.text.splitlines() if len(line.strip()) > 12]
        most = Counter(lines).most_common(1)
        if most and most[0][1] > max(3, 0.3 * len(lines)):
            return f"a line stands {most[0][1]} times in an answer"
        if most and most[0][1] > 1 and re.search(r'"(bbox|point)_2d"', most[0][0]):
            return "a place stands twice in an answer"
    return None


def truncated(sample: Sample) -> str | None:
    """An answer breaks off: an open fence, bracket, tag or formula, or prose without an end."""
    for message in _answers(sample):
        text = message.text.rstrip()
        if text.count("```") % 2:
            return "a fenced block is not closed"
        if text.count("$$") % 2:
            return "a formula is not closed"
        if "<html" in text and "</html>" not in text:
            return "a page is not closed"
        if "<tool_call>" in text and "</tool_call>" not in text:
            return "a call is not closed"
        if text.startswith(("[", "{")) and not text.endswith(("]", "}")):
            return "a list is not closed"
        prose = "```" not in text and "<" not in text and "|" not in text
        words = text.split()
        if prose and "\n" not in text and len(words) >= 3 and _FRAGMENT.search(text):
            return "an answer ends in the middle of a sentence"
        if prose and len(words) > 25 and not _END.search(text):
            return "a long answer has no end"
    return None


def malformed(sample: Sample) -> str | None:
    """An answer is not of the form it is said to have, or places something outside what is shown."""
    for i, message in enumerate(sample.messages):
        name, _, number = sample.form_of(i).partition("@")
        medium = int(number) if number else 0
        if message.role != "assistant" or not name:
            continue
        if name not in FORMS or medium >= len(sample.media):
            return f"the form {name!r} is unknown or names a medium that is not there"
        part = sample.media[medium]
        if isinstance(part, ImagePart):
            reason = _check_form(name, message.text, Transform.identity(load_image(part.image).size))
            if reason is not None:
                return reason
    return None


def _check_form(name: str, text: str, transform: Transform) -> str | None:
    if name in ("boxes", "points"):
        if not _LISTED.search(text) and "```json" not in text:
            return f"an answer of {name} holds no list"
        found = parse_boxes(text, transform) if name == "boxes" else parse_points(text, transform)
        entries = len(re.findall(r'"(?:bbox|point)_2d"', text))
        if len(found) != entries or (not entries and "[]" not in text):
            return f"a list of {name} cannot be read"
        if any(one.clamped for one in found) and _outside(text, transform.original_size):
            return "a place lies outside its picture"
        if name == "boxes" and any(box.area <= 0 for box in parse_boxes(text, transform)):
            return "a box is empty"
    elif name == "plain boxes":
        boxes = parse_boxes(text, transform)
        if len(boxes) != len(text.splitlines()) or any(box.clamped for box in boxes):
            return "a list of plain boxes cannot be read, or one lies outside its picture"
    elif name == "inline" and _outside(text, transform.original_size):
        return "a place lies outside its picture"
    elif name == "marked":
        try:
            rewrite_places(text, transform, transform)
        except ViewfinderError as error:
            return str(error)
    elif name == "html" and not Page.from_html(text, transform).elements:
        return "a page holds no elements"
    elif name == "action":
        try:
            if parse_action(text, transform).clamped:
                return "an action lies outside its screen"
        except ViewfinderError as error:
            return str(error)
    return None


def _outside(text: str, size: tuple[int, int]) -> bool:
    for match in re.finditer(r'_2d"\s*:\s*\[([^\[\]]*)\]', text):
        try:
            numbers = [float(value) for value in match[1].split(",")]
        except ValueError:
            return True
        if any(not -_SLACK <= value <= size[i % 2] + _SLACK for i, value in enumerate(numbers)):
            return True
    return False


def refuses(sample: Sample) -> str | None:
    """An answer is a refusal and little else."""
    refused = any(len(m.text) < 400 and _REFUSAL.search(m.text[:120]) for m in _answers(sample))
    return "an answer refuses" if refused else None


def unfilled(sample: Sample) -> str | None:
    """An answer was never filled in."""
    return "an answer holds a placeholder" if any(_PLACEHOLDER.search(m.text) for m in _answers(sample)) else None


def unrelated(sample: Sample) -> str | None:
    """An answer is of another shape than its question asks for: a page, a place, a number, a time, an object, words."""
    for i, (question, answer) in enumerate(pairwise(sample.messages)):
        if question.role != "user" or answer.role != "assistant":
            continue
        asked, shape = question.text.lower(), _shape(answer)
        for pattern, allowed in _WANTED:
            if pattern.search(asked):
                if shape not in allowed and not (shape == "words" and _NOTHING.search(answer.text)):
                    return f"{' or '.join(allowed)} was asked for, the answer is {shape}"
                break
        else:
            hinted = _HINT.search(asked) or sample.form_of(i + 1) or language_of(asked) not in ("", "en")
            if shape in ("places", "page", "call") and not hinted:
                return f"the answer is {shape}, which was not asked for"
        if "in the format:" in asked and not _is_json(answer.text):
            return "an object was asked for and the answer is none"
        if re.match(r"\s*how many\b", asked) and not _NUMBER.search(answer.text.lower()):
            return "a number was asked for and none is there"
        if "when does" in asked and not re.search(r"\d|not occur|never", answer.text):
            return "a time was asked for and none is there"
    return None


_WANTED = tuple(
    (re.compile(pattern), allowed)
    for pattern, allowed in (
        (r"qwenvl html", ("page",)),
        (r"coordinates? in json|key points in json|with line-level, and output in json", ("places",)),
        (r"only the text content", ("words", "plain boxes")),
        (r"in the format:", ("object", "places")),
        (r"in json format", ("places", "object")),
    )
)
_HINT = re.compile(
    r"json|html|box|coordinat|where|locat|point|detect|find|mark|spot|table|chart|parse|xml|region|outline"
)
_NOTHING = re.compile(r"\b(no|none|not|nothing|null)\b", re.IGNORECASE)


def _shape(message: Message) -> str:
    text = message.text
    if "<tool_call>" in text or message.tool_calls:
        return "call"
    if re.search(r"<(html|body)\b|data-bbox=", text):
        return "page"
    if re.search(r'"(bbox|point)_2d"|<points? ', text) or re.fullmatch(
        r"\s*```json\s*\[\s*\]\s*```.*", text, re.DOTALL
    ):
        return "places"
    if re.match(r"\d+,\d+,\d+,\d+ ", text):
        return "plain boxes"
    return "object" if text.lstrip("`json \n").startswith(("{", "[")) else "words"


def _is_json(text: str) -> bool:
    match = re.search(r"```(?:json)?\s*(.*?)```", text, re.DOTALL)
    try:
        json.loads(match[1] if match else text)
    except ValueError:
        return False
    return True


def other_language(sample: Sample) -> str | None:
    """A long answer is in another language than its question, or changes it in the middle."""
    for question, answer in pairwise(sample.messages):
        if question.role != "user" or answer.role != "assistant" or len(answer.text) < 60:
            continue
        asked, said = language_of(question.text), language_of(prose(answer.text))
        if asked and said and asked != said and not re.search(r"translat|in \w+ish|auf \w+", question.text.lower()):
            return f"asked in {asked}, answered in {said}"
        if switches(answer.text) > 0.25:
            return "an answer changes its language"
    return None


def _answers(sample: Sample) -> list[Message]:
    return [message for message in sample.messages if message.role == "assistant"]
