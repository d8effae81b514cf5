"""Hours of video through the windows: every planted event is found on the clock of the original, at flat memory."""

import resource
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.video_files import surveillance
from tests.doubles import ScriptedChat, small_processor
from viewfinder.chat import Viewfinder
from viewfinder.messages import Message

RATE = 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "events"), [(600, 3), (10_800, 40)])
def test_every_planted_event_is_found(tmp_path: Path, seconds: int, events: int) -> None:
    """Squares that stand for 4 s in a still 720p scene; the model is one that compares frames with the first."""
    film = tmp_path / "film.mp4"
    planted = surveillance(film, seconds, 10, events)
    watcher = _watcher()
    before = _peak_megabytes()
    found = watcher.moments(str(film), "a square stands there", fps=RATE)
    assert _peak_megabytes() - before < 600
    assert len(watcher.model.requests) > seconds / 300
    assert len(found) == events
    for span, (start, end) in zip(found, planted, strict=True):
        assert span.start == pytest.approx(start, abs=1 / RATE + 0.1)
        assert span.end == pytest.approx(end, abs=1 / RATE + 0.1)


def _watcher() -> Viewfinder:
    """Windows of 256 s, as those of the built-in model; answers on the window's clock."""
    size = {"video_min_pixels": 112 * 56, "video_max_pixels": 112 * 112}
    processor = small_processor(max_frames=128, total_pixels=112 * 56 * 64, **size)
    still: list[np.ndarray] = []

    def answer(messages: Sequence[Message]) -> str:
        prepared = processor.prepare(messages)
        times = prepared.media[0].frame_times
        steps = prepared.media[0].grid_thw[0]
        frames = prepared.inputs.pixel_values.view(steps, -1, 3, 2, 196).transpose(1, 3).flatten(0, 1).flatten(1)
        assert len(frames) == 2 * steps
        if not still:
            still.append(frames.median(dim=0).values)
        seen = [
            t - times[0]
            for t, frame in zip(times, frames, strict=False)
            if ((frame - still[0]).abs() > 0.5).float().mean() > 0.004
        ]
        runs: list[list[float]] = []
        for time in seen:
            if not runs or time - runs[-1][-1] > 1.5 / RATE:
                runs.append([])
            runs[-1].append(time)
        if not runs:
            return "The given query does not occur in the video."
        spans = " and ".join(f"{run[0]:.1f} - {run[-1]:.1f}" for run in runs)
        return f"The given query happens in {spans} seconds."

    return Viewfinder(ScriptedChat(processor, answer), processor)


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
