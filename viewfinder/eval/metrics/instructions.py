"""IFEval's checks of verifiable instructions, by their official names and arguments (Zhou et al. 2023), strict.

Each check is a function of the answer and the arguments. Splitting into sentences and telling languages are done
without further libraries, which differs from the authors' code in rare cases.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

_SCRIPTS = {
    "ru": "\u0400-\u04ff",
    "bg": "\u0400-\u04ff",
    "uk": "\u0400-\u04ff",
    "ar": "\u0600-\u06ff",
    "fa": "\u0600-\u06ff",
    "ur": "\u0600-\u06ff",
    "hi": "\u0900-\u097f",
    "mr": "\u0900-\u097f",
    "ne": "\u0900-\u097f",
    "bn": "\u0980-\u09ff",
    "pa": "\u0a00-\u0a7f",
    "gu": "\u0a80-\u0aff",
    "ta": "\u0b80-\u0bff",
    "te": "\u0c00-\u0c7f",
    "kn": "\u0c80-\u0cff",
    "ml": "\u0d00-\u0d7f",
    "th": "\u0e00-\u0e7f",
    "ko": "\uac00-\ud7af",
    "ja": "\u3040-\u30ff",
    "zh": "\u4e00-\u9fff",
    "zh-cn": "\u4e00-\u9fff",
    "el": "\u0370-\u03ff",
    "he": "\u0590-\u05ff",
}
_COMMON = {
    "en": "the and of to is in that it for was with as be this are you have not",
    "de": "der die und das ist nicht ein eine zu mit den von auf für sich auch dem",
    "fr": "le la les et est des un une dans que pour pas sur avec qui au du",
    "es": "el la los y es de que en un una por con para no se las del",
    "it": "il la e di che è un una per non con le dei del sono si gli",
    "pt": "o a os e de que em um uma para não com do da se por as",
    "nl": "de het en van een is dat niet in op voor met zijn te aan ook",
    "sv": "och att det som en är av på för med inte den ett har till",
    "fi": "ja on ei se että oli hän mutta kuin ovat myös joka sen ole tai",
    "vi": "và là của có cho một được trong không các với những này người",
    "sw": "na ya wa ni kwa katika za la hii kuwa ambayo cha pia au",
    "id": "yang dan di untuk dengan ini dari tidak dalam pada adalah itu akan",
    "tr": "ve bir bu için ile da de çok olan olarak daha gibi değil",
    "pl": "i w nie na się że do jest to z jak o po ale co",
}


def is_language(text: str, language: str) -> bool:
    """Whether `text` is in a language (ISO 639-1), as far as can be told."""
    if language in _SCRIPTS:
        letters = [c for c in text if c.isalpha()]
        inside = len(re.findall(f"[{_SCRIPTS[language]}]", text))
        return not letters or inside >= 0.3 * len(letters)
    foreign = sum(len(re.findall(f"[{span}]", text)) for span in set(_SCRIPTS.values()))
    if foreign > 0.3 * sum(c.isalpha() for c in text):
        return False
    words = Counter(re.findall(r"\w+", text.lower()))
    counts = {name: sum(words[w] for w in common.split()) for name, common in _COMMON.items()}
    if language not in counts or max(counts.values()) < 3:
        return True
    return counts[language] == max(counts.values())


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
