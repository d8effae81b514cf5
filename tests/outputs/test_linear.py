"""Reading an answer takes time in proportion to its length, whatever the model wrote: lengths are doubled."""

import gc
import importlib
import inspect
import pkgutil
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

import viewfinder.outputs
from viewfinder.errors import ViewfinderError
from viewfinder.media.transform import Transform
from viewfinder.outputs import actions, boxes, counts, keys, loose_json, places, points, spans, times, tool_calls
from viewfinder.outputs.document import Document
from viewfinder.serve.tool_stream import ToolReader

SIZE = 8_000
QUICK = 0.025
"""Seconds of processor time in which `SIZE` characters were read so soon that more of them do no harm."""
MOST = 2.6
SQUARE = Transform.identity((1000, 1000))


def document(text: str) -> None:
    """All that is done with a page that was read."""
    page = Document.from_html(text, SQUARE)
    page.to_html()
    page.to_markdown()
    page.validate()


def streamed(text: str) -> None:
    """As it comes to a client that gave tools, a few letters at a time."""
    reader = ToolReader({"f"})
    for at in range(0, len(text), 16):
        list(reader.push(text[at : at + 16]))
    list(reader.finish(cut=True))


PARSERS: dict[str, Callable[[str], object]] = {
    "boxes.parse_boxes": lambda text: boxes.parse_boxes(text, SQUARE),
    "points.parse_points": lambda text: points.parse_points(text, SQUARE),
    "places.find_places": lambda text: places.find_places(text, "polygon"),
    "counts.parse_count": counts.parse_count,
    "spans.parse_spans": lambda text: spans.parse_spans(text, 100.0, fps=30.0),
    "times.parse_time": times.parse_time,
    "tool_calls.parse_tool_calls": tool_calls.parse_tool_calls,
    "actions.parse_action": lambda text: actions.parse_action(text, SQUARE),
    "keys.read_keys": keys.read_keys,
    "loose_json.find_value": loose_json.find_value,
    "loose_json.read_numbers": loose_json.read_numbers,
    "document": document,
    "streamed": streamed,
}
THE_SAME = {
    "tool_calls.split_tool_calls": "tool_calls.parse_tool_calls",
    "loose_json.read_objects": "places.find_places",
    "loose_json.find_objects": "spans.parse_spans",
    "coordinates.find_runs": "places.find_places",
    "coordinates.read_block": "places.find_places",
    "document.html_tree.parse_tree": "document",
    "document.parse.parse_page": "document",
}
"""Readers that run inside another of the table."""

REPEATED = {
    "nothing": ("", " ", ""),
    "space between words": ("a", " ", "b"),
    "lines": ("a", "\n", "b"),
    "lines in a string": ('{"a": "', "\n", ""),
    "tabs": ("```", "\t", "a"),
    "digits": ("", "1", "x"),
    "digits with a point": ("", "11.", "x"),
    "grouped digits": ("", "111,", "x"),
    "numbers": ("", "1, ", "x"),
    "numbers in a list": ("[", "12, ", ""),
    "signs": ("1 ", "-", "x"),
    "letters": ("1", "a", "1"),
    "opening brackets": ("", "[", ""),
    "opening braces": ("", "{", ""),
    "closing brackets": ("", "]", ""),
    "arrays in arrays": ("", "[1,", ""),
    "objects in objects": ("", '{"a":', ""),
    "objects in lists": ("", '[1,{"a":[', "x"),
    "double quotes": ("", '"', ""),
    "single quotes": ("", "'", ""),
    "strings left open": ("", "['a ", ""),
    "strings left open over lines": ("", "['a ", "\nb"),
    "words with quotes": ("[", "\"a'b ", ""),
    "backslashes": ("", "\\", '"'),
    "ticks": ("", "```", "x"),
    "places": ("", '{"bbox_2d": [1, 2, 3, 4], "label": "a"}', ""),
    "places of one name": ('{"label": "' + "a" * SIZE + '", "points": [', "[1, 2], ", "[1, 2]]}"),
    "labels that are too few": ('{"label": [', '"aa",', '"b"], "points": [' + "[1, 2], " * (SIZE // 16) + "[1, 2]]}"),
    "places under labels": ('{"label": "' + "a" * SIZE + '"', ', "c": [1, 2, 3, 4]', "}"),
    "bare places": ("", "(1, 2) ", ""),
    "tags": ("", "<box>1 2 3 4</box>", ""),
    "tags left open": ("", "<|box_start|>", ""),
    "attributes": ("<points", " x1=1", ">"),
    "attributes left open": ("", '<p data-bbox="1 2 ', ""),
    "arguments": ("", "click(start_box='(", ""),
    "times": ("", "0:01 ", ""),
    "moments": ("", "1 s - 2 s and ", ""),
    "starts": ("", "starts at 1 s ", ""),
    "counts": ("", "there are total 1 1 ", ""),
    "calls": ("", '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>', ""),
    "calls left open": ("", "<tool_call>", ""),
    "a call with space": ("<tool_call>", "\n", "x"),
    "a call without an end": ('<tool_call>{"name": "f", "arguments": {}} ', "a", ""),
    "a call with a long name": ('<tool_call>{"name": "', "f", '"'),
    "keys": ("", "ctrl+", ""),
    "open tags": ("", "<", ""),
    "unknown tags": ("", "<x>", ""),
    "comments": ("", "<!--", ""),
    "paragraphs": ("", "<p>a", ""),
    "repairs of many kinds": ("", '<p data-bbox="' + "1 " * 5 + '">', ""),
    "list items in a picture": ('<div class="image">', "<li>a", ""),
    "lists in an item": ("<ul><li>", "<ul><li>a</li></ul><b>b</b>", ""),
    "blocks in a cell": ("<table><tr><td>", "<center>a</center>", ""),
    "rows": ("<table>", "<tr><td>a", ""),
    "rules": ("", "<hr> ", ""),
    "scripts": ("", "<script>", ""),
    "links": ("<p>", '<a href="http://a">a', ""),
    "code": ("<p>", "<code>a*</code>", ""),
    "marks of Markdown": ("<p>", "*", ""),
    "dollars": ("<p>", "$a $", ""),
    "formulas left open": ("<p>", "\\[a", ""),
    "hashes": ("<h1>", "# #", ""),
    "entities": ("<p>", "&amp", ""),
}


def seconds(parse: Callable[[str], object], text: str) -> float:
    """Processor time of one reading."""
    gc.disable()
    try:
        start = time.thread_time()
        with suppress(ViewfinderError):
            parse(text)
        return time.thread_time() - start
    finally:
        gc.enable()


def growth(parse: Callable[[str], object], make: Callable[[int], str]) -> float:
    """How much longer twice the text takes: of the shortest of several readings, more where they look bad."""
    short, long = make(SIZE), make(2 * SIZE)
    if (once := seconds(parse, short)) < QUICK:
        return 1.0
    least, most = once, float("inf")
    until = time.monotonic() + 10
    for _ in range(8):
        most = min(most, seconds(parse, long))
        if most <= MOST * least or time.monotonic() > until:
            break
        least = min(least, seconds(parse, short))
    return most / least


def repeated(before: str, part: str, after: str) -> Callable[[int], str]:
    return lambda size: before + part * (size // len(part)) + after


@pytest.mark.parametrize("name", PARSERS)
def test_twice_the_text_takes_twice_the_time(name: str) -> None:
    found = {case: growth(PARSERS[name], repeated(*parts)) for case, parts in REPEATED.items()}
    assert {case: ratio for case, ratio in found.items() if ratio > MOST} == {}


def test_many_repairs_of_many_kinds_are_counted_in_one_pass() -> None:
    def page(size: int) -> str:
        return "".join(f'<p data-bbox="{"1 " * (5 + 2 * (i % 400))}">a</p>' for i in range(size // 400))

    assert growth(document, page) <= MOST


def test_answers_grow_with_the_text_and_not_with_its_square() -> None:
    """Thousands of places with one label of thousands of letters."""
    text = repeated(*REPEATED["places of one name"])(4 * SIZE)
    found = points.parse_points(text, SQUARE)
    assert len(found) == SIZE // 2 + 1
    assert sum(len(point.label) for point in found) <= 1_000_000
    few = points.parse_points('{"label": "' + "a" * SIZE + '", "points": [[1, 2], [3, 4]], "seen": true}', SQUARE)
    assert [(len(point.label), point.extra) for point in few] == [(SIZE, {"seen": True})] * 2


def test_every_reader_of_an_answer_is_here() -> None:
    package = viewfinder.outputs
    modules = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    readers = {
        f"{module.removeprefix(package.__name__ + '.')}.{name}"
        for module in modules
        for name, function in inspect.getmembers(importlib.import_module(module), inspect.isfunction)
        if function.__module__ == module
        and name.startswith(("parse_", "find_", "split_", "read_"))
        and next(iter(inspect.signature(function).parameters), "") in ("text", "keys")
    }
    others = {"json_lines.split_lines"}  # of files of our own
    assert readers - others <= PARSERS.keys() | THE_SAME.keys()
