"""IFEval's checks of verifiable instructions, by their official names and arguments (Zhou et al. 2023), strict.

Each check is a function of the answer and the arguments. Splitting into sentences and telling languages are done
without further libraries, which differs from the authors' code in rare cases.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from viewfinder.eval.metrics.languages import is_language

Check = Callable[[str, dict[str, Any]], bool]


def follows(name: str, response: str, arguments: dict[str, Any]) -> bool:
    """Whether a response follows one instruction; unknown names are an error of the data."""
    return CHECKS[name](response, arguments)


def _compare(value: int, relation: str, wanted: int) -> bool:
    return value < wanted if relation == "less than" else value >= wanted


def _keywords(response: str, a: dict[str, Any]) -> bool:
    return all(re.search(word, response, re.IGNORECASE) for word in a["keywords"])


def _keyword_frequency(response: str, a: dict[str, Any]) -> bool:
    return _compare(len(re.findall(a["keyword"], response, re.IGNORECASE)), a["relation"], a["frequency"])


def _forbidden(response: str, a: dict[str, Any]) -> bool:
    return not any(re.search(rf"\b{word}\b", response, re.IGNORECASE) for word in a["forbidden_words"])


def _letter_frequency(response: str, a: dict[str, Any]) -> bool:
    return _compare(Counter(response.lower())[a["letter"].lower()], a["let_relation"], a["let_frequency"])


def _sentences(response: str, a: dict[str, Any]) -> bool:
    count = len([s for s in re.split(r"(?<=[.!?])[\"')\]]*\s+", response.strip()) if s.strip()])
    return _compare(count, a["relation"], a["num_sentences"])


def _paragraphs(response: str, a: dict[str, Any]) -> bool:
    """Parted by ***; an empty one is allowed at the ends only."""
    parts = re.split(r"\s?\*\*\*\s?", response)
    empty = [i for i, part in enumerate(parts) if not part.strip()]
    if any(0 < i < len(parts) - 1 for i in empty):
        return False
    return len(parts) - len(empty) == a["num_paragraphs"]


def _words(response: str, a: dict[str, Any]) -> bool:
    return _compare(len(re.findall(r"\w+", response)), a["relation"], a["num_words"])


def _nth_first_word(response: str, a: dict[str, Any]) -> bool:
    parts = re.split(r"\n\n", response)
    kept = [p for p in parts if p.strip()]
    n = a["nth_paragraph"]
    if n > len(kept) or len(kept) != a["num_paragraphs"] or not parts[n - 1].strip():
        return False
    word = parts[n - 1].strip().split()[0].lstrip("'\"")
    return re.split(r"[.,?!'\"]", word)[0].lower() == a["first_word"].lower()


def _placeholders(response: str, a: dict[str, Any]) -> bool:
    return len(re.findall(r"\[.*?\]", response)) >= a["num_placeholders"]


def _postscript(response: str, a: dict[str, Any]) -> bool:
    marker: str = a["postscript_marker"]
    special: dict[str, str] = {"P.P.S": r"\s*p\.\s?p\.\s?s.*$", "P.S.": r"\s*p\.\s?s\..*$"}
    pattern = special.get(marker, r"\s*" + marker.lower() + r".*$")
    return bool(re.findall(pattern, response.lower(), re.MULTILINE))


def _bullets(response: str, a: dict[str, Any]) -> bool:
    stars = re.findall(r"^\s*\*[^\*].*$", response, re.MULTILINE)
    return len(stars) + len(re.findall(r"^\s*-.*$", response, re.MULTILINE)) == a["num_bullets"]


def _constrained(response: str, a: dict[str, Any]) -> bool:
    return any(f"My answer is {said}." in response for said in ("yes", "no", "maybe"))


def _highlights(response: str, a: dict[str, Any]) -> bool:
    single = [h for h in re.findall(r"\*[^\n\*]*\*", response) if h.strip("*").strip()]
    double = [h for h in re.findall(r"\*\*[^\n\*]*\*\*", response) if h.removeprefix("**").removesuffix("**").strip()]
    return len(single) + len(double) >= a["num_highlights"]


def _sections(response: str, a: dict[str, Any]) -> bool:
    splitter = re.escape(a["section_spliter"].strip())
    return len(re.split(rf"\s?{splitter}\s?\d+\s?", response)) - 1 >= a["num_sections"]


def _json(response: str, a: dict[str, Any]) -> bool:
    text = response.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip())
    except ValueError:
        return False
    return True


def _title(response: str, a: dict[str, Any]) -> bool:
    return any(title.lstrip("<").rstrip(">").strip() for title in re.findall(r"<<[^\n]+>>", response))


def _two_responses(response: str, a: dict[str, Any]) -> bool:
    parts = response.split("******")
    kept = [p for i, p in enumerate(parts) if p.strip() or 0 < i < len(parts) - 1]
    return len(kept) == 2 and all(p.strip() for p in kept) and kept[0].strip() != kept[1].strip()


def _repeat(response: str, a: dict[str, Any]) -> bool:
    return response.strip().lower().startswith(a["prompt_to_repeat"].strip().lower())


def _end(response: str, a: dict[str, Any]) -> bool:
    return response.strip().strip('"').lower().endswith(a["end_phrase"].strip().lower())


def _capital_words(response: str, a: dict[str, Any]) -> bool:
    words = [w for w in re.findall(r"[\w'-]+", response) if w.isupper()]
    return _compare(len(words), a["capital_relation"], a["capital_frequency"])


def _quotation(response: str, a: dict[str, Any]) -> bool:
    text = response.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


CHECKS: dict[str, Check] = {
    "keywords:existence": _keywords,
    "keywords:frequency": _keyword_frequency,
    "keywords:forbidden_words": _forbidden,
    "keywords:letter_frequency": _letter_frequency,
    "language:response_language": lambda response, a: is_language(response, a["language"]),
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_words": _words,
    "length_constraints:nth_paragraph_first_word": _nth_first_word,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:constrained_response": _constrained,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _json,
    "detectable_format:title": _title,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeat,
    "startend:end_checker": _end,
    "change_case:capital_word_frequency": _capital_words,
    "change_case:english_capital": lambda response, a: response.isupper() and is_language(response, "en"),
    "change_case:english_lowercase": lambda response, a: response.islower() and is_language(response, "en"),
    "punctuation:no_comma": lambda response, a: "," not in response,
    "startend:quotation": _quotation,
}
"""All twenty-five, by name."""
