"""Bare places: numbers without a mark, as the caller takes them, in maps of labels, lines and prose."""

import re

from viewfinder.outputs.coordinates import Expected, Run, find_runs, is_grouped, read_block
from viewfinder.outputs.loose_json import FoundObject
from viewfinder.outputs.place import MOST_REPEATED, Place, PlaceReader, Written, is_numeric
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
