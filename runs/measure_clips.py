"""Measure when-questions on encoded clips: `python runs/measure_clips.py DIR [--count N] [--out FILE]`.

Clips hold one event each, drawn with the shape-color pairs and fonts held out of training, encoded as H.264 at 30
frames a second and asked through `Viewfinder.moments`, per rate of looking and per length. Temporal IoU is of the
surest answer; none counts 0. Every clip is encoded again at 12 frames a second, and the answer must not move by a
sampling interval. A blank clip of the same length tells what guessing gives. Seeds are fixed, so two models meet the
same clips. An answer is cut after 64 tokens, which one span never needs: a weak model would fill its budget.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import viewfinder as vf
from viewfinder.data.synth.clips import EventClip, make_clip
from viewfinder.data.synth.fonts import find_families
from viewfinder.eval.metrics import temporal_iou
from viewfinder.media.encode import write_clip
from viewfinder.outputs.spans import Span

RATES = (0.5, 1.0, 2.0, 4.0, 8.0)
LENGTHS = ((5.0, 15.0), (15.0, 40.0), (40.0, 120.0))
SIZE = (112, 112)
MAX_NEW_TOKENS = 64


@dataclass
class Cell:
    """What one rate and length gave."""

    ious: list[float] = field(default_factory=list)
    blind: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    """Seconds by which the answer for the clip encoded again differs; infinite where only one was answered."""
    held: list[bool] = field(default_factory=list)
    """Whether that is less than one sampling interval."""

    def summary(self) -> dict[str, Any]:
        finite = [seconds for seconds in self.moved if math.isfinite(seconds)]
        return {
            "n": len(self.ious),
            "mean_iou": round(statistics.mean(self.ious), 3),
            "blank_mean_iou": round(statistics.mean(self.blind), 3),
            "answered": round(len(self.errors) / (2 * len(self.ious)), 3),
            "median_error_seconds": round(statistics.median(self.errors), 2) if self.errors else None,
            "held_when_encoded_again": round(statistics.mean(self.held), 3),
            "mean_seconds_moved": round(statistics.mean(finite), 3) if finite else None,
        }


def encode(clip: EventClip, fps: int, path: Path, *, blank: bool = False) -> Path:
    grey = Image.new("RGB", SIZE, (127, 127, 127))
    frames = (grey if blank else clip.frame_at(i / fps) for i in range(int(clip.duration * fps)))
    write_clip(path, frames, fps, preset="ultrafast", crf="16")
    return path


def surest(spans: Sequence[Span]) -> Span | None:
    return max(spans, key=lambda span: span.confidence or 0.0, default=None)


def overlap(clip: EventClip, span: Span | None) -> float:
    return 0.0 if span is None else temporal_iou((clip.start, clip.end), (span.start, span.end))


def apart(first: Span | None, second: Span | None) -> float:
    """Seconds between two answers, at the end where they differ more."""
    if first is None or second is None:
        return 0.0 if first is second else math.inf
    return max(abs(first.start - second.start), abs(first.end - second.end))


def measure(model: vf.Viewfinder, count: int) -> dict[str, Any]:
    families = find_families(held_out=True)
    sampling = model.model.sampling.model_copy(update={"max_new_tokens": MAX_NEW_TOKENS})
    cells: dict[str, Cell] = {}
    with tempfile.TemporaryDirectory() as folder:
        at_30, at_12, blank = (Path(folder) / f"{name}.mp4" for name in ("30", "12", "blank"))
        for low, high in LENGTHS:
            start = time.perf_counter()
            for k in range(count):
                rng = np.random.default_rng((20261125, int(low), k))
                clip = make_clip(rng, SIZE, (low, high), families=families, pairs="held_out")
                encode(clip, 30, at_30), encode(clip, 12, at_12), encode(clip, 10, blank, blank=True)
                rate = RATES[k % len(RATES)]
                found, again, guess = (
                    surest(model.moments(path, clip.query, fps=rate, sampling=sampling))
                    for path in (at_30, at_12, blank)
                )
                moved = apart(found, again)
                for name in (f"{low:g}-{high:g} s", f"{rate:g} fps", "all"):
                    cell = cells.setdefault(name, Cell())
                    cell.ious.append(overlap(clip, found))
                    cell.blind.append(overlap(clip, guess))
                    cell.moved.append(moved)
                    cell.held.append(moved < 1.0 / rate)
                    if found is not None:
                        cell.errors += [abs(found.start - clip.start), abs(found.end - clip.end)]
            name, seconds = f"{low:g}-{high:g} s", time.perf_counter() - start
            print(f"{name} ({seconds:.0f} s of work)  {json.dumps(cells[name].summary())}", file=sys.stderr, flush=True)
    return {name: cell.summary() for name, cell in cells.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--count", type=int, default=40, help="clips of each length")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    report = measure(vf.load(str(options.directory)), options.count)
    text = json.dumps(report, indent=2)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
