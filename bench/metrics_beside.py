"""Our metrics beside those of lmms-eval and VLMEvalKit, on the same 1,000 random predictions a metric.

    python bench/metrics_beside.py [--lmms-eval FOLDER] [--vlmevalkit FOLDER] [--count 1000] [--json FILE]

A folder is that of the package (`lmms_eval`, found when installed; `vlmeval` of a checkout). Every prediction on which
a number differs must fall under an explanation given here; otherwise the exit code is 1.
"""

import argparse
import importlib.util
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peer_metrics import lmms_eval, vlmevalkit

from viewfinder.eval import metrics as ours
from viewfinder.outputs.counts import parse_count

WORDS = (
    *("the", "Invoice", "total", "12", "3.5", "42%", "1,250", "Paris", "no", "Two", "dont", "a", "blue car", "x-ray"),
    *("route 66", "3 men", "it's", "O'Clock", "7.", "$9.99", "ＡＢ１", "naïve", "yes", "none", "0", "5%", "-4", "1e3"),
)
Case = tuple[Any, ...]
Explain = Callable[[str, Case, Any, Any], str | None]
"""Peer, case, our value and the peer's to a reason."""


@dataclass(frozen=True)
class Check:
    """A metric: ours, what cases look like, and why a peer's number may differ on a case."""

    name: str
    mine: Callable[..., Any]
    draw: Callable[[random.Random], Case]
    explain: Explain = lambda peer, case, mine, other: None
    tolerance: float = 2e-6


@dataclass
class Row:
    metric: str
    peer: str
    equal: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    unexplained: list[Any] = field(default_factory=list)


def phrase(rng: random.Random) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 4)))


def near(rng: random.Random, text: str) -> str:
    """A prediction: the answer, the answer with changes, with words around it, or another."""
    kind = rng.random()
    if kind < 0.25:
        return text
    if kind < 0.4:
        return text.upper() if rng.random() < 0.5 else f" {text}\n"
    if kind < 0.6 and text:
        at = rng.randrange(len(text))
        return text[:at] + rng.choice("abc1. ") + text[at + rng.randint(0, 1) :]
    if kind < 0.75:
        return f"{phrase(rng)} {text}"
    return phrase(rng)


def answers(rng: random.Random) -> Case:
    true = [phrase(rng) for _ in range(rng.randint(1, 4))]
    return near(rng, true[0]), true


def people(rng: random.Random) -> Case:
    base = phrase(rng)
    true = [base if rng.random() < 0.5 else near(rng, base) for _ in range(10)]
    return near(rng, base), true


def numbers(rng: random.Random) -> Case:
    gold = rng.choice((0.0, rng.uniform(-50, 50), float(rng.randint(1, 2000))))
    written = f"{gold:.2f}" + rng.choice(("", "", "%"))
    said = f"{gold * rng.uniform(0.9, 1.1):.3f}" + rng.choice(("", "", "%"))
    return rng.choice(((said, [written]), answers(rng)))


def contained(rng: random.Random) -> Case:
    said, true = answers(rng)
    return said, true, rng.random() < 0.3


def boxes(rng: random.Random) -> Case:
    a = _box(rng)
    b = tuple(v + rng.randint(-20, 20) for v in a) if rng.random() < 0.7 else _box(rng)
    x, y = sorted((b[0], b[2])), sorted((b[1], b[3]))
    return a, (x[0], y[0], x[1] + 1, y[1] + 1)


def _box(rng: random.Random) -> tuple[int, ...]:
    x, y = rng.randint(0, 300), rng.randint(0, 300)
    return x, y, x + rng.randint(1, 100), y + rng.randint(1, 100)


def clicks(rng: random.Random) -> Case:
    box = _box(rng)
    x, y = rng.randint(box[0] - 20, box[2] + 20), rng.randint(box[1] - 20, box[3] + 20)
    return (x, y), box


def spans(rng: random.Random) -> Case:
    made = [sorted(round(rng.uniform(0, 30), 1) for _ in "ab") for _ in "ab"]
    return tuple(made[0]), tuple(made[1])


def counts(rng: random.Random) -> Case:
    count = rng.randint(0, 12)
    said = count if rng.random() < 0.6 else rng.randint(0, 12)
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    forms = (str(said), names[said], f" {said}\n", f"There are {said} cups in the image.", f"{said} cups", "many")
    return rng.choice(forms), count


def letters(rng: random.Random) -> Case:
    letter, other = rng.choice("ABCD"), rng.choice("ABCD")
    forms = (
        *(
            "{a}",
            "{a}.",
            "({a})",
            "{a}. a red car",
            "The answer is {a}.",
            "Answer: {a}",
            "**{a}**",
            "{a}) because of {b}",
        ),
        *(
            "I think it is {a}",
            "A car is seen, so {a}",
            "none of these",
            "Option {a} fits, option {b} does not",
            "{a}\n",
        ),
    )
    return rng.choice(forms).format(a=letter, b=other), "ABCD"


def pages(rng: random.Random) -> Case:
    true = " ".join(phrase(rng) for _ in range(rng.randint(2, 8)))
    said = " ".join(near(rng, word) if rng.random() < 0.2 else word for word in true.split())
    return said.replace(" ", "\n", 1), true


def records(rng: random.Random) -> Case:
    keys = ("shop", "date", "total")
    true: dict[str, Any] = {key: phrase(rng) for key in keys if rng.random() < 0.8}
    true["menu"] = [{"name": phrase(rng), "price": f"{rng.randint(1, 99)}.00"} for _ in range(rng.randint(0, 3))]
    said = json.loads(json.dumps(true))
    for key in list(said):
        if rng.random() < 0.2:
            del said[key]
        elif isinstance(said[key], str) and rng.random() < 0.3:
            said[key] = rng.choice(("", None, near(rng, said[key])))
    return said, true


def tables(rng: random.Random) -> Case:
    rows, columns = rng.randint(1, 4), rng.randint(1, 4)
    cells = [[phrase(rng).replace(" ", "") for _ in range(columns)] for _ in range(rows)]
    changed = [
        [near(rng, c).replace(" ", "").replace("\n", "") if rng.random() < 0.3 else c for c in row] for row in cells
    ]
    if rng.random() < 0.3:
        del changed[rng.randrange(rows)]
    span = ' colspan="2"' if rng.random() < 0.2 else ""

    def write(content: list[list[str]]) -> str:
        body = "".join("<tr>" + "".join(f"<td{span}>{c}</td>" for c in row) + "</tr>" for row in content)
        return f"<table>{body}</table>"

    return write(changed), write(cells)


def why_relaxed(peer: str, case: Case, mine: Any, other: Any) -> str | None:
    if peer == "lmms-eval" and case[0] != case[0].strip():
        return "white space around the answer: it compares the raw answer, we strip as VLMEvalKit does"
    return None


def why_vqa(peer: str, case: Case, mine: Any, other: Any) -> str | None:
    words = " ".join((case[0], *case[1])).lower()
    if peer == "VLMEvalKit" and "dont" in words:
        return "it lists twelve contractions, the official normalisation about 120 (dont is don't)"
    if re.search(r"\d\.|\.\d", words) and peer == "VLMEvalKit":
        return "it keeps a full stop after a digit, the official normalisation only before one"
    if "\n" in words or "\t" in words or words != words.strip():
        return "white space around or inside the answer"
    return None


def why_contains(peer: str, case: Case, mine: Any, other: Any) -> str | None:
    if peer == "lmms-eval" and any(0xFF01 <= ord(c) <= 0xFF5E for c in case[0] + "".join(case[1])):
        return "it folds full-width letters into ASCII"
    if peer == "VLMEvalKit" and case[2] and "\t" in case[0]:
        return "tabs in formulas"
    return None


def why_count(peer: str, case: Case, mine: Any, other: Any) -> str | None:
    told = parse_count(case[0])
    if told is not None and str(told.value) != case[0].strip():
        return "it takes a bare number or number word only; we read the number out of a sentence"
    return None


def why_letter(peer: str, case: Case, mine: Any, other: Any) -> str | None:
    named = set(re.findall(r"(?<![\w'])([ABCD])(?![\w'])", case[0]))
    if len(named) > 1:
        return "several letters stand in the answer: it gives up or takes the last, we take the one stated last"
    if mine is None and other in named and re.search(rf"\b{other}\b[^.]*\bnot\b", case[0]):
        return "the only letter is also denied: it takes the letter, we give none"
    if other is None and peer == "lmms-eval":
        return "it reads a letter only before a space, full stop or bracket, and else guesses at random"
    if other is None and mine in named and peer == "VLMEvalKit":
        return "it reads a letter only among the last four words, and else gives up"
    return None


def why_fields(peer: str, case: Case, mine: Any, other: Any) -> str | None:
    if mine == 1.0 and other == 0.0 and not any(case[0].values()) and not any(case[1].values()):
        return "neither document has a field: 0 / 0 is 0 there and 1 here"
    return None


CHECKS = (
    Check("anls", ours.anls, answers),
    Check("relaxed", ours.relaxed_accuracy, numbers, why_relaxed),
    Check("vqa", ours.vqa_score, people, why_vqa),
    Check("contains", ours.contains_answer, contained, why_contains),
    Check("iou", ours.iou, boxes),
    Check("inside", ours.point_in_box, clicks),
    Check("temporal", ours.temporal_iou, spans),
    Check("count", ours.exact_count, counts, why_count),
    Check("letter", ours.choice_letter, letters, why_letter),
    Check("bag", lambda said, true: ours.bag_of_tokens_f1(said, true).f1, pages),
    Check("fields", lambda said, true: ours.field_f1(said, true).f1, records, why_fields),
    Check("teds", ours.teds, tables),
    Check("document", lambda said, true: 1 - ours.text_distance(said, true), pages),
)


def compared(check: Check, peer: str, theirs: Callable[..., Any], count: int) -> Row:
    rng, row = random.Random(f"{check.name} 1"), Row(check.name, peer)
    for _ in range(count):
        case = check.draw(rng)
        mine, other = check.mine(*case), theirs(*json.loads(json.dumps(case)))
        same = mine == other if isinstance(mine, str | None) else abs(float(mine) - float(other)) <= check.tolerance
        if same:
            row.equal += 1
        elif (reason := check.explain(peer, case, mine, other)) is not None:
            row.reasons[reason] += 1
        else:
            row.unexplained.append({"case": case, "ours": mine, "theirs": other})
    return row


def peers(arguments: argparse.Namespace) -> dict[str, dict[str, Callable[..., Any]]]:
    found: dict[str, dict[str, Callable[..., Any]]] = {}
    folder = arguments.lmms_eval
    if folder is None and (spec := importlib.util.find_spec("lmms_eval")) is not None:
        folder = Path(spec.submodule_search_locations[0])  # type: ignore[index]
    if folder is not None:
        found["lmms-eval"] = lmms_eval(folder)
    if arguments.vlmevalkit is not None:
        found["VLMEvalKit"] = vlmevalkit(arguments.vlmevalkit)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lmms-eval", type=Path, default=None)
    parser.add_argument("--vlmevalkit", type=Path, default=None)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument(
        "--metric", action="append", choices=[check.name for check in CHECKS], help="only this; repeatable"
    )
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    found = peers(arguments)
    if not found:
        sys.exit("no peer: pip install --no-deps lmms-eval==0.7.3, or name a folder with --lmms-eval or --vlmevalkit")
    rows = [
        compared(check, peer, theirs[check.name], arguments.count)
        for check in CHECKS
        if arguments.metric is None or check.name in arguments.metric
        for peer, theirs in found.items()
        if check.name in theirs
    ]
    for row in rows:
        differ = sum(row.reasons.values()) + len(row.unexplained)
        print(
            f"{row.metric:10} {row.peer:11} equal {row.equal:5}  differ {differ:4}  unexplained {len(row.unexplained)}"
        )
        for reason, times in row.reasons.most_common():
            print(f"{'':24}{times:5}  {reason}")
        for case in row.unexplained[:3]:
            print(f"{'':24}  {case}")
    if arguments.json:
        arguments.json.write_text(json.dumps([vars(row) for row in rows], indent=1, ensure_ascii=False) + "\n")
    sys.exit(any(row.unexplained for row in rows))


if __name__ == "__main__":
    main()
