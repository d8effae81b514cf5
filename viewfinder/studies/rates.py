"""2. Frame rates: moments, tokens and time from 10 seconds to 3 hours, at fixed rates, a fixed number of frames, or by
what changes."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from viewfinder.chat.windows import cut
from viewfinder.config import OFFICIAL_SIZES
from viewfinder.eval.metrics import temporal_iou
from viewfinder.processor.cost import predict
from viewfinder.studies import clips
from viewfinder.studies.lab import Lab, estimate
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, percent

LENGTHS = (10, 60, 300, 1800, 10800)
RATES = (0.25, 0.5, 1, 2, 4, 8)
BUDGET, MOST = 64, 256
"""Frames of the two schedules that spend the same on every clip, and the most that are asked in one request."""
COUNT = 8
WINDOW, WINDOWS, MOST_WINDOWS = 12.0, "windows of 12 s at 2 fps", 40
"""Seconds of a window, as long as the clips of training; and the most windows of a clip that are asked."""
MEASURED = 1800
"""Seconds of the longest clip that is drawn; longer ones are priced only."""
BANDS = ((0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 1e9))
"""Frames that fall into the event."""
PAIR = (1, 16, 32)
"""Patches of a pair of frames at the official least size (128 tokens), for the predicted cost of 7B."""
SPEED = 989e12 * 0.4
"""FLOP/s of an H100 in bfloat16, of which two fifths are taken to be reached."""


def settings(smoke: bool) -> Sequence[Setting]:
    names = [*(f"{rate:g} fps" for rate in RATES), f"{BUDGET} even", f"{BUDGET} by change", WINDOWS]
    if smoke:
        return [{"name": f"10 s, {names[i]}", "seconds": 10, "schedule": names[i]} for i in (0, -2)]
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
    if schedule == WINDOWS:
        return _in_windows(lab, seconds)
    frames = int(seconds * float(schedule.split()[0])) if schedule.endswith("fps") else min(BUDGET, seconds * 8)
    priced = {"frames": frames, **_price(frames)}
    if frames > MOST or seconds > MEASURED:
        return priced
    task = clips.task(setting["name"], seconds, partial(pick, schedule))
    count = lab.count(COUNT)
    scored = lab.ask(task, setting["name"], count)
    seen = []
    for one in lab.questions(task, count):
        start, end = one.truth["span"]
        seen.append(sum(start <= t < end for t in one.truth["times"]))
    values = [s.value for s in scored]
    return {**priced, "score": estimate(values), "seen": seen, "overlap": [round(v, 3) for v in values]}


def _in_windows(lab: Lab, seconds: float) -> Mapping[str, Any]:
    """Every window is asked, and the surest answer of a clip counts, as in `viewfinder moments`."""
    windows = len(cut(seconds, WINDOW))
    one = _price(int(WINDOW * 2))
    priced = {"frames": int(windows * WINDOW * 2), "windows": windows, "tokens": windows * one["tokens"]}
    priced |= {"first token": round(windows * one["first token"], 3), "cache GB": one["cache GB"]}
    if windows > MOST_WINDOWS:
        return priced
    clips_asked = lab.count(COUNT)
    task = clips.windows_task(f"{seconds} s {WINDOWS}", seconds, WINDOW, 2, clips_asked)
    scored = lab.ask(task, task.title, windows * clips_asked)
    values = []
    for number in range(clips_asked):
        found = [s for s in scored if s.tags["clip"] == str(number) and s.prediction]
        surest = max(found, key=lambda s: s.confidence or 0.0, default=None)
        if surest is None:
            values.append(0.0)
            continue
        start = float(surest.tags["start"])
        said = (surest.prediction[0] + start, surest.prediction[1] + start)
        values.append(temporal_iou(said, tuple(surest.truth["span"])))
    return {**priced, "score": estimate(values)}


def _price(frames: int) -> dict[str, float]:
    """Of 7B: tokens, seconds to the first token on an H100, and GB of keys and values."""
    pairs = max(1, frames // 2)
    tokens = pairs * PAIR[1] * PAIR[2] // 4
    cost = predict(OFFICIAL_SIZES["7B"], [(pairs, PAIR[1], PAIR[2])], tokens + 40)
    return {"tokens": tokens, "first token": round(cost.flops / SPEED, 3), "cache GB": round(cost.cache_bytes / 1e9, 3)}


def find(records: Sequence[Record]) -> Findings:
    asked = [r for r in records if "score" in r]
    lengths = list(dict.fromkeys(r["seconds"] for r in asked))
    bands = _bands([r for r in asked if r["seconds"] == lengths[0] and "seen" in r])
    first, then = lengths[0], lengths[min(1, len(lengths) - 1)]
    best = {
        n: max((r for r in asked if r["seconds"] == n and "seen" in r), key=lambda r: r["score"][0]) for n in lengths
    }
    cut_up = {r["seconds"]: r for r in asked if r["schedule"] == WINDOWS}
    windows = ", ".join(f"{r['score'][0]:.0f} % in clips of {n} s ({r['windows']} windows)" for n, r in cut_up.items())
    answer = (
        f"In clips of {first} s more frames in the event help up to a point (overlap {_told(bands)} frames), and "
        f"`{best[first]['schedule']}` is best with {best[first]['score'][0]:.0f} %; in one request over {then} s the "
        f"same events are lost at any rate and by any choice of frames ({best[then]['score'][0]:.0f} % at best). What "
        f"helps is to ask windows as short as the clips of training: {windows or 'not asked in this run'}."
    )
    panels = [
        Panel(
            "Moments by length and schedule",
            "seconds of the clip",
            "temporal IoU, %",
            _curves(asked, "score", ("1 fps", "2 fps", f"{BUDGET} even", f"{BUDGET} by change", WINDOWS)),
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
            _curves(records, "first token", ("0.25 fps", "1 fps", "2 fps", "8 fps", f"{BUDGET} even", WINDOWS)),
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
                "see. In film and from a moving camera everything changes, and the schedule by change falls back to an "
                "even one."
            ),
            (
                f"More than {MOST} frames are not asked in one request here; `viewfinder moments` cuts such clips into "
                f"windows."
            ),
            (
                "Seconds and gigabytes are predicted for the 7B size on one H100 at two fifths of its peak, frames at "
                "the least official size; none was run. Reading frames from a file is not in them."
            ),
        ],
        "Cut a long clip by what the model was taught, not by what its budget of frames holds (64 s at 2 fps for the "
        "built-in model): `viewfinder moments --window 12` now does so.",
    )


def _curves(records: Sequence[Record], key: str, schedules: Sequence[str]) -> list[Series]:
    of = {name: [r for r in records if r["schedule"] == name] for name in schedules}
    return [Series(n, [r["seconds"] for r in rows], [r[key] for r in rows]) for n, rows in of.items() if rows]


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
