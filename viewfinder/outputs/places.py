"""Places in a text: boxes, points and polygons in every spelling that models and data sets use.

Marked places say that they are places: a JSON key (`bbox_2d`, `point_2d`, `coordinate` ...), a tag (`<points x1=...>`,
`<|box_start|>`, `<point>`, `data-bbox`), an argument (`start_box=`, `click(x=1, y=2)`). Bare places are only numbers,
`x1,y1,x2,y2 label` or `cat: [1, 2, 3, 4]`; they are read where the caller asks for them and nothing is marked, for
`[1990, 2000]` is mostly no place. Every place has the characters of its numbers, so that they can be rewritten.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from html import unescape

from viewfinder.outputs.coordinates import NUMBER, Expected, PlaceKind, Run, find_runs, is_grouped, read_block, to_float
from viewfinder.outputs.loose_json import FoundObject, JsonObject, JsonValue, outermost, read_objects
from viewfinder.outputs.place_labels import line_label, line_start, object_label

_SURE = ("bbox_2d", "bbox", "box_2d", "bounding_box", "point_2d")
"""Keys that are places whatever they hold; the others only with numbers and nothing else."""
_EXPECTED: dict[str, Expected] = {
    **dict.fromkeys((*_SURE, "box", "bboxes", "boxes", "start_box", "end_box"), "box"),
    **dict.fromkeys(("point_2d", "point", "coordinate", "coordinate2", "start_point", "end_point"), "point"),
    **dict.fromkeys(("points", "points_2d", "coordinates"), "points"),
    **dict.fromkeys(("polygon", "poly", "quad"), "polygon"),
}
_NUMERIC = re.compile(r"[\s\d.,，()\[\]eE+−-]*")
_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_SIZED = (("left", "top", "width", "height"), ("x", "y", "width", "height"), ("x", "y", "w", "h"))
_TAG = re.compile(
    r"<\|(?P<special>box|quad|point)_start\|>(?P<a>[^<]*)<\|(?:box|quad|point)_end\|>"
    r"|<(?P<tag>box|bbox|quad|points?)>(?P<b>[^<]*)</(?:box|bbox|quad|points?)>"
    r"|<(?P<xml>points?|box|bbox)(?P<attributes>\s[^<>]*)(?:>(?P<words>[^<]*)|\Z)"
    r"|\bdata-(?P<html>bbox|polygon)\s*=\s*\\?[\"'](?P<c>[^\"'<>]*)(?:[^<>]{0,400}>(?P<page>[^<]*))?"
    r"|\b(?P<argument>(?:start|end)_(?:box|point)|point|coordinate)\s*=\s*\\?[\"'](?P<d>[(\[][^()\[\]<>]*[)\]])"
    r"|\b(?P<call>click|doubleClick|rightClick|moveTo|dragTo|tap|hover|(?:left|right|middle|double)_?click|long_press"
    r"|left_double|right_single|swipe|drag)\((?P<e>[\s\d.,xy=eE+-]*)(?=[,)])"
    r"|(?:<\|object_ref_start\|>|<ref>)(?P<reference>[^<]*)"
)
_ATTRIBUTE = re.compile(r"\b([a-z_]+?)(\d*)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """One place.

    Attributes:
        kind: box (x1, y1, x2, y2, corners in any order), point (x, y) or polygon (x, y, x, y ...).
        coordinates: in the pixels of whoever wrote the text; finite.
        start, end: the object, tag or numbers, `text[start:end]`.
        numbers: the characters of each coordinate, in the same order.
        label: the name that the text gives it, "" for none.
        fields: of its JSON object, all of them; `keys` are those that hold its numbers.
        marked: the text says that it is a place.
        sized: the third and fourth number that are written are a width and a height.
    """

    kind: PlaceKind
    coordinates: tuple[float, ...]
    start: int
    end: int
    numbers: tuple[tuple[int, int], ...]
    label: str = ""
    fields: JsonObject = field(default_factory=dict, compare=False)
    keys: tuple[str, ...] = field(default=(), compare=False)
    marked: bool = True
    sized: bool = False

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The upright rectangle around it, x1 <= x2 and y1 <= y2."""
        xs, ys = self.coordinates[::2], self.coordinates[1::2]
        return min(xs), min(ys), max(xs), max(ys)


def find_places(text: str, bare: Expected | None = None, problems: list[str] | None = None) -> list[Place]:
    """Every place of a text in order; never raises.

    Args:
        bare: what unmarked numbers are taken for, where no place is marked; None takes them for no places.
        problems: gets a sentence for each mark whose numbers are no place.

    `find_places('{"bbox_2d": [1, 2, 3, 4], "label": "cat"}')` is a box (1, 2, 3, 4) labelled "cat", its numbers at
    (13, 14), (16, 17), (19, 20) and (22, 23).
    """
    reader = _PlaceReader(text, [] if problems is None else problems)
    objects = read_objects(text)
    places = reader.in_objects(objects) + reader.in_tags()
    places = _first_ones(sorted(places, key=lambda place: (place.start, -place.end)))
    if places or reader.problems or bare is None:
        return places
    return reader.in_maps(objects, bare) or reader.in_words(bare)


def _first_ones(places: Iterable[Place]) -> list[Place]:
    """Without those inside another object or tag; the places of one object stay together."""
    kept: list[Place] = []
    for place in places:
        if not kept or place.start >= kept[-1].end or (place.start, place.end) == (kept[-1].start, kept[-1].end):
            kept.append(place)
    return kept


class _PlaceReader:
    def __init__(self, text: str, problems: list[str]) -> None:
        self.text = text
        self.problems = problems

    def in_objects(self, objects: list[FoundObject]) -> list[Place]:
        """JSON objects with a key that says what its numbers are."""
        found = [one for one in objects if _place_keys(one.fields)]
        for one in found:
            if not one.complete:
                self.problems.append(f"the object at character {one.start} is cut off, so its place was not read")
        return [place for one in outermost([one for one in found if one.complete]) for place in self._of_object(one)]

    def _of_object(self, found: FoundObject) -> Iterator[Place]:
        keys = _place_keys(found.fields)
        values = [(key, start, end) for key, start, end in found.spans if key in keys]
        if keys in _CORNERS or keys in _SIZED:
            spans = {key: (start, end) for key, start, end in found.spans}
            runs = [run for key in keys for run in find_runs(self.text, *spans[key], inside=True)]
            numbers = [number for run in runs for block in run.blocks for group in block for number in group]
            yield from self._place([("box", numbers)] if len(numbers) == 4 else [], found, keys[0], keys in _SIZED)
            return
        for key, start, end in values:
            yield from self._place(self._inside(start, end, _EXPECTED[key.lower()]), found, key)

    def _place(
        self, read: list[tuple[PlaceKind, list[re.Match[str]]]], found: FoundObject, key: str, sized: bool = False
    ) -> Iterator[Place]:
        if not read and found.fields.get(key):  # null and the empty list are no place
            self._refuse(key, found.start)
        for i, (kind, numbers) in enumerate(read):
            place = self._made(kind, numbers, found.start, found.end, sized)
            if place is not None:
                label = object_label(found, i, len(read))
                yield replace(place, label=label, fields=found.fields, keys=_place_keys(found.fields))

    def _inside(self, start: int, end: int, expected: Expected) -> list[tuple[PlaceKind, list[re.Match[str]]]]:
        """The places of one value; none where any part of it is none."""
        blocks = [block for run in find_runs(self.text, start, end, inside=True) for block in run.blocks]
        read = [read_block(block, expected) for block in blocks]
        return [one for part in read for one in part] if all(read) else []

    def _refuse(self, mark: str, at: int) -> None:
        self.problems.append(
            f"{mark} at character {at} holds no place ({self.text[at : at + 60]!r}), expected 2 numbers for a point, "
            "4 for a box or 8 for a quad, so it was not read"
        )

    def _made(
        self, kind: PlaceKind, numbers: list[re.Match[str]], start: int, end: int, sized: bool = False
    ) -> Place | None:
        values = [to_float(number[0]) for number in numbers]
        if sized:
            values[2:] = values[0] + values[2], values[1] + values[3]
        if any(value - value != 0 for value in values):
            self.problems.append(f"the place at character {start} has a number that is too large, so it was not read")
            return None
        return Place(kind, tuple(values), start, end, tuple(number.span() for number in numbers), sized=sized)

    def in_tags(self) -> list[Place]:
        """Tags, special tokens, attributes and arguments of actions."""
        places: list[Place] = []
        unnamed: list[Place] = []
        reference: str | None = None
        follows = False  # names stand behind their boxes
        for tag in _TAG.finditer(self.text):
            if tag["reference"] is not None:
                follows = follows or (reference is None and bool(unnamed))
                reference = unescape(tag["reference"]).strip()
                if follows:
                    places += [replace(place, label=reference) for place in unnamed]
                    unnamed = []
                continue
            mark = next(name for name in ("special", "tag", "xml", "html", "argument", "call") if tag[name])
            if mark == "xml":
                found = self._of_attributes(tag)
            else:
                group = {"special": "a", "tag": "b", "html": "c", "argument": "d", "call": "e"}[mark]
                found = self._of_tag(tag, tag[mark], *tag.span(group))
                if mark == "html":
                    found = [replace(place, label=unescape(tag["page"] or "").strip()) for place in found]
            known = "" if follows else reference
            named = known or mark in ("xml", "html", "argument", "call")
            (places if named else unnamed).extend(replace(place, label=place.label or known or "") for place in found)
        return places + self._labelled(unnamed)

    def _of_tag(self, tag: re.Match[str], mark: str, start: int, end: int) -> list[Place]:
        expected = _EXPECTED.get(mark, "points" if mark in ("swipe", "drag") else "point")
        read = self._inside(start, end, expected)
        if not read and self.text[start:end].strip(" \n[]()"):
            self._refuse(tag[0][:20], tag.start())
        made = (self._made(kind, numbers, *tag.span()) for kind, numbers in read)
        return [place for place in made if place is not None]

    def _of_attributes(self, tag: re.Match[str]) -> list[Place]:
        """`x1 y1 x2 y2 ... alt`; the label is the tag's text, else `alt`. Attributes without a partner are left out:
        the end of the text cut them off."""
        at = tag.start("attributes")
        found = list(_ATTRIBUTE.finditer(tag["attributes"]))
        spans = {(a[1].lower(), a[2]): a.span(a.lastindex or 0) for a in found}
        words = {a[1].lower(): a[a.lastindex or 0] for a in found}
        label = unescape((tag["words"] or "").strip() or words.get("alt", "") or words.get("label", ""))
        numbers = {key: number for key, (a, b) in spans.items() if (number := NUMBER.search(self.text, at + a, at + b))}
        if tag["xml"] in ("box", "bbox"):
            corners = [numbers[key] for key in (("x", "1"), ("y", "1"), ("x", "2"), ("y", "2")) if key in numbers]
            read: list[tuple[PlaceKind, list[re.Match[str]]]] = [("box", corners)] if len(corners) == 4 else []
        else:
            ends = [i for name, i in numbers if name == "x" and ("y", i) in numbers]
            read = [("point", [numbers["x", i], numbers["y", i]]) for i in ends]
        if not read:
            self._refuse(f"<{tag['xml']}>", tag.start())
        made = (self._made(kind, pair, *tag.span()) for kind, pair in read)
        return [replace(place, label=label) for place in made if place is not None]

    def in_maps(self, objects: list[FoundObject], bare: Expected) -> list[Place]:
        """`{"cat": [1, 2, 3, 4], "dog": [...]}`: keys that are labels."""
        places: list[Place] = []
        for found in objects:
            values = found.spans if found.complete else []
            if _is_numeric(found.fields.get("x")) and _is_numeric(found.fields.get("y")):
                values = [("", found.start, found.end)]
            for key, start, end in values:
                usable = not key or (isinstance(found.fields[key], list) and _is_numeric(found.fields[key]))
                read = self._inside(start, end, bare) if usable else []
                made = (self._made(kind, numbers, start, end) for kind, numbers in read)
                label = object_label(found) or key
                places += [replace(place, label=label, marked=False) for place in made if place is not None]
        return places

    def in_words(self, bare: Expected) -> list[Place]:
        """Numbers in lines and prose, as `bare` takes them."""
        places: list[Place] = []
        for run in find_runs(self.text):
            if self._is_count(run):
                continue
            for block in run.blocks:
                read = read_block(block, bare)
                if not read and len(block[0]) > 2 and self._bracketed(run):
                    self._refuse("the list", run.start)
                made = (self._made(kind, numbers, numbers[0].start(), numbers[-1].end()) for kind, numbers in read)
                places += [replace(place, marked=False) for place in made if place is not None]
        return self._labelled(places)

    def _bracketed(self, run: Run) -> bool:
        return self.text[max(0, run.start - 1) : run.start] in ("[", "(")

    def _is_count(self, run: Run) -> bool:
        """`1,400 people` in a sentence is one number; at the beginning of a line, `38,114 cake` is a place."""
        if not is_grouped(self.text, run) or self._bracketed(run):
            return False
        return bool(self.text[line_start(self.text, run.start) : run.start].strip(" \t-*•"))

    def _labelled(self, places: list[Place]) -> list[Place]:
        stops = [place.end for place in places]
        begins = [place.start for place in places[1:]] + [len(self.text)]
        befores = [0, *stops[:-1]]
        return [
            replace(place, label=place.label or line_label(self.text, place.start, place.end, before, after))
            for place, before, after in zip(places, befores, begins, strict=False)
        ]


def _place_keys(fields: JsonObject) -> tuple[str, ...]:
    """The keys that hold the place of an object, or its four sides."""
    keys = tuple(
        key
        for key, value in fields.items()
        if (name := key.lower()) in _EXPECTED
        and (name in _SURE or (isinstance(value, list | dict | str) and _is_numeric(value)))
    )
    return keys or next((sides for sides in (*_CORNERS, *_SIZED) if fields.keys() >= set(sides)), ())


def _is_numeric(value: JsonValue) -> bool:
    """Numbers and nothing else, however they are nested and quoted."""
    if isinstance(value, list | dict):
        parts = value if isinstance(value, list) else list(value.values())
        return bool(parts) and all(map(_is_numeric, parts))
    if isinstance(value, str):
        return bool(value) and _NUMERIC.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)
