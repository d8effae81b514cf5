"""A running stream: what is kept, what it costs, and spans on the stream's own clock."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.doubles import ScriptedChat, small_processor
from viewfinder.chat.live import MOST_QUERIES, LiveEvent, LiveSession
from viewfinder.chat.live_window import LiveWindow, WindowSettings
from viewfinder.errors import MediaError, ViewfinderError
from viewfinder.media.image import load_image
from viewfinder.media.video import Clip
from viewfinder.messages import Message, VideoPart
from viewfinder.outputs.spans import Span, format_moments
from viewfinder.processor.processor import Processor

PROCESSOR = small_processor(video_min_pixels=28 * 28, video_max_pixels=28 * 28)
DARK, BRIGHT = (Image.new("RGB", (56, 56), color) for color in ("black", "white"))


def shown(messages: Sequence[Message]) -> Clip:
    part = messages[0].parts[0]
    assert isinstance(part, VideoPart)
    return part.video


def bright_spans(clip: Clip, exclusive: bool) -> list[Span]:
    """Runs of bright frames, seconds from the first frame; `exclusive` ends a run at the frame after it."""
    spans: list[Span] = []
    before = False
    for time, frame in zip(clip.times, clip.frames, strict=True):
        bright = frame.mean() > 128
        at = time - clip.times[0]
        if bright and not before:
            spans.append(Span(at, at))
        elif bright or (before and exclusive):
            spans[-1] = Span(spans[-1].start, at)
        before = bright
    if before and exclusive:
        spans[-1] = Span(spans[-1].start, clip.duration - clip.times[0])
    return spans


def watcher(exclusive: bool = False, processor: Processor = PROCESSOR, **window: float) -> LiveSession:
    """A session whose model knows when it is bright."""

    def answer(messages: Sequence[Message]) -> str:
        clip = shown(messages)
        return format_moments(bright_spans(clip, exclusive), clip.duration - clip.times[0])

    session = LiveSession(ScriptedChat(processor, answer), processor, WindowSettings(**window))  # type: ignore[arg-type]
    session.watch("it is bright")
    return session


def run(session: LiveSession, times: Sequence[float], event: tuple[float, float]) -> list[LiveEvent]:
    return [said for time in times for said in session.push(BRIGHT if event[0] <= time < event[1] else DARK, time)]


def taken_of(times: Sequence[float]) -> list[float]:
    window = LiveWindow(WindowSettings(), PROCESSOR.settings)
    before = 0
    taken: list[float] = []
    for time in times:
        window.push(load_image(DARK), time)
        taken += [time] if window.num_frames > before else []
        before = window.num_frames
    return taken


def test_worked_example_of_the_window() -> None:
    window = LiveWindow(WindowSettings(fps=2, window_seconds=4, past_pairs=4), PROCESSOR.settings)
    picture = load_image(DARK)
    for i in range(60):
        window.push(picture, i / 2)
        assert len(window.window) <= 6
        assert len(window.past) <= 4
    starts = [pair.times[0] for pair in window.past]
    assert starts[0] == 0.0, "the beginning stays while it is not too old"
    gaps = [b - a for a, b in pairwise(starts)]
    assert gaps == sorted(gaps, reverse=True), "what is older is thinner"
    assert window.pairs()[-1].times == (29.0, 29.5)
    assert [pair.times[0] for pair in window.pairs(seconds=2)] == [27.0, 28.0, 29.0][-len(window.pairs(seconds=2)) :]


@settings(max_examples=25)
@given(
    drift=st.floats(-0.05, 0.05),
    dropped=st.sets(st.integers(0, 79), max_size=30),
    jitter=st.lists(st.floats(-0.02, 0.02), min_size=80, max_size=80),
    event=st.tuples(st.floats(0.6, 30), st.floats(0.3, 12)),
    exclusive=st.booleans(),
)
def test_spans_are_at_most_one_interval_off_the_clock_of_the_stream(
    drift: float, dropped: set[int], jitter: list[float], event: tuple[float, float], exclusive: bool
) -> None:
    """A camera whose clock runs fast or slow, whose frames come early and late, and which loses some."""
    times = [100 + i / 2 * (1 + drift) + jitter[i] for i in range(80) if i not in dropped]
    begin, end = 100 + event[0], 100 + event[0] + event[1]
    taken = taken_of(times)
    session = watcher(exclusive, window_seconds=6, past_pairs=4)
    said = run(session, times, (begin, end))
    seen = [i for i, time in enumerate(taken) if begin <= time < end]
    if not seen or len(taken) - seen[-1] <= 4 or seen[0] == 0:
        return  # nothing was on a frame, or the stream ended before anybody could tell
    after = [time for time in taken if time > taken[seen[-1]]]
    tolerance = max(b - a for a, b in pairwise(taken[seen[0] - 1 : seen[-1] + 2])) + 1e-6
    span = said[-1].span
    assert [event.kind for event in said] in (["started", "ended"], ["ended"])
    assert abs(span.start - begin) <= tolerance
    assert abs(span.end - end) <= tolerance
    assert said[0].time <= taken[min(seen[0] + 2, len(taken) - 1)], "told within two frames"
    assert said[-1].time <= after[min(3, len(after) - 1)]


def test_an_event_longer_than_the_window_keeps_its_beginning() -> None:
    said = run(watcher(window_seconds=4), [i / 2 for i in range(200)], (10.2, 70.1))
    assert [(event.kind, event.span.start) for event in said] == [("started", 10.5), ("ended", 10.5)]
    assert (said[0].time, said[1].span.end, said[1].time) == (10.5, 70.0, 70.5)
    assert [event.id for event in said] == [1, 2]


def test_only_what_happens_after_a_query_was_set_is_told() -> None:
    session = watcher(window_seconds=8)
    run(session, [i / 2 for i in range(12)], (1, 3))
    session.unwatch("it is bright")
    session.watch("it is bright")
    assert run(session, [6 + i / 2 for i in range(12)], (0, 0)) == []
    assert session.queries == ["it is bright"]
    with pytest.raises(ViewfinderError, match="those that do: 'it is bright'"):
        session.unwatch("it is dark")


def test_a_lone_frame_before_a_gap_is_a_pair_of_its_own_and_positions_follow_the_clock() -> None:
    session = watcher(window_seconds=8)
    run(session, [0, 0.5, 1.0, 4.0, 4.5, 5.0, 5.5], (4.0, 9))
    clip = shown(session.model.requests[-1][0])  # type: ignore[attr-defined]
    assert clip.times == (0, 0.5, 1.0, 1.0, 4.0, 4.5, 5.0, 5.5)
    assert clip.grid_times == (0, 1.0, 4.0, 5.0)
    inputs = PROCESSOR([Message(role="user", parts=(VideoPart(video=clip),))])
    ids = inputs.position_ids[0][inputs.input_ids == PROCESSOR.video_token_id]
    assert (ids - ids[0]).tolist() == [0, 2, 8, 10], "two ids a second"


def test_frames_that_come_too_fast_are_left_out_before_they_are_decoded() -> None:
    session = watcher(fps=2)
    for i in range(31):
        session.push(DARK if i % 15 == 0 else b"no picture", i / 30)
    assert session.window.num_frames == 3


@pytest.mark.parametrize(("time", "words"), [(1.0, "in order"), (0.2, "in order"), (float("nan"), "seconds")])
def test_a_frame_out_of_order_is_refused_and_the_stream_goes_on(time: float, words: str) -> None:
    session = watcher()
    run(session, [0, 0.5, 1.0], (0, 0))
    with pytest.raises(MediaError, match=words):
        session.push(DARK, time)
    session.push(DARK, 1.5)
    assert session.window.last_time == 1.5


def test_a_frame_of_another_size_is_refused() -> None:
    session = watcher()
    session.push(DARK, 0)
    with pytest.raises(MediaError, match="112x56 pixels and the stream began with 56x56"):
        session.push(Image.new("RGB", (112, 56)), 1)


def test_questions_are_about_now_or_all_that_is_kept() -> None:
    session = watcher(window_seconds=4)
    with pytest.raises(MediaError, match="no frame yet"):
        session.ask("What is there?")
    session = watcher(window_seconds=4, past_pairs=8)
    run(session, [i / 2 for i in range(61)], (0, 0))
    session.ask("What is there now?", seconds=0)
    now = shown(session.model.requests[-1][0])  # type: ignore[attr-defined]
    assert now.times == (30.0, 30.0), "the frame without its second"
    session.ask("What was there?")
    assert shown(session.model.requests[-1][0]).times[0] == 0.0  # type: ignore[attr-defined]
    run(session, [30.5 + i / 2 for i in range(8)], (31, 33))
    assert [(span.start, span.end) for span in session.moments("it is bright")] == [(31.0, 32.5)]


def test_a_chunk_is_its_frames() -> None:
    one, other = watcher(window_seconds=8), watcher(window_seconds=8)
    said = run(one, [7 + i / 2 for i in range(8)], (8, 9))
    frames = np.stack(
        [np.asarray(BRIGHT.resize((28, 28)) if 8 <= 7 + i / 2 < 9 else DARK.resize((28, 28))) for i in range(8)]
    )
    transform = one.window.transform
    assert transform is not None
    times = tuple(i / 2 for i in range(8))
    chunk = Clip(frames, times, 4.0, transform, 1.0, times[::2], True)
    assert [e.span for e in other.push_clip(chunk, 7.0)][-1].start == said[0].span.start
    assert other.window.num_frames == 8


def test_memory_and_cost_stay_those_of_the_window() -> None:
    session = watcher(window_seconds=8, past_pairs=8, past_seconds=30)
    sizes: list[int] = []
    for i in range(1200):
        session.push(DARK, i / 2)
        sizes.append(session.window.num_bytes)
    assert max(sizes[200:]) == max(sizes[1000:]) <= (8 + 4 + 8) * 2 * 28 * 28 * 3
    assert len(shown(session.model.requests[-1][0]).frames) <= 24  # type: ignore[attr-defined]
    assert session.window.past[0].times[0] >= 599.5 - 30 - 8 - 8


def test_bounds_of_a_session() -> None:
    session = watcher()
    for i in range(MOST_QUERIES - 1):
        session.watch(f"event {i}")
    with pytest.raises(ViewfinderError, match="16 queries stand"):
        session.watch("one more")
    for wrong in ({"fps": 0}, {"window_seconds": 3600.0, "fps": 60}, {"past_pairs": -1}):
        with pytest.raises(MediaError):
            WindowSettings(**wrong)  # type: ignore[arg-type]
