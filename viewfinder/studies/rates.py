"""2. Frame rates: moments, tokens and time from 10 seconds to 3 hours, at fixed rates, a fixed number of frames, or by
what changes."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from viewfinder.config import OFFICIAL_SIZES
from viewfinder.processor.cost import predict
from viewfinder.studies import clips
from viewfinder.studies.lab import Lab, estimate
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, percent

LENGTHS = (10, 60, 300, 1800, 10800)
RATES = (0.25, 0.5, 1, 2, 4, 8)
BUDGET, MOST = 64, 256
"""Frames of the two schedules that spend the same on every clip, and the most that are asked in one request."""
COUNT = 8
BANDS = ((0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 1e9))
"""Frames that fall into the event."""
PAIR = (1, 16, 32)
"""Patches of a pair of frames at the official least size (128 tokens), for the predicted cost of 7B."""
SPEED = 989e12 * 0.4
"""FLOP/s of an H100 in bfloat16, of which two fifths are taken to be reached."""


def settings(smoke: bool) -> Sequence[Setting]:
    names = [*(f"{rate:g} fps" for rate in RATES), f"{BUDGET} even", f"{BUDGET} by change"]
    if smoke:
        return [{"name": f"10 s, {names[i]}", "seconds": 10, "schedule": names[i]} for i in (0, -1)]
    return [{"name": f"{s} s, {name}", "seconds": s, "schedule": name} for s in LENGTHS for name in names]


def pick(schedule: str, made: Any) -> clips.Times:
    """Times of the frames that a schedule takes; the scan for changes looks four times a second, once in long clips."""
    if schedule.endswith("fps"):
        return clips.even(made.duration, float(schedule.split()[0]))
    frames = min(BUDGET, int(made.duration * 8))
    if schedule.endswith("even"):
        return clips.even(made.duration, frames / made.duration)
    return clips.content_aware(made, frames, 4 if made.duration <= 600 else 1)


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    seconds, schedule = setting["seconds"], setting["schedule"]
    frames = int(seconds * float(schedule.split()[0])) if schedule.endswith("fps") else min(BUDGET, seconds * 8)
    priced = {"frames": frames, **_price(frames)}
    if frames > MOST:
        return priced
    task = clips.task(setting["name"], seconds, partial(pick, schedule))
    count = lab.count(COUNT)
    scored = lab.ask(task, setting["name"], count)
    seen = []
    for one in lab.questions(task, count):
        start, end = one.truth["span"]
        seen.append(sum(start <= t < end for t in one.truth["times"]))
    return {
        **priced,
        "score": estimate([s.value for s in scored]),
        "seen": seen,
        "overlap": [round(s.value, 3) for s in scored],
    }


def _price(frames: int) -> dict[str, float]:
    """Of 7B: tokens, seconds to the first token on an H100, and GB of keys and values."""
    pairs = max(1, frames // 2)
    tokens = pairs * PAIR[1] * PAIR[2] // 4
    cost = predict(OFFICIAL_SIZES["7B"], [(pairs, PAIR[1], PAIR[2])], tokens + 40)
    return {"tokens": tokens, "first token": round(cost.flops / SPEED, 3), "cache GB": round(cost.cache_bytes / 1e9, 3)}


def find(records: Sequence[Record]) -> Findings:
    asked = [r for r in records if "score" in r]
    schedules = list(dict.fromkeys(r["schedule"] for r in records))
    lengths = list(dict.fromkeys(r["seconds"] for r in asked))
    bands = _bands(asked)
    by_length = {
        length: max((r for r in asked if r["seconds"] == length), key=lambda r: r["score"][0]) for length in lengths
    }
    longest = [r for r in asked if r["seconds"] == lengths[-1]]
    enough = next((name for name, value in bands.items() if value[0] >= 0.8 * max(v[0] for v in bands.values())), "")
    best = by_length[lengths[-1]]
    answer = (
        f"What decides is how many frames fall into the event: overlap is {_told(bands)} percent, so take the lowest "
        f"rate "
        f"that puts {enough} frames into the shortest event asked for. Where that does not fit ({lengths[-1] / 60:.0f} "
        f"minutes in {best['frames']} frames), the best schedule was `{best['schedule']}` with "
        f"{best['score'][0]:.0f} % "
        f"against {min(r['score'][0] for r in longest):.0f} %, at {best['first token']:.1f} s and "
        f"{best['cache GB']:.1f} GB of a 7B."
    )
    panels = [
        Panel(
            "Moments by length and schedule",
            "seconds of the clip",
            "temporal IoU, %",
            [
                Series(
                    s,
                    [r["seconds"] for r in asked if r["schedule"] == s],
                    [r["score"] for r in asked if r["schedule"] == s],
                )
                for s in schedules
                if any(r["schedule"] == s for r in asked)
            ],
            logarithmic="x",
            top=100,
        ),
        Panel(
            "By frames in the event",
            "frames",
            "temporal IoU, %",
            [Series("all", list(bands), list(bands.values()))],
            "bars",
            top=100,
        ),
        Panel(
            "Predicted: 7B on an H100",
            "seconds of the clip",
            "seconds to the first token",
            [
                Series(
                    s,
                    [r["seconds"] for r in records if r["schedule"] == s],
                    [r["first token"] for r in records if r["schedule"] == s],
                )
                for s in schedules
            ],
            logarithmic="xy",
        ),
    ]
    rows = [
        [r["name"], str(r["frames"]), percent(r["score"]) if "score" in r else "over the budget", f"{r['tokens']:,}",
         f"{r['first token']:.2f}", f"{r['cache GB']:.2f}"]
        for r in records
    ]  # fmt: skip
    return Findings(
        answer,
        panels,
        ["clip, schedule", "frames", "overlap, %", "tokens of 7B", "s to first token", "cache, GB"],
        rows,
        [
            (
                "Eight clips a cell with one event each of 1 to 6 seconds on a still background: a change is easy to "
                "see. In "
                "film and from a moving camera everything changes, and the schedule by change falls back to an even "
                "one."
            ),
            (
                f"More than {MOST} frames are not asked in one request here; `viewfinder moments` cuts such clips into "
                f"windows."
            ),
            (
                "Seconds and gigabytes are predicted for the 7B size on one H100 at two fifths of its peak, frames "
                "at the least "
                "official size; none was run. Reading frames from a file is not in them."
            ),
        ],
        "A budgeted clip should spend half of its frames where a cheap scan sees a change; `viewfinder moments` "
        "takes an even "
        "rate today.",
    )


def _bands(asked: Sequence[Record]) -> dict[str, list[float]]:
    pairs = [(n, v) for r in asked for n, v in zip(r["seen"], r["overlap"], strict=True)]
    found = {}
    for low, high in BANDS:
        values = [v for n, v in pairs if low <= n < high]
        if values:
            found[f"{low}" if high - low == 1 else f"{low}+" if high > 1e6 else f"{low}-{int(high) - 1}"] = estimate(
                values
            )
    return found


def _told(bands: Mapping[str, Sequence[float]]) -> str:
    return ", ".join(f"{value[0]:.0f} at {name}" for name, value in bands.items())


STUDY = Study(
    2,
    "rates",
    "Frame rates and schedules",
    "which frame rate a clip needs, and whether it should be fixed, budgeted or chosen by content.",
    settings,
    measure,
    find,
)
