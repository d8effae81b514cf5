"""Which language a text is in, as far as letters and little words tell, and where it changes in the middle.

Enough to see an answer wander from German into Chinese or English; no model and no download. Scripts decide between
most languages; the commonest words decide among those in Latin letters.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

_COMMONEST = {
    "en": "the of and to in is that it for was on are as with his they at be this from have or by had not but what "
    "all were when we there can an your which their if will each about how then them these so",
    "de": "der die das und ist in zu den von mit auf für nicht ein eine einer eines dem des sich auch es an als bei "
    "wird sind aus nach wie oder aber noch nur so wenn über man zum zur im am war hat sie er wir",
    "fr": "le la les de des et est en un une du dans que qui pour pas au sur par plus ce il elle sont avec ne se "
    "nous vous mais ou où leur aux cette ces très comme tout",
    "es": "el la los las de y en que un una es por con para no se del al lo como más pero sus su o este esta son ya "
    "cuando muy sin sobre también fue hay donde todo nos",
    "it": "il lo la i gli le di e che un una è in per con non si della dei delle al alla da dal sono come più ma "
    "anche su nel nella questo questa ed o se ha loro",
    "pt": "o a os as de e que um uma é em por com para não se do da dos das no na nos nas ao à como mais mas também "
    "são foi ou seu sua pelo pela este esta isso há",
}
LITTLE_WORDS = {name: frozenset(words.split()) for name, words in _COMMONEST.items()}
_SCRIPT_LANGUAGE = {
    "CYRILLIC": "ru",
    "ARABIC": "ar",
    "HANGUL": "ko",
    "HAN": "zh",
    "KANA": "ja",
    "THAI": "th",
    "DEVANAGARI": "hi",
    "HEBREW": "he",
    "GREEK": "el",
}
_QUOTED = re.compile(r'```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|"[^"]*"|“[^”]*”|「[^」]*」|«[^»]*»|<[^>]*>', re.DOTALL)
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
_WORD = re.compile(r"[^\W\d_]+")


def scripts(text: str) -> Counter[str]:
    """How many letters of each script: LATIN, HAN, KANA, HANGUL, CYRILLIC, ARABIC, ..."""
    return Counter(script for letter in text if (script := _script(letter)))


@lru_cache(maxsize=65536)
def _script(letter: str) -> str:
    if not letter.isalpha():
        return ""
    name = unicodedata.name(letter, "")
    if name.startswith("CJK"):
        return "HAN"
    if name.startswith(("HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA")):
        return "KANA"
    return name.partition(" ")[0]


def language_of(text: str) -> str:
    """ISO 639-1 of a text; "" where nothing tells (numbers, names, a few words).

    `language_of("Der Kasten ist rot und steht auf dem Tisch.") == "de"`.
    """
    found = scripts(text)
    if not found:
        return ""
    if found["KANA"] > 0.1 * (found["HAN"] + found["KANA"]):
        found["KANA"] += found.pop("HAN", 0)
    script = found.most_common(1)[0][0]
    if script != "LATIN":
        return _SCRIPT_LANGUAGE.get(script, "")
    words = [word.lower() for word in _WORD.findall(text)]
    votes = {name: sum(word in little for word in words) for name, little in LITTLE_WORDS.items()}
    best, second = sorted(votes.values(), reverse=True)[:2]
    if best < 2 or best < 0.12 * len(words) or best == second:
        return ""
    return max(votes, key=votes.__getitem__)


def prose(text: str) -> str:
    """A text without quotations, code, formulas and tags."""
    return _QUOTED.sub(" ", text)


def switches(text: str, expected: str = "") -> float:
    """Share of a text's letters that are in another language than `expected` (or than most of it), 0..1.

    Quotations, code and formulas are left out: a text may cite what a picture says in any language.
    """
    text = prose(text)
    expected = expected or language_of(text)
    if not expected:
        return 0.0
    letters = other = 0
    for sentence in _SENTENCE.findall(text):
        found = scripts(sentence)
        count = found.total()
        letters += count
        language = language_of(sentence)
        if language and language != expected and {language, expected} != {"zh", "ja"}:
            other += count
        elif found and expected in ("en", *LITTLE_WORDS):
            other += count - found["LATIN"]
    return other / letters if letters else 0.0
