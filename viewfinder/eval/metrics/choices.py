"""Letters of choices, and yes or no, as a worked answer states them.

The last thing that is stated wins: `\\boxed{}` or `<answer>`, then "the answer is", then a reply that begins or ends
with the letter, then "option C", then the one letter that stands by itself. Published scorers differ: VLMEvalKit's
`can_infer_option` gives up where several letters stand in a reply (its judge is asked then), MMMU's takes the last
one mentioned and guesses where there is none; here a reply that states nothing is None.
"""

import re

_ANSWER_TAG = re.compile(r"<answer>\s*([^<]{1,200})", re.IGNORECASE)
_ANSWER = (
    r"(?:\b(?:answer|antwort|lösung|réponse|respuesta|resposta|risposta|ответ|correct (?:option|choice|letter))"
    r"|答案|正解|答え|정답|应选|故选|應選)"
)
_NAMED = r"(?:\b(?:option|choice|choose|chose|select|pick)|选项|选择|選|选)"
_LINK = (
    r"(?:\s|\b(?:is|are|was|be|would|should|must|will|likely|most|therefore|thus|clearly|option|choice|letter|the|correct"
    r"|one|ist|est|es|é|è)\b|[-—:：=*_`\"'“”(（\[【${<>,]|\\[a-z]+|为|是|应|该|选项|选|は|는|은){0,30}?"
)
_AFTER_A = (
    "because|since|as|and|or|for|with|which|that|due|based|in|from|to|the|given|it|is|was|not|but|so|if|would|matches|,"
)
_NEGATED = re.compile(
    r"(?:\bnot|n't|\bneither|\bnor|\brather than|\binstead of|\bexcept|不是|不选|非)\W*(?:option|choice)?\W*\Z",
    re.IGNORECASE,
)
_REJECTED = re.compile(
    r"\W{0,4}(?:(?:is|was|are|seems|looks|can be|could be|must be)\s+(?:also\s+|clearly\s+|therefore\s+)?"
    r"(?:not|in?correct|wrong|false|ruled|eliminated|excluded|impossible|unlikely|a common|a distractor)"
    r"|(?:isn't|can't|cannot|won't|doesn't)|(?:选项)?(?:不正确|错误|不对|是错|被排除|不符))",
    re.IGNORECASE,
)
_CORRECT = re.compile(r"\W{0,4}is\s+(?:the\s+)?correct", re.IGNORECASE)


def choice_letter(prediction: str, letters: str = "ABCD") -> str | None:
    """The letter that a multiple-choice answer chooses; None where it states none, or several and no last word.

    `"B"`, `"(B) because"`, `"The answer is B."` give B; `"A triangle"`, `"not A"` and `"answer is a dog"` give none.
    """
    text = prediction.rpartition("</think>")[2].strip()
    if (final := _final(text)) is not None and (found := _whole(final, letters)):
        return found
    if found := _whole(text, letters):
        return found
    letter = _letter(letters)
    if found := _last(text, re.compile(_ANSWER + _LINK + letter, re.IGNORECASE)):
        return found
    if ends := re.search(rf"\n\W{{0,9}}([{letters}])\W{{0,9}}\Z", text):
        return ends[1]
    listed = [m[1] for m in re.finditer(rf"^\W{{0,6}}([{letters}])[.):：]", text, re.MULTILINE)]
    starts = re.match(
        rf"\W{{0,6}}([{letters}])(?:\W{{0,2}}[)\]】）.:：,，、*]|\W{{0,2}}\n|\s+(?=(?:{_AFTER_A})\b))", text
    )
    if starts and len(set(listed)) < 2 and not _REJECTED.match(text, starts.end(1)):
        return starts[1]
    if found := _last(text, re.compile(_NAMED + _LINK + letter, re.IGNORECASE)):
        return found
    standing = [m for m in re.finditer(letter, text) if m["upper"] and _chosen(text, m)]
    names = list(dict.fromkeys(m["upper"] for m in standing))
    if len(names) == 1:
        return names[0]
    marked = [m["upper"] for m in standing if text[m.start() - 1 : m.start()] in ("(", "[", "（") and len(names) > 1]
    return marked[-1] if marked and not listed else None


def _letter(letters: str) -> str:
    """A letter that is no part of a word; a small one only where a mark or the end follows."""
    return (
        rf"(?<![A-Za-z0-9_'’])(?-i:(?P<upper>[{letters}])|(?P<lower>[{letters.lower()}])(?=\s?(?:[)\]}}.:;*_\"'”’】）。，$]|\Z)))"
        r"(?![A-Za-z0-9_]|['’.][A-Za-z]|-\w)"
    )


def _final(text: str) -> str | None:
    """What the last box or answer tag holds."""
    from viewfinder.eval.metrics.maths import boxed

    tags = _ANSWER_TAG.findall(text)
    return boxed(text) or (tags[-1] if tags else None)


def _whole(text: str, letters: str) -> str | None:
    """The letter that a short text is, alone or before an option's words: `(b)`, `\\text{D}`, `C. a cat`."""
    alone = re.fullmatch(rf"(?:\\[a-z]+|option|\W|_)*([{letters}{letters.lower()}])(?:\W|_)*", text[:40], re.IGNORECASE)
    if alone and len(text) <= 40:
        return alone[1].upper()
    before = re.match(rf"(?:\\[a-z]+\{{|[({{\s])*([{letters}])\}}?[.):]\s", text) if "\n" not in text else None
    return before[1] if before and len(text) < 200 and not _REJECTED.match(text, before.end(1)) else None


def _last(text: str, pattern: re.Pattern[str]) -> str | None:
    found = [m for m in pattern.finditer(text) if _chosen(text, m)]
    return (found[-1]["upper"] or found[-1]["lower"]).upper() if found else None


def _chosen(text: str, match: re.Match[str]) -> bool:
    """Whether a letter is one, and is meant: no article (`A triangle`), no pronoun, not what is turned down."""
    start, end = match.span("upper" if match["upper"] else "lower")
    if match["upper"] in ("A", "I") and re.match(rf"\s+(?!(?:{_AFTER_A})\b)[a-z]", text[end : end + 20]):
        return False
    if _NEGATED.search(text[max(0, start - 24) : start]) or _NEGATED.search(
        text[max(0, match.start() - 24) : match.start()]
    ):
        return False
    return not (_REJECTED.match(text, end) and not _CORRECT.match(text, end))


_STATED = re.compile(r"(?:answer|conclusion)\s*(?:is|:)?\W{0,10}(yes|no)\b", re.IGNORECASE)
_WORD = re.compile(r"(?<![a-z])(?:yes|no)(?![a-z])", re.IGNORECASE)
_CHINESE = re.compile(r"\W*(?:(不是|不|没有|否|错)|(是|对|有))")


def yes_or_no(prediction: str) -> str | None:
    """ "Yes" or "No": what is stated as the answer, else the first of the two words; marks and quotes do not matter."""
    text = prediction.rpartition("</think>")[2]
    stated = _STATED.findall(_final(text) or "") or _WORD.findall(_final(text) or "") or _STATED.findall(text)
    words = stated[-1:] or _WORD.findall(text)[:1]
    if words:
        return words[0].capitalize()
    chinese = _CHINESE.match(text)
    return None if chinese is None else "No" if chinese[1] else "Yes"
