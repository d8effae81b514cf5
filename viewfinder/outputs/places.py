"""Places in a text: boxes, points and polygons in every spelling that models and data sets use.

Marked places say that they are places: a JSON key (`bbox_2d`, `point_2d`, `coordinate` ...), a tag (`<points x1=...>`,
`<|box_start|>`, `<point>`, `data-bbox`), an argument (`start_box=`, `click(x=1, y=2)`). Bare places are only numbers,
`x1,y1,x2,y2 label` or `cat: [1, 2, 3, 4]`; they are read where the caller asks for them and nothing is marked, for
`[1990, 2000]` is mostly no place. Every place has the characters of its numbers, so that they can be rewritten.
"""

import re
from collections.abc import Iterable, Iterator
from html import unescape

from viewfinder.outputs.coordinates import (
    NUMBER,
    Expected,
    Group,
    PlaceKind,
    Run,
    Span,
    find_runs,
    is_grouped,
    read_block,
)
from viewfinder.outputs.loose_json import FoundObject, JsonObject, outermost, read_objects
from viewfinder.outputs.place import MOST_REPEATED, NO_FIELDS, Place, PlaceReader, Written, is_numeric
from viewfinder.outputs.place_labels import line_start, object_labels

_DIGIT = re.compile(r"\d")


class BareReader(PlaceReader):
    def in_maps(self, objects: list[FoundObject], bare: Expected) -> list[Place]:
        """`{"cat": [1, 2, 3, 4], "dog": [...]}`: keys that are labels."""
        places: list[Place] = []
        for found in objects:
            values = found.spans if found.complete else []
            if is_numeric(found.fields.get("x")) and is_numeric(found.fields.get("y")):
                values = [("", found.start, found.end)]
            named = object_labels(found)[0][: MOST_REPEATED // max(1, len(values))]
            for key, start, end in values:
                usable = not key or (isinstance(found.fields[key], list) and is_numeric(found.fields[key]))
                for kind, numbers in self.inside(start, end, bare) if usable else ():
                    places += self.made(kind, numbers, start, end, named or key, marked=False)
        return places

    def in_words(self, bare: Expected) -> list[Place]:
        """Numbers in lines and prose, as `bare` takes them."""
        if _DIGIT.search(self.text) is None:
            return []
        written: list[Written] = []
        for run in find_runs(self.text):
            if len(run.blocks[0][0]) == 1 or self._is_count(run):
                continue
            for block in run.blocks:
                read = read_block(self.text, block, bare)
                if not read and len(block[0]) > 2 and self._bracketed(run):
                    self.refuse("the list", run.start)
                written.extend((kind, numbers, numbers[0][0], numbers[-1][1]) for kind, numbers in read)
        return self.labelled(written, marked=False)

    def _bracketed(self, run: Run) -> bool:
        return self.text[max(0, run.start - 1) : run.start] in ("[", "(")

    def _is_count(self, run: Run) -> bool:
        """`1,400 people` in a sentence is one number; at the beginning of a line, `38,114 cake` is a place."""
        if self.text[run.start - 1 : run.start] in ("\n", "[", "(", "") or not is_grouped(self.text, run):
            return False
        return bool(self.text[line_start(self.text, run.start) : run.start].strip(" \t-*•"))


_SURE = ("bbox_2d", "bbox", "box_2d", "bounding_box", "point_2d")
"""Keys that are places whatever they hold; the others only with numbers and nothing else."""
_EXPECTED: dict[str, Expected] = {
    **dict.fromkeys((*_SURE, "box", "bboxes", "boxes", "start_box", "end_box"), "box"),
    **dict.fromkeys(("point_2d", "point", "coordinate", "coordinate2", "start_point", "end_point"), "point"),
    **dict.fromkeys(("points", "points_2d", "coordinates"), "points"),
    **dict.fromkeys(("polygon", "poly", "quad"), "polygon"),
}
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


def find_places(text: str, bare: Expected | None = None, problems: list[str] | None = None) -> list[Place]:
    """Every place of a text in order; never raises.

    Args:
        bare: what unmarked numbers are taken for, where no place is marked; None takes them for no places.
        problems: gets a sentence for each mark whose numbers are no place.

    `find_places('{"bbox_2d": [1, 2, 3, 4], "label": "cat"}')` is a box (1, 2, 3, 4) labelled "cat", its numbers at
    (13, 14), (16, 17), (19, 20) and (22, 23).
    """
    problems = [] if problems is None else problems
    reader = _MarkedReader(text, problems)
    objects = read_objects(text)
    places = reader.in_objects(objects) + reader.in_tags()
    places = _first_ones(sorted(places, key=lambda place: (place.start, -place.end)))
    if places or problems or bare is None:
        return places
    reader = BareReader(text, problems)
    return reader.in_maps(objects, bare) or reader.in_words(bare)


def _first_ones(places: Iterable[Place]) -> list[Place]:
    """Without those inside another object or tag; the places of one object stay together."""
    kept: list[Place] = []
    for place in places:
        if not kept or place.start >= kept[-1].end or (place.start, place.end) == (kept[-1].start, kept[-1].end):
            kept.append(place)
    return kept


class _MarkedReader(PlaceReader):
    def in_objects(self, objects: list[FoundObject]) -> list[Place]:
        """JSON objects with a key that says what its numbers are."""
        found = [one for one in objects if _place_keys(one.fields)]
        for one in found:
            if not one.complete:
                self.problems.append(f"the object at character {one.start} is cut off, so its place was not read")
        return [place for one in outermost([one for one in found if one.complete]) for place in self._of_object(one)]

    def _of_object(self, found: FoundObject) -> Iterator[Place]:
        keys = _place_keys(found.fields)
        if keys in (*_CORNERS, *_SIZED):
            yield from self._of_sides(found, keys, found.fields, found.start, found.end, keys)
            return
        spans = [span for span in found.spans if span[0] in keys]
        written = sum(end - start for _, start, end in spans)
        count = max(1, len(spans), written // 4)  # of places, at most
        repeats = (found.end - found.start - written) * count
        most = MOST_REPEATED // count if repeats > MOST_REPEATED else None
        for key, start, end in spans:
            value = found.fields[key]
            if isinstance(value, dict) and (sides := _sides(value)):
                yield from self._of_sides(found, sides, value, start, end, keys)
                continue
            read = self.inside(start, end, _EXPECTED[key.lower()])
            if not read and value:  # null and the empty list are no place
                self.refuse(key, found.start)
            for (kind, numbers), label in zip(read, object_labels(found, len(read)), strict=True):
                fields = found.fields if most is None else NO_FIELDS
                yield from self.made(kind, numbers, found.start, found.end, label[:most], fields, keys)

    def _of_sides(
        self,
        found: FoundObject,
        sides: tuple[str, ...],
        fields: JsonObject,
        start: int,
        end: int,
        keys: tuple[str, ...],
    ) -> Iterator[Place]:
        """`{"x1": 1, "y1": 2, "x2": 3, "y2": 4}` in any order."""
        written = [number for run in find_runs(self.text, start, end, inside=True) for number in run.all]
        names = [key for key, value in fields.items() if is_numeric(value)]
        if len(written) != len(names):
            self.refuse(sides[0], start)
            return
        numbers = [written[names.index(side)] for side in sides]
        label = object_labels(found)[0]
        yield from self.made("box", numbers, found.start, found.end, label, found.fields, keys, sized=sides in _SIZED)

    def in_tags(self) -> list[Place]:
        """Tags, special tokens, attributes and arguments of actions."""
        if not any(mark in self.text for mark in ("<", "=", "(")):
            return []
        places: list[Place] = []
        unnamed: list[Written] = []
        reference: str | None = None
        follows = False  # names stand behind their boxes
        for tag in _TAG.finditer(self.text):
            if tag["reference"] is not None:
                follows = follows or (reference is None and bool(unnamed))
                reference = unescape(tag["reference"]).strip()
                if follows:
                    places += [place for one in unnamed for place in self.made(*one, reference)]
                    unnamed = []
                continue
            mark = next(name for name in ("special", "tag", "xml", "html", "argument", "call") if tag[name])
            label, found = self._of_attributes(tag) if mark == "xml" else self._of_tag(tag, mark)
            label = label or ("" if follows else reference or "")
            if label or mark in ("xml", "html", "argument", "call"):
                places += [place for one in found for place in self.made(*one, label)]
            else:
                unnamed += found
        return places + self.labelled(unnamed, marked=True)

    def _of_tag(self, tag: re.Match[str], mark: str) -> tuple[str, list[Written]]:
        start, end = tag.span({"special": "a", "tag": "b", "html": "c", "argument": "d", "call": "e"}[mark])
        expected = _EXPECTED.get(tag[mark], "points" if tag[mark] in ("swipe", "drag") else "point")
        read = self.inside(start, end, expected)
        if not read and self.text[start:end].strip(" \n[]()"):
            self.refuse(tag[0][:20], tag.start())
        return unescape(tag["page"] or "").strip(), [(kind, numbers, *tag.span()) for kind, numbers in read]

    def _of_attributes(self, tag: re.Match[str]) -> tuple[str, list[Written]]:
        """`x1 y1 x2 y2 ... alt`; the label is the tag's text, else `alt`. Attributes without a partner are left out:
        the end of the text cut them off."""
        at = tag.start("attributes")
        found = list(_ATTRIBUTE.finditer(tag["attributes"]))
        words = {a[1].lower(): a[a.lastindex or 0] for a in found if not a[2]}
        label = unescape((tag["words"] or "").strip() or words.get("alt", "") or words.get("label", ""))
        numbers: dict[tuple[str, str], Span] = {}
        for attribute in found:
            start, end = attribute.span(attribute.lastindex or 0)
            name = attribute[1].lower()
            if name not in ("x", "y"):
                continue
            if self.text[at + start : at + end].isdigit():
                numbers[name, attribute[2]] = at + start, at + end
            elif number := NUMBER.search(self.text, at + start, at + end):
                numbers[name, attribute[2]] = number.span()
        pairs = [[span, numbers["y", i]] for (name, i), span in numbers.items() if name == "x" and ("y", i) in numbers]
        read: list[tuple[PlaceKind, Group]] = [("point", pair) for pair in pairs]
        if tag["xml"] in ("box", "bbox"):
            read = [("box", pairs[0] + pairs[1])] if len(pairs) == 2 else []
        if not read:
            self.refuse(f"<{tag['xml']}>", tag.start())
        return label, [(kind, group, *tag.span()) for kind, group in read]


def _place_keys(fields: JsonObject) -> tuple[str, ...]:
    """The keys that hold the place of an object, or its four sides."""
    keys = tuple(
        key
        for key, value in fields.items()
        if (name := key.lower()) in _EXPECTED
        and (name in _SURE or (isinstance(value, list | dict | str) and is_numeric(value)))
    )
    return keys or _sides(fields)


def _sides(fields: JsonObject) -> tuple[str, ...]:
    return next((sides for sides in (*_CORNERS, *_SIZED) if all(side in fields for side in sides)), ())
