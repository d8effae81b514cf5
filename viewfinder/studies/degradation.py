"""11. How placing, reading and charts fail together as the picture degrades, and where the confidence stops being "
"true."""

import random
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from viewfinder.eval.metrics.intervals import expected_calibration_error
from viewfinder.eval.task import Task
from viewfinder.media.encode import encode_picture
from viewfinder.studies.lab import Lab, estimate, on_pictures
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, percent

LEVELS: Mapping[str, tuple[float, ...]] = {
    "resolution": (0.7, 0.5, 0.35),
    "noise": (15, 35, 70),
    "jpeg": (40, 15, 5),
    "blur": (0.7, 1.4, 2.8),
}
"""Share of the pixels a side that is kept (drawn at the old size again), standard deviation of 255, quality, and
radius in pixels: mild, middle, strong."""
WORDS = {"place": "boxes", "read": "words"}
TASKS = {"place": ("builtin_locate", 24), "read": ("builtin_read_latin", 24), "chart": ("builtin_chart", 8)}


def worsen(image: Image.Image, kind: str, level: float, rng: random.Random) -> Any:
    """The picture after one degradation, at its own size, so that truth stays where it was."""
    if kind == "resolution":
        small = image.resize(
            (max(1, round(image.width * level)), max(1, round(image.height * level))), Image.Resampling.BOX
        )
        return small.resize(image.size, Image.Resampling.BICUBIC)
    if kind == "noise":
        noise = np.random.default_rng(rng.getrandbits(32)).normal(0, level, (image.height, image.width, 3))
        return Image.fromarray(np.clip(np.asarray(image, np.float64) + noise, 0, 255).astype(np.uint8))
    if kind == "jpeg":
        return encode_picture(image, "JPEG", quality=int(level))
    return image.filter(ImageFilter.GaussianBlur(level))


def settings(smoke: bool) -> Sequence[Setting]:
    rows = [{"name": "clean", "kind": "clean", "step": 0, "level": 0.0}]
    for kind, levels in LEVELS.items():
        rows += [{"name": f"{kind} {v:g}", "kind": kind, "step": i, "level": v} for i, v in enumerate(levels, 1)]
    return rows[:2] if smoke else rows


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    kind, level = setting["kind"], setting["level"]
    change = None if kind == "clean" else on_pictures(lambda image, rng: worsen(image, kind, level, rng))
    measured: dict[str, Any] = {}
    for name, (task, full) in TASKS.items():
        if lab.smoke and name == "chart":
            continue
        scored = lab.ask(_task(task), setting["name"], lab.count(full), change)
        spoken = [s for s in scored if s.confidence is not None]
        sure, right = [float(s.confidence or 0) for s in spoken], [s.value for s in spoken]
        measured[name] = estimate([s.value for s in scored])
        measured[f"{name} sure"] = round(100 * fmean(sure), 2) if sure else None
        measured[f"{name} calibration"] = round(100 * expected_calibration_error(sure, right), 2) if sure else None
        measured[f"{name} empty"] = len(scored) - len(spoken)
    return measured


def _task(name: str) -> Task:
    from viewfinder.eval.builtin import all_builtin

    return all_builtin()[name]


def find(records: Sequence[Record]) -> Findings:
    names = [name for name in TASKS if all(name in r for r in records)]
    clean = records[0]
    kinds = [kind for kind in LEVELS if any(r["kind"] == kind for r in records)]
    curves = [
        Panel(
            f"As {kind} degrades",
            {
                "resolution": "share of pixels a side",
                "noise": "deviation of 255",
                "jpeg": "quality",
                "blur": "radius, px",
            }[kind],
            "score, %",
            [
                Series(name, [f"{r['level']:g}" if r is not clean else "clean" for r in rows], [r[name] for r in rows])
                for name in names
                for rows in [[clean, *(r for r in records if r["kind"] == kind)]]
            ],
            top=105,
        )
        for kind in kinds
    ]
    gaps = {
        name: [(r[name][0], r[f"{name} sure"] - r[name][0], r["name"]) for r in records if r[f"{name} sure"]]
        for name in names
    }
    over = Panel(
        "Confidence less score",
        "score, %",
        "points of overconfidence",
        [Series(name, *_columns(sorted(points))) for name, points in gaps.items()],
    )
    drops = {name: [clean[name][0] - r[name][0] for r in records[1:]] for name in names}
    together = _correlation(drops["place"], drops["read"]) if len(records) > 3 else 0.0
    kept = {name: [_kept(records, name, step) for step in (1, 2, 3)] for name in ("place", "read")}
    first, second = sorted(kept, key=lambda name: kept[name][1])
    worst = {name: max(points, key=lambda point: point[1]) for name, points in gaps.items()}
    empty = max(records, key=lambda r: r["read empty"])
    answer = (
        f"{WORDS[first].capitalize()} fail before {WORDS[second]}: at mild, middle and strong degradation they keep "
        f"{_listed(kept[first])} % of their clean score against {_listed(kept[second])} %, and over all degradations "
        f"the two drop together (rank correlation {together:.2f}). Confidence hardly follows: {WORDS['place']} are "
        f"{worst['place'][0] + worst['place'][1]:.0f} % sure and {worst['place'][0]:.0f} % right at "
        f"{worst['place'][2]}, {WORDS['read']} {worst['read'][0] + worst['read'][1]:.0f} and {worst['read'][0]:.0f} at "
        f"{worst['read'][2]}, and {empty['read empty']} of {clean['read'][3]} pages at {empty['name']} got an empty "
        "answer, which has no confidence at all."
    )
    rows = [
        [
            r["name"],
            *(c for n in names for c in (percent(r[n]), _whole(r[f"{n} sure"]), _whole(r[f"{n} calibration"]))),
            str(r["read empty"]),
        ]
        for r in records
    ]
    heads = ["picture", *(h for n in names for h in (f"{n}, %", "sure, %", "ECE")), "empty pages"]
    return Findings(
        answer,
        [*curves, over],
        heads,
        rows,
        [
            "Every cell has few questions, so intervals are wide; neighboring levels are often not told apart.",
            "Pictures are generated and small (112 to 280 pixels); photographs and scans of paper degrade otherwise.",
            (
                "A chart's score is TEDS of its table: a measure of text more than of values. The share that is "
                "exactly right is lower, so its overconfidence is understated."
            ),
            (
                "The confidence is the geometric mean of the answer's token probabilities as the engine gives it; "
                "nothing was fitted."
            ),
        ],
        "An empty answer should not pass without a confidence, as it does now: a blank page and an unreadable one look "
        "alike. Answers should carry a warning when the picture is worse than what the confidence was seen to hold "
        "for: blur and resolution can be measured from the pixels alone.",
    )


def _kept(records: Sequence[Record], name: str, step: int) -> float:
    """Percent of the clean score that is left at a step, mean over kinds."""
    left = [r[name][0] for r in records if r["step"] == step]
    return 100 * fmean(left) / max(1e-9, records[0][name][0]) if left else 100.0


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _columns(points: Sequence[tuple[float, float, str]]) -> tuple[list[float], list[float]]:
    return [x for x, _, _ in points], [y for _, y, _ in points]


def _correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's, ties by order."""
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


STUDY = Study(
    11,
    "degradation",
    "What degrades together, and where confidence stops being true",
    "how errors of grounding, reading and chart answers move together as the input degrades.",
    settings,
    measure,
    find,
)
