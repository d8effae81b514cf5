"""A corpus of loops and one of true repetition: nearly all of the first are stopped, none of the second."""

import random
import re
from collections.abc import Iterable

import pytest

from viewfinder.engine.loop_guard import LoopGuard, LoopLimits, LoopReport, looks_tabular

BUDGET = 4096
PIECE = re.compile(r" ?[^\W\d_]{1,7}|\d|\s{1,4}| ?[^\w\s]{1,4}|_{1,8}")
WORDS = re.findall(
    r"\w+",
    "the page shows a red box near old water under light table where many small birds were seen before noon "
    "while nobody could say which of them had come from another country or what they wanted to eat that day",
)


def run(text: str, with_text: bool = True) -> LoopReport | None:
    """The guard's verdict on `text`, cut into pieces about as a tokenizer would."""
    guard = LoopGuard()
    ids: dict[str, int] = {}
    for piece in PIECE.findall(text)[:BUDGET]:
        report = guard.push(ids.setdefault(piece, len(ids)), piece if with_text else None)
        if report is not None:
            return report
    return None


LOOPS = (
    *("character", "word", "phrase", "sentence", "paragraph", "long_paragraph", "object", "row", "cells"),
    *("drift", "shuffled", "counting", "blank"),
)
TRUE_REPEATS = (
    *("blank_form", "zeros", "markdown", "leaders", "csv", "boxes", "grid", "lyrics", "coda", "numbers"),
    *("copies", "json_zeros", "underscores", "latex"),
)


def sentence(rng: random.Random, words: int = 9) -> str:
    return " ".join(rng.choices(WORDS, k=words)).capitalize() + f" {rng.randint(0, 99)}."


def prose(rng: random.Random, sentences: int) -> str:
    return " ".join(sentence(rng, rng.randint(4, 14)) for _ in range(sentences))


def box(rng: random.Random) -> str:
    corners = ", ".join(str(rng.randint(0, 999)) for _ in range(4))
    return f'\t{{"bbox_2d": [{corners}], "label": "{rng.choice(WORDS)}"}},\n'


def html_row(cells: Iterable[object]) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def loop(rng: random.Random) -> tuple[str, str]:
    """A kind and a text that runs in circles from some point on."""
    kind = rng.choice(LOOPS)
    n = 30_000
    match kind:
        case "character":
            tail = rng.choice("!.0-一 a") * n
        case "word":
            tail = (" " + rng.choice(WORDS)) * n
        case "phrase":
            tail = (" " + " ".join(rng.choices(WORDS, k=rng.randint(2, 6)))) * (n // 10)
        case "sentence":
            tail = (" " + sentence(rng)) * (n // 30)
        case "paragraph":
            tail = (prose(rng, rng.randint(3, 8)) + "\n\n") * (n // 100)
        case "long_paragraph":
            tail = (prose(rng, rng.randint(30, 45)) + "\n\n") * 30
        case "object":
            tail = box(rng) * (n // 30)
        case "row":
            tail = html_row(rng.choices(WORDS, k=rng.randint(2, 8))) * (n // 30)
        case "cells":
            tail = "<tr>" + f"<td>{rng.choice(['', '0', 'x'])}</td>" * n
        case "drift":  # a word is different now and then
            unit = sentence(rng)
            tail = " ".join(unit if rng.random() < 0.97 else sentence(rng) for _ in range(n // 30))
        case "shuffled":
            lines = [sentence(rng) for _ in range(5)]
            tail = "\n".join(rng.choice(lines) for _ in range(n // 30))
        case "counting":
            label = " ".join(rng.choices(WORDS, k=2))
            tail = "\n".join(f"{i}. {label}" for i in range(1, n // 10))
        case _:
            tail = rng.choice(["\n", "\n\n \n", " \n"]) * n
    return kind, prose(rng, rng.randint(0, 20)) + tail


def true_repeat(rng: random.Random) -> tuple[str, str]:
    """A kind and a text that repeats itself for a reason."""
    kind = rng.choice(TRUE_REPEATS)
    rows, columns = rng.randint(3, 36), rng.randint(2, 10)
    name = rng.choice(WORDS)
    match kind:
        case "blank_form":
            head = html_row(rng.choices(WORDS, k=columns))
            body = "<table>" + head + html_row([""] * columns) * rows + "</table>"
        case "zeros":
            body = "".join(html_row([rng.choice(WORDS), *["0"] * columns]) for _ in range(rows))
        case "markdown":
            body = "".join("| " + " | ".join(["-"] * columns) + " |\n" for _ in range(rows))
        case "leaders":
            line = "{} " + "." * rng.randint(20, 90) + " {}\n"
            body = "".join(line.format(sentence(rng, 3), i) for i in range(rows))
        case "csv":
            body = "".join("0," * columns + "0\n" for _ in range(rows))
        case "boxes":
            body = "".join(box(rng) for _ in range(100))
        case "grid":
            row = '\t{{"bbox_2d": [{}, {}, {}, {}], "label": "{}"}},\n'
            cells = [(40 * x, 50 * y) for y in range(columns) for x in range(10)]
            body = "".join(row.format(x, y, x + 30, y + 40, name) for x, y in cells)
        case "lyrics":
            refrain = "\n".join(sentence(rng, 6) for _ in range(4))
            body = "\n\n".join(prose(rng, 4) + "\n" + (refrain + "\n") * rng.randint(1, 3) for _ in range(5))
        case "coda":
            body = ("Na, na na na-na-na na, hey now\n") * rng.randint(4, 18)
        case "numbers":
            body = "\n".join(map(str, range(1, rng.randint(20, 120))))
        case "copies":
            body = (prose(rng, rng.randint(5, 25)) + "\n") * rng.randint(2, 3)
        case "json_zeros":
            body = '{"values": [' + ", ".join(["0"] * rng.randint(20, 220)) + "]}"
        case "underscores":
            body = "".join(f"{rng.choice(WORDS)}: {'_' * rng.randint(10, 60)}\n" for _ in range(rows))
        case _:
            body = "".join(" & ".join(["0.0"] * columns) + " \\\\\n" for _ in range(rows))
    return kind, prose(rng, 3) + "\n" + body + "\n" + prose(rng, 3)


def test_loops_are_stopped() -> None:
    missed: list[str] = []
    for seed in range(130):
        kind, text = loop(random.Random(seed))
        if run(text) is None:
            missed.append(kind)
    assert len(missed) <= 0.05 * 130, missed


def test_true_repetition_passes() -> None:
    cut: list[str] = []
    for seed in range(210):
        kind, text = true_repeat(random.Random(seed))
        report = run(text)
        if report is not None:
            cut.append(f"{kind}: {report}")
    assert len(cut) < 0.01 * 210, cut


def test_the_report_says_what_to_keep() -> None:
    guard = LoopGuard()
    reports = [guard.push(token) for token in [7, 8, 9, *[1, 2] * 600]]
    first = next(i for i, report in enumerate(reports) if report is not None)
    assert reports[first] == LoopReport("tokens", period=2, repeats=502, keep=5)
    assert first + 1 == 1008  # the first whole block at or after 3 + 1000 tokens
    assert str(reports[first]) == (
        "stopped a loop (2 tokens repeated, 502 times); the first 5 tokens are worth keeping"
    )


def test_prose_is_stopped_earlier_than_a_table() -> None:
    rng = random.Random(1)
    unit = sentence(rng)
    report = run(" ".join([unit] * 200))
    assert report is not None
    assert 8 <= report.repeats < 40
    assert report.repeats * len(unit.split()) < 400
    report = run("<table>" + html_row(["a", "b"]) * 200)
    assert report is not None
    assert report.repeats >= 40


def test_rows_in_any_order_and_counting() -> None:
    lines = [sentence(random.Random(seed)) for seed in range(4)]
    shuffled = run("\n".join(random.Random(seed).choice(lines) for seed in range(400)))
    assert shuffled is not None
    assert shuffled.kind == "rows"
    counting = run("\n".join(f"Row {i} of many" for i in range(400)))
    assert counting is not None
    assert (counting.kind, counting.repeats) == ("counting", 150)


def test_limits_can_be_set() -> None:
    guard = LoopGuard(limits=LoopLimits(max_period=8, single_tokens=3, prose_tokens=3))
    assert [guard.push(5) for _ in range(16)] == [None] * 15 + [LoopReport("tokens", 1, 16, 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("<td>0</td>", True), ("| a | b ", True), ("0, 0, 0,", True), ("the red box is here.", False), ("哈哈哈", False)],
)
def test_what_looks_tabular(text: str, expected: bool) -> None:
    assert looks_tabular(text) is expected


def test_text_may_come_from_the_tokens() -> None:
    """Prose limits apply once the bytes are known, also where a letter is spread over tokens."""
    letters = "的是不".encode()
    guard = LoopGuard(lambda token: bytes([token]))
    reports = [report for _ in range(200) for byte in letters if (report := guard.push(byte)) is not None]
    assert reports[0].repeats < LoopLimits().table_repeats
