"""2,000 answers made from a known truth, in one of many spellings and with noise around: what went in comes out, or a
sentence says why not. Nothing is dropped in silence."""

import json
import random
import re
from collections.abc import Callable
from html import escape

import pytest

from viewfinder.errors import ViewfinderError
from viewfinder.eval.metrics.choices import choice_letter, yes_or_no
from viewfinder.eval.metrics.maths import final_value, maths_equal
from viewfinder.outputs.document import Document
from viewfinder.outputs.keys import read_keys
from viewfinder.outputs.places import find_places
from viewfinder.outputs.spans import parse_spans

Truth = list[tuple[str, tuple[int, ...]]]
LABELS = ("red car", "cat", "猫", 'the "big" one', "a & b", "traffic light", "Bob")


CHECKS: list[tuple[Callable[[int], None], int]] = []


def checked(count: int) -> Callable[[Callable[[int], None]], Callable[[int], None]]:
    """Run the check on `count` seeds."""

    def note(check: Callable[[int], None]) -> Callable[[int], None]:
        CHECKS.append((check, count))
        return check

    return note


def truth_of(rng: random.Random, numbers: int) -> Truth:
    count = rng.randint(1, 5)
    return [(rng.choice(LABELS), tuple(rng.randint(0, 999) for _ in range(numbers))) for _ in range(count)]


def listed(numbers: tuple[int, ...], rng: random.Random) -> str:
    """A JSON list in one of the spellings of numbers."""
    pairs = [list(numbers[i : i + 2]) for i in range(0, len(numbers), 2)]
    return rng.choice(
        (
            lambda: json.dumps(numbers),
            lambda: json.dumps(list(map(float, numbers))),
            lambda: json.dumps(list(map(str, numbers))),
            lambda: json.dumps([", ".join(map(str, numbers))]),
            lambda: json.dumps(numbers, separators=(",", ":")),
            lambda: json.dumps(pairs),
            lambda: f"({', '.join(map(str, numbers))})",
            lambda: f"[{', '.join(map(str, numbers))}, ]",
            lambda: "[" + ",".join(f"{n}.0e0" for n in numbers) + "]",
        )
    )()


def as_objects(key: str) -> Callable[[Truth, random.Random], str]:
    def write(truth: Truth, rng: random.Random) -> str:
        name = rng.choice(("label", "name", "class", "caption"))
        objects = [f'{{"{key}": {listed(xy, rng)}, "{name}": {json.dumps(label)}}}' for label, xy in truth]
        if rng.random() < 0.2:
            objects = [one.replace("true", "True")[:-1] + ",}" for one in objects]
        joint = rng.choice((", ", ",\n\t", "\n", " "))
        return rng.choice(("[{}]", "```json\n[\n\t{}\n]\n```", "{}", "[{}")).format(joint.join(objects))

    return write


def as_tokens(truth: Truth, rng: random.Random) -> str:
    opening, closing, box, end = rng.choice(
        (
            ("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"),
            ("<ref>", "</ref>", "<box>", "</box>"),
        )
    )
    space = rng.choice(("", " "))
    parts = [
        f"{opening}{escape(name, False)}{closing}{box}({a},{space}{b}),({c},{space}{d}){end}"
        for name, (a, b, c, d) in truth
    ]
    return rng.choice(("", "\n", " and ")).join(parts)


def as_lines(truth: Truth, rng: random.Random) -> str:
    joint = rng.choice((",", ", "))
    after = [f"{joint.join(map(str, xy))} {label}" for label, xy in truth]
    before = [
        f"{mark}{label}: [{joint.join(map(str, xy))}]" for label, xy in truth for mark in [rng.choice(("", "- "))]
    ]
    return "\n".join(rng.choice((after, before)))


def as_map(truth: Truth, rng: random.Random) -> str:
    return "{" + ", ".join(f"{json.dumps(label)}: {json.dumps(xy)}" for label, xy in truth) + "}"


def as_points_tags(truth: Truth, rng: random.Random) -> str:
    quote = rng.choice("\"'")
    tags = [f"<point x={quote}{x}{quote} y={quote}{y}{quote}>{escape(label, False)}</point>" for label, (x, y) in truth]
    return rng.choice(("", "\n", ", ")).join(tags)


NOISE = ("", "Sure! Here it is:\n", "I see what you mean.\n\n", "<think>Let me look.</think>\n")
BOX_SPELLINGS = (as_objects("bbox_2d"), as_objects("bbox"), as_tokens, as_lines, as_map)
POINT_SPELLINGS = (as_objects("point_2d"), as_objects("point"), as_points_tags, as_lines, as_map)


@checked(600)
def boxes_and_points(seed: int) -> None:
    rng = random.Random(seed)
    kind, numbers, spellings = rng.choice((("box", 4, BOX_SPELLINGS), ("point", 2, POINT_SPELLINGS)))
    truth = truth_of(rng, numbers)
    text = rng.choice(NOISE) + rng.choice(spellings)(truth, rng) + rng.choice(("", "\n", "\n\nThat is all."))
    problems: list[str] = []
    places = find_places(text, "box" if kind == "box" else "point", problems)
    told = [(place.label, tuple(map(int, place.coordinates))) for place in places]
    wanted = [(label.strip('"'), xy) for label, xy in truth]
    assert ([(label.strip('"'), xy) for label, xy in told], problems) == (wanted, []), text
    assert {place.kind for place in places} == {kind}
    for place in places:
        assert [float(text[slice(*span)]) for span in place.numbers] == list(place.coordinates)


@checked(400)
def marked_places_that_were_damaged(seed: int) -> None:
    """One number of one place is taken away, made a word or too large: the others are read, and that one is named."""
    rng = random.Random(seed)
    truth = truth_of(rng, 4)
    broken = rng.randrange(len(truth))
    damage = rng.choice(("", "left", "1e999", "null", "true"))
    objects: list[str] = []
    for i, (label, xy) in enumerate(truth):
        numbers = list(map(str, xy))
        if i == broken:
            numbers[rng.randrange(4)] = damage
        inside = ", ".join(n for n in numbers if n)
        objects.append(f'{{"bbox_2d": [{inside}], "label": {json.dumps(label)}}}')
    problems: list[str] = []
    places = find_places(f"[{', '.join(objects)}]", "box", problems)
    assert [place.coordinates for place in places] == [xy for i, (_, xy) in enumerate(truth) if i != broken]
    assert len(problems) == 1
    assert "not read" in problems[0]


LETTERS = (
    "{0}", "({0})", "**{0}**", "{0}.", "Answer: {0}", "The answer is {0}.", "The answer is **({0})**", "\\boxed{{{0}}}",
    "so it must be \\boxed{{\\text{{{0}}}}}", "<answer>{0}</answer>", "答案是{0}。", "正确答案：{0}",
    "Option {0} is correct.",
    "I would choose option {0}.", "The correct option is {0} because of the sky.", "final answer: ${0}$", "选{0}",
)  # fmt: skip
ASIDES = (
    "", "A dog is running. ", "It is not {1}. ", "({1}) is wrong. ", "Option {1} is incorrect. ", "I looked long.\n",
    "<think>The answer is {1}.</think>", "A triangle has three sides. ",
)  # fmt: skip


@checked(400)
def letters(seed: int) -> None:
    rng = random.Random(seed)
    letter, other = rng.sample("ABCD", 2)
    stated = rng.choice(LETTERS)
    aside = rng.choice(ASIDES) if len(stated) > 6 else rng.choice(("", "<think>Is it {1}?</think>"))
    text = (aside + stated).format(letter, other)
    assert choice_letter(text) == letter, text


@checked(100)
def yes_and_no(seed: int) -> None:
    rng = random.Random(seed)
    word = rng.choice(("yes", "no"))
    spelled = rng.choice((word, word.upper(), word.capitalize()))
    text = rng.choice(
        ("{}", "**{}**", "{}!", '"{}"', "{}, it is.", "<answer>{}</answer>", "The answer is {}.", "\\boxed{{{}}}")
    )
    assert yes_or_no(text.format(spelled)) == word.capitalize()


@checked(200)
def values(seed: int) -> None:
    rng = random.Random(seed)
    value = rng.choice((rng.randint(-9, 9), rng.randint(1000, 9_999_999), rng.randint(-9999, -1000)))
    grouped = f"{value:,}"
    spelled = rng.choice(
        (str(value), grouped, grouped.replace(",", "{,}"), grouped.replace(",", "\\,"), grouped.replace(",", "\u202f"),
         str(value).replace("-", "−"), f"{value}.0", f"{value}\\text{{ cm}}", f"{value}\\times 10^0")
    )  # fmt: skip
    text = rng.choice(
        ("The answer is {}.", "so x = 12. Thus \\boxed{{{}}}", "Result: {}", "First 3, then the answer is {}")
    )
    said = final_value(text.format(spelled))
    assert maths_equal(said, str(value)), (said, value)
    assert not maths_equal(said, str(value + 1)), (said, value)


@checked(200)
def spans(seed: int) -> None:
    rng = random.Random(seed)
    start = rng.randint(0, 100)
    end = rng.randint(start + 1, 119)
    clock = lambda t: f"{t // 60:02}:{t % 60:02}"  # noqa: E731
    words = lambda t: f"{t // 60} minutes {t % 60} seconds"  # noqa: E731
    write = rng.choice((clock, words, lambda t: f"{t}.0 seconds", lambda t: f"{t}s"))
    forms = ("from {} to {}", "{} - {}", "It starts at {} and ends at {}.", "Start: {}\nEnd: {}", "between {} and {}")
    texts = [rng.choice(forms).format(write(start), write(end))]
    texts.append(json.dumps({"relevant_windows": [[clock(start), clock(end)]]}))
    texts.append(json.dumps({"start_time": clock(start), "end_time": clock(end), "description": "x"}))
    spans = parse_spans(rng.choice(NOISE[:3]) + rng.choice(texts), 120)
    assert [(span.start, span.end) for span in spans] == [(start, end)]


MARKS = ("a*b*c", "_x_", "snake_case", "`tick`", "[x](y)", "$5", "1. item", "- item", "# head", "~~gone~~", "a<b")
MARKS += ("C:\\*", "5*3*2", "&", "===", "|", "word", "two")


@checked(100)
def words_of_a_page_survive_markdown(seed: int) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    rng = random.Random(seed)
    lines = [" ".join(rng.choices(MARKS, k=rng.randint(1, 5))) for _ in range(rng.randint(1, 3))]
    text = [escape(line, False) for line in lines]
    reader = markdown_it.MarkdownIt("commonmark").enable("strikethrough")
    rendered = reader.render(Document.from_html(f"<p>{'<br>'.join(text)}</p>").to_markdown())
    assert re.sub(r"<br ?/?>", "", rendered).strip() == "<p>" + "\n".join(text) + "</p>", lines


@checked(100)
def keys(seed: int) -> None:
    """A damaged name is a key or refused; it is never pressed as something else."""
    rng = random.Random(seed)
    word = rng.choice(("enter", "space", "ctrl+c", "pageup", "f5", "escape"))
    at = rng.randrange(len(word))
    damaged = word[:at] + rng.choice(("", "x", "7", "\x00")) + word[at + rng.randint(0, 1) :]
    try:
        keys = read_keys(damaged)
    except ViewfinderError:
        return
    assert read_keys(keys) == keys


@pytest.mark.parametrize(("check", "count"), CHECKS, ids=lambda value: getattr(value, "__name__", None))
def test_what_went_in_comes_out_or_is_named(check: Callable[[int], None], count: int) -> None:
    for seed in range(count):
        check(seed)
