"""The text layer of a digital PDF against what a model read: agreement per element, and correction on request.

A word of the layer belongs to the smallest element whose box holds its centre. Words are compared after
compatibility folding (ligatures, kinds of quotes, dashes and spaces), without leader dots and without the hyphen
at the end of a line; order counts in prose and not in tables and lists, whose words stand in another order in many
files. A layer that is itself garbage is not believed, and words where there is more ink than the layer's words
cover are never taken away.

    read    Total due: 1O5.00          agreement 2/3, differences (("1O5.00", "105.00"),)
    layer   Total due: 105.00
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING, Any

from viewfinder.outputs.document.contents import contents_of, map_contents
from viewfinder.outputs.document.elements import Chart, Element, Image, ListBlock, Picture, Table
from viewfinder.outputs.document.html_inline import escape, unescape
from viewfinder.outputs.place import Corners

if TYPE_CHECKING:  # brings the reader of PDFs
    from viewfinder.media.document import Word

_MAX_DIFFERENCES = 40
_WORD = re.compile(r"<[^>]*>|\$\$.*?\$\$|\$[^$]*\$|[^\s<$]+", re.DOTALL)
_LEADER = re.compile(r"[.·…‥_]{3,}$|^[.·…‥_]+$")
_FOLDED = str.maketrans("‘’‚“”„‐‑‒–—−\u00a0", "'''\"\"\"------ ", "\u00ad\u200b\u200c\u200d\ufeff")

Inked = Callable[[Corners, Sequence[Corners]], bool]


@dataclass(frozen=True)
class Check:
    """One element beside the text layer, or words of the layer that no element holds.

    Attributes:
        element: its place on the page, from 0; None for words that no element holds.
        agreement: share of words that are the same, 0..1; None where there is nothing to compare.
        layer: the words of the text layer there, where they differ.
        differences: (read, layer) where they differ, at most 40.
        box: of words that no element holds, in original pixels.
        corrected: the element now has the words of the layer.
        empty: the element has words, and nothing is drawn in its box.
    """

    element: int | None
    agreement: float | None = None
    layer: str = ""
    differences: tuple[tuple[str, str], ...] = ()
    box: Corners | None = None
    corrected: bool = False
    empty: bool = False

    @property
    def disagrees(self) -> bool:
        return self.element is None or self.empty or (self.agreement is not None and self.agreement < 1)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what says nothing is left out."""
        values: dict[str, Any] = {
            "agreement": self.agreement,
            "layer": self.layer,
            "differences": [list(pair) for pair in self.differences],
            "box": None if self.box is None else list(self.box),
            "corrected": self.corrected,
            "empty": self.empty,
        }
        return {
            "element": self.element,
            **{key: value for key, value in values.items() if value not in (None, "", [], False)},
        }

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Check:
        """The inverse of `to_dict`."""
        box = raw.get("box")
        return cls(
            element=raw["element"],
            agreement=raw.get("agreement"),
            layer=raw.get("layer", ""),
            differences=tuple((str(read), str(layer)) for read, layer in raw.get("differences", ())),
            box=None if box is None else (box[0], box[1], box[2], box[3]),
            corrected=raw.get("corrected", False),
            empty=raw.get("empty", False),
        )


def layer_is_sound(words: Sequence[Word]) -> bool:
    """Whether a text layer can be believed: fonts without a table of letters give private or unknown ones."""
    letters = "".join(word.text for word in words)
    odd = sum(unicodedata.category(letter) in ("Co", "Cn", "Cc", "Cs") or letter == "\ufffd" for letter in letters)
    return bool(letters) and odd <= 0.05 * len(letters)


def check_elements(elements: Sequence[Element], words: Sequence[Word]) -> list[Check]:
    """What the layer says of each element that has words, then the words that no element holds."""
    held, loose = _assigned(elements, words)
    checks = [_check(i, element, held.get(i, [])) for i, element in enumerate(elements)]
    return [check for check in checks if check is not None] + _loose(loose)


def correct_elements(
    elements: Sequence[Element], words: Sequence[Word], inked: Inked
) -> tuple[tuple[Element, ...], list[Check]]:
    """Elements with the words of the layer where they differed and could be put in place, and the checks.

    Tags and formulas inside a text stay. In tables and lists only words that stand for words are replaced;
    a check that is not `corrected` still differs. `inked(box, others)` says whether anything is drawn in a box but
    outside of other boxes: then the layer does not hold all that can be read, and nothing is taken away.
    """
    held, loose = _assigned(elements, words)
    result: list[Element] = []
    checks: list[Check] = []
    for i, element in enumerate(elements):
        check = _check(i, element, held.get(i, []))
        if check is not None:
            if check.disagrees and held.get(i):
                assert element.box is not None
                whole = not inked(element.box, [word.box for word in held[i]])
                element = _corrected(element, _joined_hyphens(held[i], element), whole)
                after = _check(i, element, held[i])
                fixed = after is not None and not after.disagrees
                check = Check(i, check.agreement, check.layer, check.differences, corrected=fixed)
            checks.append(check)
        result.append(element)
    return tuple(result), checks + _loose(loose)


def fold(word: str) -> str:
    """A word as it is compared: ligatures opened, quotes and dashes of one kind."""
    return unicodedata.normalize("NFKC", word).translate(_FOLDED)


def _assigned(elements: Sequence[Element], words: Sequence[Word]) -> tuple[dict[int, list[Word]], list[Word]]:
    boxes = [(i, element.box) for i, element in enumerate(elements) if element.box is not None]
    held: dict[int, list[Word]] = {}
    loose: list[Word] = []
    for word in words:
        x, y = (word.box[0] + word.box[2]) / 2, (word.box[1] + word.box[3]) / 2
        around = [(_area(box), i) for i, box in boxes if box[0] <= x <= box[2] and box[1] <= y <= box[3]]
        if around:
            held.setdefault(min(around)[1], []).append(word)
        else:
            loose.append(word)
    return held, loose


def _area(box: Corners) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _check(i: int, element: Element, words: Sequence[Word]) -> Check | None:
    """None where there is nothing to compare: no words, or a notation."""
    read = [word for content in contents_of(element) for word, _, _ in _words(content)]
    if isinstance(element, Picture) and not _has_words_of_the_page(element):
        return None
    layer = _joined_hyphens(words, element)
    if not read and not layer:
        return None
    said = " ".join(layer)
    if not layer:
        return Check(i, 0.0, "", tuple((word, "") for word in read[:_MAX_DIFFERENCES]))
    if "".join(read) == "".join(layer):  # kerning makes a layer of some files part words
        return Check(i, 1.0)
    if _has_math(element):
        found = sum((Counter(read) & Counter(layer)).values())
        return Check(i, found / len(read) if read else None, said if found < len(read) else "")
    return _compared(i, read, layer, said, ordered=not isinstance(element, Table | ListBlock | Chart))


def _has_words_of_the_page(element: Picture) -> bool:
    return isinstance(element, Chart) or (isinstance(element, Image) and element.role == "ocr")


def _has_math(element: Element) -> bool:
    return any("$" in content for content in contents_of(element))


def _compared(i: int, read: list[str], layer: list[str], said: str, ordered: bool) -> Check:
    if not ordered:
        same = sum((Counter(read) & Counter(layer)).values())
        only_read, only_layer = Counter(read) - Counter(layer), Counter(layer) - Counter(read)
        pairs = [(word, "") for word in only_read.elements()] + [("", word) for word in only_layer.elements()]
        if not pairs:
            return Check(i, 1.0)
        return Check(i, 2 * same / (len(read) + len(layer)), said, tuple(pairs[:_MAX_DIFFERENCES]))
    matcher = SequenceMatcher(None, read, layer, autojunk=False)
    differences = tuple(
        (" ".join(read[a:b]), " ".join(layer[c:d])) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal"
    )
    return Check(i, matcher.ratio(), said, differences[:_MAX_DIFFERENCES])


def _joined_hyphens(words: Sequence[Word], element: Element) -> list[str]:
    """The layer's words without leader dots; two that a line end has parted are one, spelled as the reading does."""
    read = {word for content in contents_of(element) for word, _, _ in _words(content)}
    texts = [folded for word in words if (folded := _LEADER.sub("", fold(word.text).strip()))]
    joined: list[str] = []
    for text in texts:
        if joined and joined[-1].endswith("-") and joined[-1] not in read:
            joined[-1] = _likelier(joined[-1][:-1] + text, joined[-1] + text, read)
        else:
            joined.append(text)
    return joined


def _likelier(whole: str, hyphened: str, read: set[str]) -> str:
    """A parted word with or without its hyphen: as it was read, or as is nearer to anything read."""
    for spelling in (whole, hyphened):
        if spelling in read:
            return spelling
    nearest = get_close_matches(hyphened, read, 1)
    return hyphened if nearest and "-" in nearest[0] else whole


def _words(content: str) -> Iterator[tuple[str, int, int]]:
    """Folded words of a content and where they stand; tags and formulas are none."""
    for match in _WORD.finditer(content):
        if match.group()[0] in "<$":
            continue
        word = fold(unescape(match.group())).strip()
        if text := _LEADER.sub("", word):
            yield text, match.start(), match.end()


def _loose(words: Sequence[Word]) -> list[Check]:
    """Words that no element holds, line by line: a new line where the next word is not beside the last."""
    lines: list[list[Word]] = []
    for word in words:
        last = lines[-1][-1].box if lines else None
        height = word.box[3] - word.box[1]
        beside = (
            last is not None and abs(last[1] - word.box[1]) < height and -height < word.box[0] - last[2] < 4 * height
        )
        if beside:
            lines[-1].append(word)
        else:
            lines.append([word])
    checks: list[Check] = []
    for line in lines:
        x1, y1, x2, y2 = zip(*(word.box for word in line), strict=True)
        text = " ".join(fold(word.text) for word in line)
        checks.append(Check(None, 0.0, text, box=(min(x1), min(y1), max(x2), max(y2))))
    return checks


def _corrected(element: Element, layer: list[str], whole: bool) -> Element:
    """`whole` says that the layer holds all words there, so that others may go."""
    contents = contents_of(element)
    places = [(c, word, start, end) for c, content in enumerate(contents) for word, start, end in _words(content)]
    edits: dict[int, list[tuple[int, int, str]]] = {}
    prose = not isinstance(element, Table | ListBlock | Chart) and not _has_math(element)
    opcodes = SequenceMatcher(None, [word for _, word, _, _ in places], layer, autojunk=False).get_opcodes()
    for kind, a, b, c, d in opcodes:
        if kind == "replace" and b - a == d - c:
            for (container, _, start, end), word in zip(places[a:b], layer[c:d], strict=True):
                edits.setdefault(container, []).append((start, end, escape(word)))
        elif (
            prose
            and (whole or kind == "insert")
            and kind != "equal"
            and (edit := _prose_edit(contents, places, a, b, layer[c:d]))
        ):
            edits.setdefault(edit[0], []).append(edit[1:])
    changed = iter(_edited(content, edits.get(c, [])) for c, content in enumerate(contents))
    return map_contents(element, lambda _: next(changed))


def _prose_edit(
    contents: list[str], places: list[tuple[int, str, int, int]], a: int, b: int, words: list[str]
) -> tuple[int, int, int, str] | None:
    """Another number of words in the place of words `a:b`, where no tag stands between them."""
    said = escape(" ".join(words))
    if a == b:  # words that the reading has not: behind the word before, or in front of all
        if not places:
            return (0, 0, 0, said) if contents and "<" not in contents[0] else None
        container, _, start, end = places[a - 1] if a else places[0]
        return (container, end, end, f" {said}") if a else (container, start, start, f"{said} ")
    container, _, start, _ = places[a]
    end = places[b - 1][3]
    if places[b - 1][0] != container or "<" in contents[container][start:end]:
        return None
    return container, start, end, said


def _edited(content: str, edits: list[tuple[int, int, str]]) -> str:
    for start, end, text in sorted(edits, reverse=True):
        content = content[:start] + text + content[end:]
    return re.sub(r" {2,}", " ", content) if edits else content
