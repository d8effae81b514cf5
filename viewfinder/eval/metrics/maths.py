"""Answers of mathematics: the value a worked answer arrives at, and whether two values are equal.

Equality is that of Hendrycks' MATH (`is_equiv`): LaTeX brought to one form, then compared as text; and numbers are
compared as numbers. No algebra is done: x+1 and 1+x differ, as they do there.
"""

import re

_SENTENCE = re.compile(
    r"(?:answer|result|value)\s*(?:is|:|=)\s*:?\s*\**\s*([^\n]+?)(?:\.\s|\.?\s*\Z|\n)", re.IGNORECASE
)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?")
_UNITS = ("\\text{", "\\mbox{", "\\textbf{", "\\mathrm{")


def final_value(text: str) -> str:
    """The last `\\boxed{...}`; else what follows the last "answer is"; else the last number; else the whole text.

    `final_value("so x = 3. The answer is 12.") == "12"`.
    """
    if (inside := boxed(text)) is not None:
        return inside.strip()
    stated = _SENTENCE.findall(text.strip() + "\n")
    if stated:
        return stated[-1].strip().strip("*$").rstrip(".").strip()
    numbers = _NUMBER.findall(text)
    return numbers[-1].replace(",", "") if numbers else text.strip()


def boxed(text: str) -> str | None:
    """What the last `\\boxed{...}` holds, braces balanced."""
    start = text.rfind("\\boxed")
    if start < 0:
        return None
    opening = text.find("{", start)
    if opening < 0:
        return text[start + len("\\boxed") :].split("$")[0].strip() or None
    depth = 0
    for i in range(opening, len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[opening + 1 : i]
    return None


def maths_equal(a: str, b: str) -> bool:
    """Whether two values are one, after normalisation; numbers by value.

    `maths_equal("\\\\frac12", "\\\\dfrac{1}{2}")` and `maths_equal("0.5", ".50")` hold.
    """
    first, second = normalize_maths(a), normalize_maths(b)
    if first == second:
        return True
    x, y = _as_float(first), _as_float(second)
    return x is not None and y is not None and abs(x - y) <= 1e-6 * max(1.0, abs(y))


def _as_float(text: str) -> float | None:
    plain = text.replace(",", "")
    fraction = re.fullmatch(r"(-?)\\frac\{(-?\d+)\}\{(-?\d+)\}|(-?\d+)/(\d+)", plain)
    try:
        if fraction and fraction[2]:
            return (-1 if fraction[1] else 1) * int(fraction[2]) / int(fraction[3])
        if fraction:
            return int(fraction[4]) / int(fraction[5])
        return float(plain)
    except (ValueError, ZeroDivisionError):
        return None


def normalize_maths(text: str) -> str:
    """One form for what MATH's `_strip_string` takes as equal: spaces, sizes, units, degrees, percent, `\\frac12`."""
    text = text.replace("\n", "").replace("\\!", "").replace("\\\\", "\\")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac").replace("\\left", "").replace("\\right", "")
    text = text.replace("^{\\circ}", "").replace("^\\circ", "").replace("\\$", "").replace("$", "")
    text = text.replace("\\%", "").replace("%", "").replace("\\,", "").replace("\\;", "")
    text = _without_units(text).strip().rstrip(".")
    text = re.sub(r"(^|[ {(=])\.(\d)", r"\g<1>0.\2", text)
    if len(sides := text.split("=")) == 2 and len(sides[0].strip()) <= 2:
        text = sides[1]
    text = re.sub(r"\\sqrt\s*(\w)", r"\\sqrt{\1}", text).replace(" ", "")
    text = re.sub(r"\\frac(\w)(\w)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac(\w)\{", r"\\frac{\1}{", text)
    text = "\\frac{1}{2}" if text == "0.5" else text
    return re.sub(r"^(-?\d+)/(\d+)$", lambda m: _fraction(m[1], m[2]), text)


def _fraction(numerator: str, denominator: str) -> str:
    sign = "-" if numerator.startswith("-") else ""
    return f"{sign}\\frac{{{numerator.lstrip('-')}}}{{{denominator}}}"


def _without_units(text: str) -> str:
    """A trailing `\\text{ cm}` goes; a value that is all text keeps its words."""
    for opening in _UNITS:
        at = text.rfind(opening)
        if at > 0:
            text = text[:at]
        elif at == 0 and text.endswith("}"):
            text = text[len(opening) : -1]
    return text
