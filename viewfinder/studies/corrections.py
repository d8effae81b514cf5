"""12. A new kind of picture after deployment: 20 to 200 corrections, adapters against all weights, and what is "
"forgotten."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from statistics import fmean
from typing import Any

from viewfinder.eval.answer_format import box, number, point
from viewfinder.eval.builtin import all_builtin, placing, renderers
from viewfinder.studies.lab import Lab
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, over_seeds, percent
from viewfinder.studies.tuning import Row, rows, scores, tuned

NEW = "new pictures"
KEPT = {"boxes": "builtin_locate", "points": "builtin_point", "counting": "builtin_count"}
COUNT, PASSES, SEEDS = 24, 2, (1, 2, 3)
RUNS: Sequence[tuple[str, int, str, float, bool]] = (
    ("20, all weights", 20, "sft", 2e-4, False),
    ("20, adapters", 20, "lora", 1e-3, False),
    ("200, all weights", 200, "sft", 2e-4, False),
    ("200, adapters", 200, "lora", 1e-3, False),
    ("200 and as many old, all weights", 200, "sft", 2e-4, True),
)
"""Name, corrections, recipe, learning rate, whether rows of the old skills are mixed in."""
PACKED = 6
"""Rows in a step of 2 x 512 tokens."""


def settings(smoke: bool) -> Sequence[Setting]:
    made = [
        {"name": f"{n}, seed {seed}", "run": n, "rows": rows, "recipe": recipe, "rate": rate, "old": old, "seed": seed}
        for seed in SEEDS
        for n, rows, recipe, rate, old in RUNS
    ]
    return [made[1]] if smoke else [{"name": "before", "run": "before", "rows": 0}, *made]


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    """Corrections are pictures of a renderer the model never saw, each with the box that a person would draw."""
    every = all_builtin()
    tasks = {NEW: (every["builtin_renderer_locate"], None), **{k: (every[v], None) for k, v in KEPT.items()}}
    if lab.smoke:
        tasks = {NEW: tasks[NEW]}
    model = None
    if setting["rows"]:
        taught = list(islice(rows(renderers.locate, box, seed=setting["seed"]), 4 if lab.smoke else setting["rows"]))
        taught += islice(_old(setting["seed"]), len(taught)) if setting["old"] else []
        random.Random(setting["seed"]).shuffle(taught)
        steps = max(4, PASSES * len(taught) // PACKED)
        model = tuned(lab, setting["name"], taught, steps, setting["recipe"], setting["rate"], setting["seed"])
    return scores(lab, model, tasks, lab.count(COUNT), setting["name"])


def _old(seed: int) -> Iterator[Row]:
    """Rows of the skills that should stay, by turns."""
    kinds = ((placing.locate, box), (placing.point_at, point), (placing.count, number))
    return chain.from_iterable(zip(*(rows(make, form, seed=seed) for make, form in kinds), strict=True))


def find(records: Sequence[Record]) -> Findings:
    of = {r["run"]: [o for o in records if o["run"] == r["run"]] for r in records}
    kept = [k for k in KEPT if all(k in r for r in records)]
    now = {k: {run: over_seeds(rows, k) for run, rows in of.items()} for k in (NEW, *kept)}
    lost = {run: fmean(now[k]["before"][0] - now[k][run][0] for k in kept) for run in of if kept and "before" in of}
    best = max(of, key=lambda run: now[NEW][run][0])
    worst = max(lost, key=lambda run: lost[run], default=best)
    mixed = RUNS[-1][0]
    answer = (
        f"Boxes in the new pictures go from {percent(now[NEW][next(iter(of))])} % to {percent(now[NEW][best])} % with "
        f"{best} (mean, least and most of {len(of[best])} seeds). Other skills (boxes, points, counting) lose "
        f"{lost.get(best, 0.0):.0f} points on average there, at worst {lost.get(worst, 0.0):.0f} with {worst}, and "
        f"{lost.get(mixed, 0.0):.0f} where as many old rows are mixed in."
    )
    return Findings(
        answer,
        [
            Panel(
                "New pictures and old skills",
                "",
                "%",
                [Series(k, list(v), list(v.values())) for k, v in now.items()],
                "bars",
                top=105,
            )
        ],
        ["corrections", "runs", *(f"{k}, %" for k in now)],
        [[run, str(len(rows)), *(percent(v[run]) for v in now.values())] for run, rows in of.items()],
        [
            f"{COUNT} questions a task, generated pictures of two renderers; differences of a few points say nothing.",
            "Corrections come without mistakes here, a person's do not.",
        ],
        "Learn corrections with adapters: about the gain of all weights for a quarter of what is forgotten. The "
        "playground, which collects corrections, now names `viewfinder train lora`. As many old rows mixed in did not "
        "help.",
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
    hours="two hours of one core",
)
