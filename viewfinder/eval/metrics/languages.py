"""Which language a text is in, by its script and, among Latin ones, by the commonest short words.

Enough to check "answer in German"; a text too short to tell counts as being in the language asked.
"""

import re
from collections import Counter

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
