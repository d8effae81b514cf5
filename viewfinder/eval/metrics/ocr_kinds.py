"""Scores of OCRBench v2's kinds of questions, each 0..1, as its authors define them.

Where a library of words is needed there (WordNet for METEOR, jieba for Chinese) this goes without, and says so.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any

from viewfinder.eval.metrics.edit_distance import edit_distance, normalized_edit_distance
from viewfinder.eval.metrics.regions import iou

_CHINESE = re.compile(r"[\u4e00-\u9fa5]")


def anls_or_contains(said: str, answers: Sequence[str], case: bool = False, chinese: bool = False) -> float:
    """A short answer must stand in the reply; a long one (five words, in Chinese four parts) is compared by ANLS."""
    best = 0.0
    for answer in answers:
        a, b = (_plain(t, case, chinese) for t in (str(answer), said))
        short = len(a.split(",")) < 4 if chinese else len(a.split()) < 5
        if short:
            best = max(best, float(a in b))
        else:
            similarity = 1 - normalized_edit_distance(b, a)
            best = max(best, similarity if similarity >= 0.5 else 0.0)
    return best


def _plain(text: str, case: bool, chinese: bool) -> str:
    text = text.strip().replace("\n", " ")
    text = text if case else text.lower()
    return text.replace(" ", "") if chinese else text


def count_score(said: str, answers: Sequence[str], method: str) -> float:
    """`regression`: 1 - relative error where above a half; else the answer must stand in the reply."""
    best = 0.0
    for answer in answers:
        plain = str(answer).lower().strip()
        if method == "regression":
            number = re.search(r"\d+", said)
            value, gold = int(number[0][:9]) if number else 0, int(plain)
            near = 1 - abs(value - gold) / gold if gold and 0 < value < 2 * gold else 0.0
            best = max(best, near if near > 0.5 else 0.0)
        else:
            best = max(best, float(plain in said))
    return best


_JOINTS = ("", ".", ". ", ",", ", ", "、", ";", "; ", " ", "和")


def number_words(said: str, answer: str) -> float:
    """Chosen letters in any of the usual ways of writing a list: `AB`, `A, B`, `A、B`."""
    return float(any(joint.join(answer) in said for joint in _JOINTS))


def page_score(said: str, truth: str) -> float:
    """Mean of BLEU-4, METEOR (exact matches), F1 of distinct words, and 1 - normalised edit distance."""
    words = list if _CHINESE.search(said + truth) else str.split
    hypothesis, reference = list(words(said)), list(words(truth))
    near = 1 - normalized_edit_distance(said, truth)
    return (bleu(hypothesis, reference) + meteor(hypothesis, reference) + _set_f1(hypothesis, reference) + near) / 4


def _set_f1(said: Sequence[str], truth: Sequence[str]) -> float:
    a, b = set(said), set(truth)
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def bleu(hypothesis: Sequence[str], reference: Sequence[str], order: int = 4) -> float:
    """BLEU of one sentence without smoothing (Papineni et al. 2002): 0 as soon as no n-gram of an order is shared."""
    logs = 0.0
    for n in range(1, order + 1):
        said, true = _ngrams(hypothesis, n), _ngrams(reference, n)
        shared = sum((said & true).values())
        if not shared:
            return 0.0
        logs += math.log(shared / max(1, sum(said.values()))) / order
    penalty = 0.0 if len(hypothesis) > len(reference) else 1 - len(reference) / len(hypothesis)
    return math.exp(logs + penalty)


def _ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def meteor(hypothesis: Sequence[str], reference: Sequence[str]) -> float:
    """METEOR (Banerjee and Lavie 2005) with exact, lower-cased matches: recall-weighted F and a chunk penalty."""
    said, free = [w.lower() for w in hypothesis], [w.lower() for w in reference]
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    for i in range(len(said) - 1, -1, -1):
        for j in range(len(free) - 1, -1, -1):
            if j not in taken and said[i] == free[j]:
                pairs.append((i, j))
                taken.add(j)
                break
    if not pairs:
        return 0.0
    pairs.sort()
    chunks = 1 + sum(b[0] != a[0] + 1 or b[1] != a[1] + 1 for a, b in pairwise(pairs))
    precision, recall = len(pairs) / len(said), len(pairs) / len(free)
    mean = precision * recall / (0.9 * precision + 0.1 * recall)
    return mean * (1 - 0.5 * (chunks / len(pairs)) ** 3)


def fields_score(said: Mapping[str, Any], truth: Mapping[str, Any]) -> float:
    """Share of all fields named on either side whose values are equal without case and spaces; a field's truth may
    list several accepted values, and the best combination counts."""
    accepted = {k: v if isinstance(v, list) else [v] for k, v in truth.items()}
    keys = {*said, *accepted}
    if not keys:
        return 0.0
    combinations = list(product(*accepted.values()))[:256] if accepted else [()]
    return max(
        sum(_same(said.get(k), dict(zip(accepted, values, strict=True)).get(k)) for k in keys) / len(keys)
        for values in combinations
    )


def _same(a: Any, b: Any) -> bool:
    return a is not None and b is not None and _bare(a) == _bare(b)


def _bare(value: Any) -> str:
    return str(value).lower().strip().replace("\n", " ").replace(" ", "")


def tree_similarity(said: str, truth: str) -> float:
    """1 - normalised edit distance without white space: for pages and charts, in place of a tree of Markdown."""
    a, b = re.sub(r"\s", "", said), re.sub(r"\s", "", truth)
    return 1 - edit_distance(a, b) / max(len(a), len(b)) if a or b else 1.0


def html_of_markdown(text: str) -> str:
    """A Markdown table as an HTML one; what is HTML already stays."""
    if "<table" in text:
        return text
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.strip().startswith("|")]
    rows = [row for row in rows if not all(re.fullmatch(r"\s*:?-+:?\s*", cell) for cell in row)]
    body = "".join("<tr>" + "".join(f"<td>{cell.strip()}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{body}</table>"


def spotting_score(places: Sequence[Sequence[Any]], truth: Sequence[tuple[Any, str]]) -> float:
    """F1 of lines: a place counts once, where it overlaps by half and its text is equal without case."""
    hits, used = 0, set[int]()
    for place in places:
        for j, (box, words) in enumerate(truth):
            same = str(place[4]).strip().lower() == str(words).strip().lower()
            if j not in used and same and iou(tuple(place[:4]), box) >= 0.5:
                used.add(j)
                hits += 1
                break
    return 2 * hits / (len(places) + len(truth)) if places or truth else 1.0
