"""11. How placing, reading and charts fail together as the picture degrades, and where the confidence stops being true."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from viewfinder.eval.metrics.calibration import expected_calibration_error
from viewfinder.eval.question import Question
from viewfinder.eval.task import Task
from viewfinder.media.encode import encode_picture
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart
from viewfinder.studies.lab import Lab, estimate
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, percent

LEVELS: Mapping[str, tuple[float, ...]] = {
    "resolution": (0.7, 0.5, 0.35),
    "noise": (15, 35, 70),
    "jpeg": (40, 15, 5),
    "blur": (0.7, 1.4, 2.8),
}
"""Share of the pixels a side that is kept (drawn at the old size again), standard deviation of 255, quality, and
radius in pixels: mild, middle, strong."""
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


def worsened(kind: str, level: float) -> Callable[[Question, random.Random], Question]:
    """Each picture of a question degraded."""

    def change(question: Question, rng: random.Random) -> Question:
        def part(one: Any) -> Any:
            if not isinstance(one, ImagePart):
                return one
            worse = worsen(load_image(one.image).image, kind, level, rng)
            return one.model_copy(update={"image": encode_picture(worse) if isinstance(worse, Image.Image) else worse})

        messages = tuple(m.model_copy(update={"parts": tuple(map(part, m.parts))}) for m in question.messages)
        return replace(question, messages=messages)

    return change


def settings(smoke: bool) -> Sequence[Setting]:
    rows = [{"name": "clean", "kind": "clean", "step": 0, "level": 0.0}]
    for kind, levels in LEVELS.items():
        rows += [{"name": f"{kind} {v:g}", "kind": kind, "step": i, "level": v} for i, v in enumerate(levels, 1)]
    return rows[:2] if smoke else rows


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    change = None if setting["kind"] == "clean" else worsened(setting["kind"], setting["level"])
    measured: dict[str, Any] = {}
    for name, (task, full) in TASKS.items():
        if lab.smoke and name == "chart":
            continue
        scored = lab.ask(_task(task), setting["name"], lab.count(full), change)
        sure = [1.0 if s.confidence is None else s.confidence for s in scored]
        right = [s.value for s in scored]
        measured[name] = estimate(right)
        measured[f"{name} sure"] = round(100 * fmean(sure), 2)
        measured[f"{name} calibration"] = round(100 * expected_calibration_error(sure, right), 2)
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
    over = Panel(
        "Confidence less score",
        "score, %",
        "points of overconfidence",
        [Series(name, *_sorted([(r[name][0], r[f"{name} sure"] - r[name][0]) for r in records])) for name in names],
    )
    drops = {name: [clean[name][0] - r[name][0] for r in records[1:]] for name in names}
    together = _correlation(drops[names[0]], drops[names[1]]) if len(records) > 3 else 0.0
    worst = {name: min(records, key=lambda r: r[name][0]) for name in names}
    gap = {name: max(records, key=lambda r: r[f"{name} sure"] - r[name][0]) for name in names}
    answer = (
        f"Reading fails first ({_span(clean, worst, 'read')}) and placing after it ({_span(clean, worst, 'place')}), and "
        f"their drops go together over degradations (rank correlation {together:.2f}). Confidence stops being true where "
        f"scores fall: at {gap['read']['name']} reading is {gap['read']['read sure']:.0f} % sure and "
        f"{gap['read']['read'][0]:.0f} % right, placing at {gap['place']['name']} {gap['place']['place sure']:.0f} and "
        f"{gap['place']['place'][0]:.0f}."
    )
    rows = [
        [r["name"], *(cell for n in names for cell in (percent(r[n]), f"{r[f'{n} sure']:.0f}", f"{r[f'{n} calibration']:.0f}"))]
        for r in records
    ]  # fmt: skip
    heads = ["picture", *(h for n in names for h in (f"{n}, %", "sure, %", "ECE"))]
    return Findings(
        answer,
        [*curves, over],
        heads,
        rows,
        [
            "Every cell has few questions, so intervals are wide; neighboring levels are often not told apart.",
            "Pictures are generated and small (112 to 280 pixels); photographs and scans of paper degrade otherwise.",
            (
                "A chart's score is TEDS of its table: a measure of text more than of values. The share that is exactly right "
                "is lower, so its overconfidence is understated."
            ),
            "The confidence is the geometric mean of the answer's token probabilities as the engine gives it; nothing was fitted.",
        ],
        "Answers should carry a warning when the picture is worse than what the confidence was seen to hold for: blur and "
        "resolution can be measured from the pixels alone.",
    )


def _span(clean: Record, worst: Mapping[str, Record], name: str) -> str:
    return f"{clean[name][0]:.0f} % to {worst[name][name][0]:.0f} % at {worst[name]['name']}"


def _sorted(points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    points = sorted(points)
    return [x for x, _ in points], [y for _, y in points]


def _correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's, ties by order."""
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


STUDY = Study(
    11,
    "degradation",
    "What degrades together, and where confidence stops being true",
    "how errors of grounding, reading and chart answers move together as the input degrades.",
    settings,
    measure,
    find,
)
