"""12. A new kind of picture after deployment: 20 to 200 corrections, adapters against all weights, and what is "
"forgotten."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from viewfinder.eval.answer_format import box
from viewfinder.eval.builtin import all_builtin, renderers
from viewfinder.studies.lab import Lab
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, percent
from viewfinder.studies.tuning import rows, scores, tuned

NEW = "new pictures"
KEPT = {"boxes": "builtin_locate", "points": "builtin_point", "counting": "builtin_count"}
COUNT, PASSES = 24, 2
RUNS: Sequence[tuple[str, int, str, float]] = (
    ("before", 0, "", 0.0),
    ("20, all weights", 20, "sft", 2e-4),
    ("20, adapters", 20, "lora", 1e-3),
    ("100, all weights", 100, "sft", 2e-4),
    ("100, adapters", 100, "lora", 1e-3),
    ("200, all weights", 200, "sft", 2e-4),
    ("200, adapters", 200, "lora", 1e-3),
)
"""Name, corrections, recipe, learning rate."""
PACKED = 6
"""Rows in a step of 2 x 512 tokens."""


def settings(smoke: bool) -> Sequence[Setting]:
    made = [{"name": n, "rows": count, "recipe": recipe, "rate": rate} for n, count, recipe, rate in RUNS]
    return [made[2]] if smoke else made


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    """Corrections are pictures of a renderer the model never saw, each with the box that a person would draw."""
    every = all_builtin()
    tasks = {NEW: (every["builtin_renderer_locate"], None), **{k: (every[v], None) for k, v in KEPT.items()}}
    if lab.smoke:
        tasks = {NEW: tasks[NEW]}
    model = None
    if setting["rows"]:
        taught = list(islice(rows(renderers.locate, box), 4 if lab.smoke else setting["rows"]))
        steps = max(4, PASSES * setting["rows"] // PACKED)
        model = tuned(lab, setting["name"], taught, steps, setting["recipe"], setting["rate"])
    return scores(lab, model, tasks, lab.count(COUNT), setting["name"])


def find(records: Sequence[Record]) -> Findings:
    kept = [k for k in KEPT if all(k in r for r in records)]
    before = records[0]
    best = max(records, key=lambda r: r[NEW][0])
    lost = {r["name"]: sum(before[k][0] - r[k][0] for k in kept) / max(1, len(kept)) for r in records[1:]}
    worst = max(lost, key=lambda n: lost[n], default=before["name"])
    answer = (
        f"Boxes in the new pictures go from {percent(before[NEW])} % to {percent(best[NEW])} % with {best['name']}. "
        f"Other skills "
        f"(boxes, points, counting) lose {lost.get(best['name'], 0.0):.0f} points on average there, and at worst "
        f"{lost.get(worst, 0.0):.0f} with {worst}."
    )
    names = [r["name"] for r in records]
    return Findings(
        answer,
        [
            Panel(
                "New pictures and old skills",
                "",
                "%",
                [Series(k, names, [r[k] for r in records]) for k in (NEW, *kept)],
                "bars",
                top=105,
            )
        ],
        ["corrections", *(f"{k}, %" for k in (NEW, *kept))],
        [[r["name"], *(percent(r[k]) for k in (NEW, *kept))] for r in records],
        [
            (
                "One seed a run: differences within the intervals say nothing. More seeds did not fit the time of this "
                "machine."
            ),
            (
                f"{COUNT} questions a task, generated pictures of two renderers; corrections come without mistakes, a "
                f"person's do not."
            ),
            "Old samples were not mixed in, which is the usual remedy for forgetting (`viewfinder data mix`).",
        ],
        "",
    )


STUDY = Study(
    12,
    "corrections",
    "Learning from corrections after deployment",
    "how many corrections a new kind of picture needs, and what is forgotten for it.",
    settings,
    measure,
    find,
    needs="weights",
    trains=True,
    hours="about an hour of one core",
)
