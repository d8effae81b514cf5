"""Windows over a clip: coverage, merging, and times on the original's clock."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.video_files import event_spans
from tests.doubles import ScriptedChat, small_processor
from viewfinder.chat import Viewfinder
from viewfinder.chat.windows import Window, cut, merged, window_seconds
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.errors import SettingsError
from viewfinder.media.encode import write_clip
from viewfinder.media.frames import VideoInfo
from viewfinder.messages import Message
from viewfinder.outputs.spans import Span
from viewfinder.processor.processor import Processor


def test_worked_example_of_the_docstring() -> None:
    assert cut(100, 40, overlap=0.25) == [Window(0, 40), Window(30, 70), Window(60, 100)]


@given(st.floats(0.1, 20_000), st.floats(1, 500))
def test_windows_cover_everything_and_neighbours_overlap(duration: float, length: float) -> None:
    windows = cut(duration, length)
    assert windows[0].start == 0
    assert windows[-1].end == pytest.approx(duration)
    assert all(window.seconds <= length * (1 + 1e-9) for window in windows)
    for one, following in pairwise(windows):
        assert following.start < one.end
        assert one.end - following.start >= 0.149 * length


def test_merging_joins_one_label_and_keeps_the_best_evidence() -> None:
    spans = [
        Span(10, 14, "goal", 0.5, (10.0, 12.0)),
        Span(13, 18, "goal", 0.9, (13.0,)),
        Span(18.4, 19, "goal", 0.1),
        Span(25, 26, "goal"),
        Span(11, 12, "foul", 0.3),
    ]
    assert merged(spans, gap=0.5) == [
        Span(10, 19, "goal", 0.9, (10.0, 12.0, 13.0)),
        Span(11, 12, "foul", 0.3),
        Span(25, 26, "goal"),
    ]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 s at 5 fps, 64x64; white between 17 s and 22 s."""
    path = tmp_path_factory.mktemp("clip") / "event.mp4"
    frames = (Image.new("RGB", (64, 64), "white" if 17 <= i / 5 < 22 else "black") for i in range(200))
    write_clip(path, frames, 5)
    return path


def _watcher(calls: list[tuple[float, float]]) -> Viewfinder:
    """Looks at the pixels: answers with the seconds, on its window's clock, in which frames are white."""
    processor = small_processor(
        fps=2.0, max_frames=20, video_min_pixels=3136, video_max_pixels=3136, total_pixels=3136 * 10, min_frames=2
    )

    def answer(messages: Sequence[Message]) -> str:
        prepared = processor.prepare(messages)
        times = prepared.media[0].frame_times
        calls.append((times[0], times[-1]))
        t, h, w = prepared.media[0].grid_thw
        brightness = prepared.inputs.pixel_values.view(t, h * w, 3, 2, 196).mean(dim=(1, 2, 4)).flatten()
        white = [time - times[0] for time, value in zip(times, brightness, strict=True) if value > 0]
        if not white:
            return "The given query does not occur in the video."
        return f"The given query happens in {white[0]:.1f} - {white[-1]:.1f} seconds."

    return Viewfinder(ScriptedChat(processor, answer), processor)


def test_an_event_is_found_across_windows_on_the_clock_of_the_original(clip: Path) -> None:
    calls: list[tuple[float, float]] = []
    found = _watcher(calls).moments(str(clip), "white")
    assert len(calls) > 3
    assert all(end - start <= 10.1 for start, end in calls)
    (span,) = found
    assert span.label == "white"
    assert span.start == pytest.approx(17, abs=0.6)
    assert span.end == pytest.approx(22, abs=0.6)
    assert span.evidence
    assert all(span.start <= time <= span.end for time in span.evidence)


def test_windows_may_be_shorter_than_the_budget_allows(clip: Path, tmp_path: Path) -> None:
    """A model that was taught clips of some seconds loses what is short in longer ones."""
    calls: list[tuple[float, float]] = []
    (span,) = _watcher(calls).moments(str(clip), "white", window=6)
    assert max(end - start for start, end in calls) <= 6
    assert (span.start, span.end) == (pytest.approx(17, abs=0.6), pytest.approx(22, abs=0.6))
    wide: list[tuple[float, float]] = []
    _watcher(wide).moments(str(clip), "white", window=1000, resume=tmp_path / "w.jsonl")
    assert all(end - start <= 10.1 for start, end in wide)
    with pytest.raises(SettingsError, match="window"):
        _watcher([]).moments(str(clip), "white", window=6, resume=tmp_path / "w.jsonl")


def test_an_interrupted_run_goes_on_where_it_stopped(clip: Path, tmp_path: Path) -> None:
    calls: list[tuple[float, float]] = []
    resume = tmp_path / "windows.jsonl"

    def stop_after_two(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _watcher(calls).moments(str(clip), "white", resume=resume, progress=stop_after_two)
    assert len(calls) == 2
    resume.write_text(resume.read_text() + '{"key": {"pro')  # and the last write was cut off
    whole = _watcher([]).moments(str(clip), "white")
    assert _watcher(calls).moments(str(clip), "white", resume=resume) == whole
    assert len(calls) == len(set(calls))
    starts = [json.loads(line)["start"] for line in resume.read_text().splitlines() if line.endswith("}")]
    assert starts == sorted(set(starts))


def test_another_question_does_not_take_kept_answers(clip: Path, tmp_path: Path) -> None:
    resume = tmp_path / "windows.jsonl"
    calls: list[tuple[float, float]] = []
    _watcher(calls).moments(str(clip), "white", resume=resume)
    count = len(calls)
    with pytest.raises(SettingsError, match=r"prompt was .*white.* and is .*black"):
        _watcher(calls).moments(str(clip), "black", resume=resume)
    with pytest.raises(SettingsError, match=r"fps was 2.0 and is 1.0"):
        _watcher(calls).moments(str(clip), "white", resume=resume, fps=1.0)
    assert len(calls) == count


def test_kept_answers_are_not_those_of_another_clip(clip: Path, tmp_path: Path) -> None:
    resume = tmp_path / "windows.jsonl"
    assert _watcher([]).moments(str(clip), "white", resume=resume)
    plain = tmp_path / "plain.mp4"
    write_clip(plain, (Image.new("RGB", (64, 64), "green") for _ in range(200)), 5)
    calls: list[tuple[float, float]] = []
    _watcher(calls).moments(str(plain), "white", resume=resume)
    assert calls, "the model was never asked"
    assert len(_watcher([]).moments(str(clip), "white", resume=resume)) == 1


@given(st.floats(60, 20_000), st.floats(8, 500), st.floats(0, 1), st.floats(0, 1))
def test_an_event_as_long_as_the_overlap_is_whole_in_one_window(
    duration: float, length: float, place: float, share: float
) -> None:
    windows = cut(duration, length)
    seconds = min(duration, 0.149 * length) * share
    start = place * (duration - seconds)
    assert any(w.start <= start + 1e-6 and start + seconds <= w.end + 1e-6 for w in windows)


@pytest.mark.parametrize("size", ["tiny", "official"])
@pytest.mark.parametrize("fps", [0.5, 1.0, 2.0])
def test_forty_events_in_three_hours_are_each_whole_in_one_window(size: str, fps: float) -> None:
    """The film of `bench/video.py`: events of 4 s at 10 frames a second, 1280x720, in 10,800 s."""
    processor = Processor.from_pretrained(find_checkpoint("tiny")) if size == "tiny" else Processor.official()
    info = VideoInfo(10_800.0, (1280, 720), 108_000, 10.0)
    length = window_seconds(info, processor.settings, fps)
    windows = cut(info.duration, length)
    spans = event_spans(info.duration, 40)
    assert len(spans) == 40
    for start, end in spans:
        assert any(w.start <= start and end <= w.end for w in windows), (start, end)
    assert length * fps <= processor.settings.max_frames
