"""5. How the frequencies of the position ids are shared out: trained from nothing at equal compute, three seeds.

The language model learns to place from embeddings of labels instead of pixels (`tiny.label_embeddings`), the cheapest
training here in which width and height must be told apart by their ids.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from viewfinder.outputs.json_lines import read_values
from viewfinder.studies.lab import Lab, slug
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study

VARIANTS: Mapping[str, tuple[float, tuple[int, int, int]]] = {
    "theta 100, sections 8 12 12": (100.0, (8, 12, 12)),
    "theta 10, sections 8 12 12": (10.0, (8, 12, 12)),
    "theta 10, sections 4 14 14": (10.0, (4, 14, 14)),
    "theta 1,000,000, sections 8 12 12": (1e6, (8, 12, 12)),
}
"""As the built-in model has them; quicker frequencies; those and more of them for height and width, as the next one is
to have them; as the released checkpoints share them out."""
SEEDS, STEPS, LAST = (1, 2, 3), 40, 8


def settings(smoke: bool) -> Sequence[Setting]:
    rows = [{"name": f"{name}, seed {seed}", "variant": name, "seed": seed} for seed in SEEDS for name in VARIANTS]
    return rows[:1] if smoke else rows


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    """Loss of the answers over the last steps; every step has new pictures, so none was seen before."""
    from viewfinder.tiny.run import train

    theta, sections = VARIANTS[setting["variant"]]
    out = (lab.out or Path(tempfile.mkdtemp())) / "trained" / slug(setting["name"])
    wanted = {
        "model.text.rope_theta": theta,
        "model.text.mrope_section": list(sections),
        "media_input": "labels",
        "steps": 1 if lab.smoke else STEPS,
        "seed": setting["seed"],
        "threads": 1,
        "save_every": 1000,
        "log_every": 1,
        "optimizer.muon_lr": 0.01,
        "optimizer.adamw_lr": 0.002,
        "optimizer.warmup": 5,
        "data.patches": 576,
        "data.max_pixels": 12544,
        "data.max_side": 140,
        "data.styles": '{"one":1.0}',
        "data.tasks": '{"locate":1.0,"point":1.0}',
    }
    train("tiny-joint", out, [f"{key}={value}" for key, value in wanted.items()])
    losses = [line["answer"] for line in read_values(out / "metrics.jsonl") if "answer" in line]
    return {"losses": [round(v, 4) for v in losses], "loss": round(fmean(losses[-LAST:]), 4)}


def find(records: Sequence[Record]) -> Findings:
    of = {name: [r for r in records if r["variant"] == name] for name in VARIANTS}
    of = {name: rows for name, rows in of.items() if rows}
    ends = {name: sorted(r["loss"] for r in rows) for name, rows in of.items()}
    best, worst = min(ends, key=lambda n: fmean(ends[n])), max(ends, key=lambda n: fmean(ends[n]))
    apart = ends[best][-1] < ends[worst][0]
    answer = (
        f"After {len(records[0]['losses'])} steps of equal compute the loss of places is lowest with {best} "
        f"({fmean(ends[best]):.3f} nats a token) and highest with {worst} ({fmean(ends[worst]):.3f}). Over "
        f"{len(ends[best])} seeds these two {'do not overlap' if apart and best != worst else 'overlap'}, so the "
        f"choice {'matters' if apart and best != worst else 'is not shown to matter'} this early in training."
    )
    curves = [
        Series(
            n, range(1, len(rows[0]["losses"]) + 1), [fmean(v) for v in zip(*(r["losses"] for r in rows), strict=True)]
        )
        for n, rows in of.items()
    ]
    rows = [[n, str(len(v)), f"{fmean(v):.3f}", f"{v[0]:.3f} to {v[-1]:.3f}"] for n, v in ends.items()]
    return Findings(
        answer,
        [Panel("Loss of the answers, mean over seeds", "step", "nats a token", curves)],
        ["frequencies", "seeds", f"loss of the last {LAST} steps", "least to most"],
        rows,
        [
            (
                "Patch size, merge size and temporal grouping were not varied: tokens of another size need their own "
                "labels."
            ),
            "So few steps show how fast a form is learnt, not where training ends.",
        ],
        "",
    )


STUDY = Study(
    5,
    "geometry",
    "Frequencies of the position ids",
    "how sensitive training is to patch size, merging, temporal grouping, and the frequencies that width gets.",
    settings,
    measure,
    find,
    needs="nothing",
    trains=True,
    hours="a quarter of an hour of one core",
)
