"""9. The longest context that is reliable: one fact among text, pictures or frames, by length and by where it "
"stands."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from viewfinder.eval.question import Question
from viewfinder.eval.scores import equal
from viewfinder.eval.suites import needle
from viewfinder.eval.suites.colors import color
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.messages import user
from viewfinder.studies.lab import Lab, estimate
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, StudyError, percent

KINDS: Mapping[str, Any] = {
    "text": needle.text_needle,
    "pictures": needle.picture_needle,
    "frames": needle.frame_needle,
}
LENGTHS = {
    "text": (0, 20, 60, 200, 600, 1800, 6000, 16000),
    "pictures": (1, 2, 4, 8, 16, 64),
    "frames": (8, 24, 64, 192, 512),
}
"""Words around the fact, pictures, or frames."""
DEPTHS = (0.1, 0.5, 0.9)
COUNT = 9
RELIABLE = 80.0
"""Percent right that counts as reliable; a guess among the color names is right in about one of ten."""


def settings(smoke: bool) -> Sequence[Setting]:
    return [
        {"name": f"{kind} {n}", "kind": kind, "length": n}
        for kind in KINDS
        for n in LENGTHS[kind][: 1 if smoke else None]
    ]


def questions(kind: str, length: int) -> Iterator[Question]:
    """The fact early, in the middle and late, by turns; the number is the question's own seed."""
    for number in range(10_000):
        rng = np.random.default_rng((20_261_203, number, length))
        depth = DEPTHS[number % len(DEPTHS)]
        parts, truth = KINDS[kind](rng, length, depth)
        yield Question(str(number), (user(*parts),), truth, {"depth": f"{depth:.0%}"})


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    kind, length = setting["kind"], setting["length"]
    task = Task(
        f"study_context_{kind}_{length}",
        kind,
        lambda _: questions(kind, length),
        color,
        equal,
        settings=MediaSettings(),
        max_new_tokens=16,
    )
    count = lab.count(COUNT, 3)
    tokens = int(np.median([_tokens(lab, q) for q in lab.questions(task, count)]))
    if tokens > _longest(lab):
        return {"tokens": tokens}
    scored = lab.ask(task, setting["name"], count)
    if not any(s.text for s in scored):
        raise StudyError(f"no question of {setting['name']} was answered; the model's context is shorter than it says")
    depths = {
        d: [s.value for s in scored if s.tags["depth"] == d] for d in dict.fromkeys(s.tags["depth"] for s in scored)
    }
    return {
        "tokens": tokens,
        "score": estimate([s.value for s in scored]),
        "depths": {depth: round(100 * float(np.mean(values)), 1) for depth, values in depths.items()},
    }


def _tokens(lab: Lab, question: Question) -> int:
    return len(lab.model().processor.plan(question.messages).inputs.input_ids)


def _longest(lab: Lab) -> int:
    """Tokens of the longest prompt with its answer; what a server holds is its own matter."""
    engine = getattr(lab.alone, "model", None)
    config = getattr(getattr(engine, "model", None), "config", None)
    return (config.text.max_position_embeddings if config else 32_768) - 64


def find(records: Sequence[Record]) -> Findings:
    asked = [r for r in records if "score" in r]
    told, rows = [], []
    for kind in KINDS:
        of = [r for r in asked if r["kind"] == kind]
        held = []
        for r in of:  # reliable up to the first length that is not
            if r["score"][0] < RELIABLE:
                break
            held.append(r)
        most = max(of, key=lambda r: r["tokens"])
        if held:
            told.append(f"{held[-1]['tokens']:,} tokens of {kind} ({held[-1]['length']})")
        else:
            ends = ", ".join(f"{r['score'][0]:.0f} % at {r['tokens']:,} tokens" for r in (of[0], most))
            told.append(f"no length of {kind} ({ends})")
    for r in records:
        score = percent(r["score"]) if "score" in r else "does not fit"
        deep = "; ".join(f"{d} {v:.0f}" for d, v in r.get("depths", {}).items())
        rows.append([r["kind"], f"{r['length']:,}", f"{r['tokens']:,}", score, deep])
    deep = {d: float(np.mean([r["depths"][d] for r in asked])) for d in asked[0]["depths"]}
    answer = (
        f"At least {RELIABLE:.0f} % right are: {'; '.join(told)}. Over all lengths it finds "
        f"{', '.join(f'{v:.0f} % at a depth of {d}' for d, v in deep.items())}."
    )
    return Findings(
        answer,
        [
            Panel(
                "Right by length",
                "tokens of the prompt",
                "right, %",
                [
                    Series(
                        kind,
                        [r["tokens"] for r in asked if r["kind"] == kind],
                        [r["score"] for r in asked if r["kind"] == kind],
                    )
                    for kind in KINDS
                ],
                logarithmic="x",
                top=105,
            ),
            Panel(
                "Right by depth, all lengths",
                "where the fact stands",
                "right, %",
                [
                    Series(
                        kind,
                        list(deep),
                        [float(np.mean([r["depths"][d] for r in asked if r["kind"] == kind])) for d in deep],
                    )
                    for kind in KINDS
                ],
                "bars",
                top=105,
            ),
        ],
        ["context", "words, pictures or frames", "tokens", "right, %", "by depth, %"],
        rows,
        [
            (
                "The built-in model was trained on prompts of a few hundred tokens and holds 8,192; lengths up to "
                "32,768 need a larger checkpoint, for which the same command asks them."
            ),
            (
                "Before and after DPO was not compared: no checkpoint of the built-in model before and after DPO is "
                "shipped."
            ),
            (
                "A clip of more frames than the model's budget (128 here) is thinned out before it is asked, so the "
                "longest clips have as many tokens as each other."
            ),
            "A needle is the easiest long context: to find is not to reason over.",
        ],
        "The budgets of a checkpoint promise more than it was taught: 128 frames and 8,192 tokens fit, and a hundred "
        "or so are reliable; `config` should carry the length that was measured beside the one that fits.",
    )


STUDY = Study(
    9,
    "context",
    "The longest reliable context",
    "up to which length of text, pictures and frames answers stay right, before and after DPO.",
    settings,
    measure,
    find,
)
