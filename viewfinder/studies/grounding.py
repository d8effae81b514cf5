"""7. Grounding in clutter, under occlusion, beside distractors and lying words: how it fails, whether confidence knows,
and what `--verify` catches and costs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from viewfinder.data.synth.fonts import find_families, load_font
from viewfinder.data.synth.queries import thing_label
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.eval.drawn import scene
from viewfinder.eval.metrics import iou
from viewfinder.eval.metrics.intervals import expected_calibration_error, ranking
from viewfinder.outputs.place import Corners
from viewfinder.studies.lab import BATCH, Lab, estimate
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, percent

LEVELS: Mapping[str, Sequence[float]] = {
    "distractors": (0, 2, 5, 9),
    "occlusion": (0.25, 0.5, 0.75),
    "texture": (1, 2),
    "lying words": (1, 2),
}
"""Other things, share covered in the middle, strength of a background of strokes, and a label of the same words on
another place (1: beside, 2: in large letters)."""
COUNT, SIZE, SEED = 16, (168, 168), 20_261_207
OUTCOMES = ("right", "loose", "another thing", "nowhere", "none")
Case = tuple[Image.Image, str, Corners, list[Corners]]
"""Picture, query, box of what is asked for, boxes of the others."""


def settings(smoke: bool) -> Sequence[Setting]:
    rows = [{"name": f"{kind} {v:g}", "kind": kind, "level": v} for kind, levels in LEVELS.items() for v in levels]
    return rows[1:2] if smoke else rows


@cache
def cases(kind: str, level: float, count: int) -> tuple[Case, ...]:
    return tuple(case for _, case in zip(range(count), _cases(kind, level), strict=False))


def _cases(kind: str, level: float) -> Iterator[Case]:
    """The same scenes for every kind but the number of other things."""
    others = int(level) if kind == "distractors" else 2
    rng = np.random.default_rng((SEED, others))
    while True:
        made = scene(rng, SIZE, things=(others + 1, others + 1), thing_size=(0.16, 0.3), pairs="all")
        target, rest = made.things[0], made.things[1:]
        if any(thing_label(other) == thing_label(target) for other in rest):
            continue
        box = _floats(target.box)
        image = _changed(made.image.copy(), kind, level, box, thing_label(target), rng)
        yield image, f"the {thing_label(target)}", box, [_floats(other.box) for other in rest]


def _floats(box: PixelRectangle) -> Corners:
    x1, y1, x2, y2 = map(float, box)
    return x1, y1, x2, y2


def _changed(image: Image.Image, kind: str, level: float, box: Sequence[float], label: str, rng: Any) -> Image.Image:
    pen = ImageDraw.Draw(image)
    x1, y1, x2, y2 = box
    if kind == "occlusion":
        half, middle = (x2 - x1) * level / 2, (x1 + x2) / 2
        pen.rectangle((middle - half, y1 - 2, middle + half, y2 + 2), fill=(150, 150, 150))
    elif kind == "texture":
        for _ in range(int(40 * level)):
            x, y = (int(v) for v in rng.integers(0, SIZE[0], 2))
            gray = int(rng.integers(90, 200))
            pen.line((x, y, x + int(rng.integers(-20, 20)), y + int(rng.integers(-20, 20))), fill=(gray,) * 3)
    elif kind == "lying words":
        font = load_font(find_families(held_out=True)[0][1][0], int(9 + 7 * level))
        y = 4 if y1 > SIZE[1] / 2 else SIZE[1] - 14 - 8 * level
        light = int(np.asarray(image)[int(y), 6].sum()) > 380
        pen.text((6, y), f"{label} here", fill="black" if light else "white", font=font)
    return image


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    """Each case is located with and without `--verify`; the second look is an own request per box."""
    from concurrent.futures import ThreadPoolExecutor

    made = cases(setting["kind"], setting["level"], lab.count(COUNT))
    model = lab.model()
    with ThreadPoolExecutor(BATCH) as pool:
        found = list(pool.map(lambda case: model.locate(case[0], case[1], verify=True, max_items=4), made))
    outcomes = [_outcome([b.xyxy for b in boxes], case) for boxes, case in zip(found, made, strict=True)]
    first = [boxes[0] if boxes else None for boxes in found]
    sure = [0.0 if box is None or box.confidence is None else box.confidence for box in first]
    right = [float(outcome == "right") for outcome in outcomes]
    verified = [bool(box and box.verified) for box in first]
    return {
        "right": estimate(right),
        "outcomes": dict(Counter(outcomes)),
        "calibration": round(100 * expected_calibration_error(sure, right), 1),
        "ranking": round(ranking(sure, right), 3),
        "verified": verified,
        "was right": [outcome == "right" for outcome in outcomes],
        "answered": [box is not None for box in first],
        "requests": round(1 + sum(map(len, found)) / len(found), 2),
    }


def _outcome(boxes: Sequence[Sequence[float]], case: Case) -> str:
    """The first box decides, as in the suites."""
    if not boxes:
        return "none"
    x1, y1, x2, y2 = boxes[0]
    box = (x1, y1, x2, y2)
    overlap = iou(box, case[2])
    if overlap >= 0.5:
        return "right"
    if any(iou(box, other) >= 0.5 for other in case[3]):
        return "another thing"
    return "loose" if overlap >= 0.1 else "nowhere"


def find(records: Sequence[Record]) -> Findings:
    pairs = [
        (v, r)
        for one in records
        for v, r, a in zip(one["verified"], one["was right"], one["answered"], strict=True)
        if a
    ]
    wrong, right = [v for v, r in pairs if not r], [v for v, r in pairs if r]
    caught, lost = estimate([float(not v) for v in wrong]), estimate([float(not v) for v in right])
    kept = [r for v, r in pairs if v]
    requests = float(np.mean([r["requests"] for r in records]))
    counts = Counter({o: sum(r["outcomes"].get(o, 0) for r in records) for o in OUTCOMES})
    best, worst = max(records, key=lambda r: r["right"][0]), min(records, key=lambda r: r["right"][0])
    main = max(OUTCOMES[1:], key=lambda o: counts[o])
    answer = (
        f"Boxes are right in {best['right'][0]:.0f} % of the pictures at best ({best['name']}) and "
        f"{worst['right'][0]:.0f} % at worst ({worst['name']}); the most frequent failure is `{main}` ({counts[main]} "
        f"of {sum(counts.values())} answers). `--verify` marks {percent(caught)} % of the wrong boxes and, by mistake, "
        f"{percent(lost)} % of the right ones, which lifts what is right among the kept from "
        f"{100 * len(right) / max(1, len(pairs)):.0f} to {100 * sum(kept) / max(1, len(kept)):.0f} %, at "
        f"{requests:.1f} times the requests."
    )
    kinds = [kind for kind in LEVELS if any(r["kind"] == kind for r in records)]
    names = [r["name"] for r in records]
    panels = [
        Panel(
            "Right by difficulty",
            "step of the difficulty",
            "IoU of a half, %",
            [
                Series(kind, [str(i + 1) for i in range(len(rows))], [r["right"] for r in rows])
                for kind in kinds
                for rows in [[r for r in records if r["kind"] == kind]]
            ],
            top=105,
        ),
        Panel(
            "How it fails",
            "",
            "answers",
            [Series(o, names, [r["outcomes"].get(o, 0) for r in records]) for o in OUTCOMES[1:]],
            "bars",
        ),
        Panel(
            "What --verify marks",
            "",
            "% marked as not verified",
            [Series("boxes", ["wrong", "right"], [caught, lost])],
            "bars",
            top=105,
        ),
    ]
    rows = [
        [
            r["name"],
            percent(r["right"]),
            *(str(r["outcomes"].get(o, 0)) for o in OUTCOMES[1:]),
            *(f"{r['calibration']:.0f}", f"{r['ranking']:.2f}", f"{r['requests']:.1f}"),
        ]
        for r in records
    ]
    return Findings(
        answer,
        panels,
        ["picture", "right, %", *OUTCOMES[1:], "ECE", "ranking", "requests"],
        rows,
        [
            f"{COUNT} pictures a row: neighboring rows are often not told apart.",
            "Clutter is drawn (shapes, strokes, bars), not photographed; words lie in English only.",
            "`--verify` asks the same model again on a crop, so errors that stay in the crop are not caught.",
        ],
        "",
    )


STUDY = Study(
    7,
    "grounding",
    "Grounding in clutter, occlusion and lying words",
    "how boxes fail in hard pictures, and whether failures can be known without the truth.",
    settings,
    measure,
    find,
)
