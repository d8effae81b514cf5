"""Answers of mathematics: the value a worked answer arrives at, and whether two values are equal.

Equality is that of Hendrycks' MATH (`is_equiv`): LaTeX brought to one form, then compared as text; and numbers are
compared as numbers. No algebra is done: x+1 and 1+x differ, as they do there. Differences from `is_equiv`, which
knows none of these: numbers by value, thousands separators (`1,000`, `1{,}000`, `1\\,000`, `1 000`), mixed numbers,
powers of ten, typographic minus and spaces, indexed roots.
"""

import re

_STATED = re.compile(r"(?:answer|result|value)\s{0,9}(?:is|:|=)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"\.(?:\s|\Z)")
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?"
_NUMBER = re.compile(rf"(?<![\d.])-?{_DIGITS}(?:/\d+)?")
_WORTH = re.compile(rf"-?(?:{_DIGITS}|\.\d+)\.?(?:[eE][-+]?\d{{1,4}})?")
_POWER = re.compile(
    rf"(?:(-?(?:{_DIGITS}|\.\d+))\s*(?:\\times|\\cdot|×|·|\*|x)\s*)?10\s*\^\s*(?:\{{\s*(-?\d{{1,4}})\s*\}}|(-?\d))"
)
_INTEGER = r"(?:\{\s*(-?\d+)\s*\}|(\d))"
_FRACTION = re.compile(rf"(-?)\s*(?:(\d+)\s*(?=\\)|(\d+)\s+)?(?:\\frac\s*{_INTEGER}\s*{_INTEGER}|(\d+)\s*/\s*(\d+))")
_ONE_FORM = str.maketrans(
    {
        **dict.fromkeys("−–﹣－", "-"),
        **dict.fromkeys("\u00a0\u2005\u2006\u2007\u2009\u200a\u202f\u3000", " "),
        "，": ",",
    }
)
_GROUPED_BY_SPACE = re.compile(r"(?<=\d)(?:\\,|\\ | )(?=\d{3}(?!\d))")
_UNITS = ("\\text{", "\\mbox{", "\\textbf{", "\\mathrm{")


def final_value(text: str) -> str:
    """The last `\\boxed{...}`; else what follows the last "answer is"; else the last number; else the whole text.

    `final_value("so x = 3. The answer is 12.") == "12"`.
    """
    if (inside := boxed(text)) is not None:
        return inside.strip()
    text = one_form(text)
    stated = [match.end() for match in _STATED.finditer(text)]
    said = text[stated[-1] :].split("\n", 1)[0] if stated else ""
    if said := _SENTENCE_END.split(said, maxsplit=1)[0].strip(" \t:*$"):
        return said
    numbers = _NUMBER.findall(text)
    return numbers[-1].replace(",", "") if numbers else text.strip()


def one_form(text: str) -> str:
    """Typographic minus signs and spaces as their authors mean them: `−5` is -5, a thin space is a space."""
    return text.translate(_ONE_FORM)


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

    `maths_equal("\\\\frac12", "\\\\dfrac{1}{2}")`, `maths_equal("0.5", ".50")` and `maths_equal("1,000", "1000")` hold,
    `maths_equal("1,2", "12")` does not.
    """
    if normalize_maths(a) == normalize_maths(b):
        return True
    x, y = _as_float(_spelled(a)), _as_float(_spelled(b))
    if x is None or y is None or (x.is_integer() and y.is_integer()):
        return x is not None and x == y  # 1000001 is not 1000000
    return abs(x - y) <= 1e-6 * max(1.0, abs(y))


def read_number(text: str) -> float | None:
    """The one number that a stated value is, its unit and currency aside; None where there is none, or several.

    `read_number("about $1,400 per year") == 1400`; `read_number("3 \\\\times 4 = 12 cm") == 12`.
    """
    text = _spelled(text.rsplit("=", 1)[-1])
    if (value := _as_float(text)) is not None:
        return value
    numbers = _NUMBER.findall(text)
    return _as_float(numbers[0]) if len(numbers) == 1 else None


def _as_float(text: str) -> float | None:
    """The value of a number, a fraction, a mixed number or a power of ten."""
    if _WORTH.fullmatch(text):
        return float(text.replace(",", ""))
    if power := _POWER.fullmatch(text):
        return float(f"{(power[1] or '1').replace(',', '')}e{power[2] or power[3]}")
    if (fraction := _FRACTION.fullmatch(text)) is None:
        return None
    sign, whole, spaced, *parts = fraction.groups()
    top, bottom = (float(part) for part in parts if part is not None)
    return None if bottom == 0 else (-1 if sign else 1) * (float(whole or spaced or 0) + top / bottom)


def _spelled(text: str) -> str:
    """What authors write for the same in one spelling, spaces kept."""
    text = one_form(text.replace("\n", "")).replace("\\!", "").replace("\\\\", "\\").replace("{,}", ",")
    text = _GROUPED_BY_SPACE.sub("", text)
    text = text.replace("tfrac", "frac").replace("dfrac", "frac").replace("\\left", "").replace("\\right", "")
    text = text.replace("^{\\circ}", "").replace("^\\circ", "").replace("\\$", "").replace("$", "")
    text = text.replace("\\%", "").replace("%", "").replace("\\,", "").replace("\\;", "")
    text = _without_units(text).strip().rstrip(".")
    text = re.sub(r"(^|[ {(=])\.(\d)", r"\g<1>0.\2", text)
    sides = text.split("=")
    return sides[1].strip() if len(sides) == 2 and len(sides[0].strip()) <= 2 else text


def normalize_maths(text: str) -> str:
    """One form for what MATH's `_strip_string` takes as equal: spaces, sizes, units, degrees, percent, `\\frac12`."""
    text = re.sub(r"(\d) +(\d+/\d+)", r"\1+\2", _spelled(text))  # 2 1/2 is not 21/2
    text = re.sub(r"\\sqrt *(\[[^\[\]]*\])? *(\w)", r"\\sqrt\1{\2}", text).replace(" ", "")
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
