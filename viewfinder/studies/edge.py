"""14. Capability against latency at the edge, and a protocol by which anybody measures a device.

The protocol (`viewfinder study edge --model DIR` on the device): pictures of 224, 448 and 896 pixels square of a
fixed pattern, one request at a time, first one left out, then three; seconds to the first token and tokens a second
after it as medians, the process's largest memory, and joules where the processor counts them.
"""

import resource
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.config import OFFICIAL_SIZES
from viewfinder.messages import ImagePart, Reply, Sampling, user
from viewfinder.outputs.prompts import parse_prompt
from viewfinder.studies.devices import DEVICES, Request, seconds
from viewfinder.studies.lab import Lab
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study

EDGE = ("Jetson AGX Orin", "L4", "RTX 4090")
SIDES, REPEATS, ANSWER = (224, 448, 896), 3, 32
REQUEST = Request(side=1036, answer=64)
_JOULES = Path("/sys/class/powercap/intel-rapl:0/energy_uj")


def settings(smoke: bool) -> Sequence[Setting]:
    here = [{"name": f"here, {side} square", "side": side} for side in SIDES]
    predicted = [{"name": f"{s} on {d}", "size": s, "device": d} for d in EDGE for s in OFFICIAL_SIZES]
    return [here[0], *predicted[:2]] if smoke else [*here, *predicted]


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    if "side" in setting:
        return protocol(lab, setting["side"])
    config = OFFICIAL_SIZES[setting["size"]]
    cost, device = REQUEST.cost(config), DEVICES[setting["device"]]
    first, step = seconds(cost, device)
    scores = capability(setting["size"])
    return {
        "whole": round(first + REQUEST.answer * step, 3),
        "first": round(first, 3),
        "step": round(step, 4),
        "fits": cost.bytes * 1.1 < device.memory,
        "score": round(fmean(scores.values()), 1) if scores else None,
        "benchmarks": len(scores),
    }


def capability(size: str) -> dict[str, float]:
    """The report's numbers of the benchmarks that it gives for every size (72B, 7B, 3B), in percent."""
    from viewfinder.eval.tasks import all_tasks

    common = {t.name: t.reported for t in all_tasks().values() if {"3B", "7B", "72B"} <= set(t.reported)}
    return {n: of[size] for n, of in common.items() if size in of and max(of.values()) <= 100}


def protocol(lab: Lab, side: int) -> Mapping[str, Any]:
    """One size of picture, measured as the module says."""
    alone = lab.alone or lab.model()
    message = user(ImagePart(image=picture(side)), parse_prompt())
    runs, repeats = [], 1 if lab.smoke else REPEATS
    for _ in range(1 + repeats):
        joules = _energy()
        started = perf_counter()
        pieces = [
            (perf_counter(), piece)
            for piece in alone.model.stream([message], sampling=Sampling(max_new_tokens=4 if lab.smoke else ANSWER))
        ]
        reply = next(piece for _, piece in pieces if isinstance(piece, Reply))
        first, last = pieces[0][0], pieces[-1][0]
        tokens = reply.usage.completion_tokens
        rate = (tokens - 1) / (last - first) if tokens > 1 and last > first else 0.0
        runs.append((first - started, rate, _energy() - joules, tokens))
    kept = runs[1:]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "first seconds": round(median(run[0] for run in kept), 3),
        "tokens a second": round(median(run[1] for run in kept), 1),
        "joules": round(median(run[2] for run in kept), 2) if _JOULES.exists() else None,
        "tokens": kept[-1][3],
        "peak GB": round(peak / 1e9, 2),
    }


def picture(side: int) -> Image.Image:
    """A fixed pattern of gray squares, the same on every machine."""
    squares = np.random.default_rng(14).integers(0, 256, (16, 16), dtype=np.uint8)
    return Image.fromarray(squares).resize((side, side), Image.Resampling.NEAREST).convert("RGB")


def _energy() -> float:
    try:
        return int(_JOULES.read_text()) / 1e6
    except OSError:
        return 0.0


def find(records: Sequence[Record]) -> Findings:
    here, predicted = [r for r in records if "side" in r], [r for r in records if "device" in r]
    scored = [r for r in predicted if r["score"] is not None]
    devices = list(dict.fromkeys(r["device"] for r in scored))
    gains = {d: _gain([r for r in scored if r["device"] == d and r["fits"]]) for d in devices}
    per = "; ".join(f"{d}: {text}" for d, text in gains.items() if text)
    fast = here[0]
    answer = (
        f"Every size that fits lies on the front, so the choice is a price: {per or 'one size fits each device'}. By "
        f"the protocol this machine gives the studied model {fast['first seconds']:.2f} s to the first token of a "
        f"picture of {fast['side']} square, {fast['tokens a second']:.0f} tokens a second and a largest memory of "
        f"{here[-1]['peak GB']:.1f} GB."
    )
    panels = [
        Panel(
            f"On {d}" + ("" if all(r["fits"] for r in scored if r["device"] == d) else " (72B does not fit)"),
            "seconds of a page with 64 answer tokens",
            "mean of the report's scores, %",
            [Series(r["size"], [r["whole"]], [r["score"]]) for r in scored if r["device"] == d],
            "points",
            "x",
        )
        for d in devices
    ]
    rows = [
        [r["name"], f"{r['first']:.2f}", f"{1000 * r['step']:.0f}", f"{r['whole']:.1f}",
         "-" if r["score"] is None else f"{r['score']:.1f} of {r['benchmarks']}", "yes" if r["fits"] else "no"]
        for r in predicted
    ]  # fmt: skip
    rows += [
        [f"measured {r['name']}", f"{r['first seconds']:.2f}", f"{1000 / max(r['tokens a second'], 1e-9):.0f}",
         f"{r['tokens']} tokens", f"{r['peak GB']:.1f} GB", "-" if r["joules"] is None else f"{r['joules']:.1f} J"]
        for r in here
    ]  # fmt: skip
    return Findings(
        answer,
        panels,
        ["size and device", "first token, s", "further token, ms", "whole, s", "score, or memory", "fits, or energy"],
        rows,
        [
            (
                "Latencies of named devices are predicted (study 4), scores are the report's own; nobody measured both "
                "on one device."
            ),
            "The mean of benchmarks is a poor measure of one's own task: take the benchmark that is like it.",
            "The report gives 32B no score on these benchmarks, so it has no place in the figure.",
            (
                "The measured part is of this machine at a time when other programs used it too; the built-in model "
                "sees at most 336 pixels square, so its larger pictures cost the same."
            ),
            "4-bit weights, which is how the edge runs 7B, are not in the prediction.",
        ],
        "",
    )


def _gain(rows: Sequence[Record]) -> str:
    steps = [
        f"{a['size']} to {b['size']} {b['score'] - a['score']:+.1f} points for {b['whole'] / a['whole']:.1f} times "
        f"the time"
        for a, b in pairwise(sorted(rows, key=lambda r: r["whole"]))
    ]
    return ", ".join(steps)


STUDY = Study(
    14,
    "edge",
    "Capability against latency at the edge",
    "which size to put on a small device, and how to measure devices so that figures can be set side by side.",
    settings,
    measure,
    find,
)
