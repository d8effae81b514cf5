"""Times in every form the model was trained in, always inside the clip."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewfinder.outputs.grammars import clock_up_to
from viewfinder.outputs.spans import Span, format_moments, format_spans, parse_spans, to_webvtt
from viewfinder.outputs.times import TimeStyle, format_time, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3.2s", 3.2),
        ("12:34.56", 754.56),
        ("1:02:03", 3723),
        ("01:02:03.5", 3723.5),
        ("0:00:12:15", 12.5),
        ("1h2m3s", 3723),
        ("2 minutes and 5 seconds", 125),
        ("0h1m12s15f", 72.5),
        (75.5, 75.5),
        ("75.5", 75.5),
        ("soon", None),
        ("", None),
        (True, None),
    ],
)
def test_moments(text: object, seconds: float | None) -> None:
    assert parse_time(text, fps=30) == (None if seconds is None else pytest.approx(seconds))


def test_frame_numbers_without_a_rate_count_nothing() -> None:
    assert parse_time("0:00:12:15") == 12


def test_format_time() -> None:
    assert format_time(75.5, "seconds") == "75.5"
    assert format_time(75.5, "mm:ss.ff") == "01:15.50"
    assert format_time(3723.5, "h:mm:ss.ff") == "1:02:03.50"
    assert format_time(12.5, "hmsf", fps=30) == "0:00:12:15"


@pytest.mark.parametrize(
    "text",
    [
        '```json\n[\n\t{"start_time": "00:28.00", "end_time": "00:50.00", "description": "cuts"}\n]\n```',
        '[{"start_time": 28, "end_time": 50.0, "description": "cuts"},]',
        '{"timestamp": [28.0, 50.0], "caption": "cuts"}',
        '{"time": "0:28 - 0:50", "event": "cuts"}',
        "- 0:28 - 0:50: cuts",
        "28.0 - 50.0 seconds: cuts",
        '{"start_time": "0:00:50:00", "end_time": "0:00:28:00", "label": "cuts"}',
    ],
)
def test_spans_with_a_description(text: str) -> None:
    assert parse_spans(text, 60) == [Span(28, 50, "cuts")]


@pytest.mark.parametrize(
    "text",
    [
        "The given query happens in 28.0 - 50.0 seconds.",
        "It is from 28 seconds to 50 seconds in the clip.",
        "Between 0:28 and 0:50.",
        "[28.0, 50.0]",
        "在28秒到50秒之间",
        "It starts at 28.0 seconds and ends at 50.0 seconds.",
        "The event begins at 0:28 and it ends at 0:50.",
        "Start: 28.0\nEnd: 50.0",
        "Start time: 00:28, end time: 00:50",
        "start_time = 28s; end_time = 50s",
        '{"relevant_windows": [["00:28", "00:50"]]}',
        '{"relevant_windows": [[28, 50]]}',
        '[["00:28", "00:50"]]',
        "0 minutes 28 seconds to 0 minutes 50 seconds",
        "From 0 min 28 s through 0 min 50 s",
        "0m28s - 0m50s",
        "(28.0, 50.0)",
        "从0分28秒到0分50秒",
    ],
)
def test_spans_in_prose(text: str) -> None:
    assert parse_spans(text, 60) == [Span(28, 50)]


def test_every_window_counts() -> None:
    text = '{"relevant_windows": [["00:12", "00:18"], [20, 25.5]], "query": "a cat"}'
    assert parse_spans(text, 60) == [Span(12, 18, "a cat"), Span(20, 25.5, "a cat")]


@pytest.mark.parametrize("piece", ["start 1", "1:2 ", "1 minute ", "starts at ", "1 - ", " ", "[1, "])
def test_long_texts_are_read_in_time_in_proportion_to_their_length(piece: str) -> None:
    parse_spans(piece * 20_000, 60)  # a quadratic reader would need minutes


def test_a_single_moment_and_none() -> None:
    assert parse_spans("The ball drops at 12.5 seconds.", 60) == [Span(12.5, 12.5)]
    assert parse_spans("The given query does not occur in the video.", 60) == []
    assert parse_spans("There are 3 cats.", 60) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"timestamp": [28.0, 50.0, 60.0], "label": "x"}',
        '{"timestamp": [28.0], "label": "x"}',
        '{"timestamp": ["soon", 50.0], "label": "x"}',
        '{"start_time": "soon", "end_time": "later"}',
    ],
)
def test_what_is_no_pair_of_times(text: str) -> None:
    assert parse_spans(text, 60) == []


def test_outside_is_clamped_and_said_and_evidence_is_what_was_seen() -> None:
    (span,) = parse_spans("50.0 - 70.0 seconds", 60, frame_times=[48, 50, 52, 54, 61])
    assert span == Span(50, 60, evidence=(50, 52, 54), clamped=True)
    assert span.seconds == 10
    assert span.to_dict() == {"start": 50, "end": 60, "label": "", "evidence": [50, 52, 54], "clamped": True}


def test_formats() -> None:
    spans = [Span(21, 49, "stirs"), Span(50, 75.5, 'says "done"')]
    assert format_spans(spans, 75.5) == (
        '```json\n[\n\t{"start_time": "00:21.00", "end_time": "00:49.00", "description": "stirs"},\n'
        '\t{"start_time": "00:50.00", "end_time": "01:15.50", "description": "says \\"done\\""}\n]\n```'
    )
    assert '"start_time": 21.0, "end_time": 49.0' in format_spans(spans, 75.5, "seconds")
    assert format_moments(spans, 75.5) == "The given query happens in 21.0 - 49.0 and 50.0 - 75.5 seconds."
    assert [s.start for s in parse_spans(format_moments(spans, 75.5), 75.5)] == [21, 50]
    assert format_moments([], 75.5) == "The given query does not occur in the video."


def test_rounding_never_leaves_the_clip() -> None:
    assert '"end_time": "00:09.99"' in format_spans([Span(0, 9.999)], 9.999)
    assert format_moments([Span(0, 9.99)], 9.99) == "The given query happens in 0.0 - 9.9 seconds."


@given(
    st.floats(0.1, 20_000),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.text('ab"\\\n 中', max_size=5)), max_size=3),
    st.sampled_from(["seconds", "mm:ss.ff", "h:mm:ss.ff"]),
)
def test_format_then_parse_is_within_the_unit_and_stable(
    duration: float, parts: list[tuple[float, float, str]], style: TimeStyle
) -> None:
    spans = [Span(min(a, b) * duration, max(a, b) * duration, label) for a, b, label in parts]
    text = format_spans(spans, duration, style)
    again = parse_spans(text, duration)
    assert [span.label for span in again] == [span.label for span in spans]
    unit = 0.1 if style == "seconds" else 0.01
    for got, want in zip(again, spans, strict=True):
        assert abs(got.start - want.start) <= unit
        assert abs(got.end - want.end) <= unit
    assert format_spans(again, duration, style) == text


@given(st.integers(1, 90_000), st.integers(0, 90_000), st.sampled_from([24, 25, 30, 60, 120]))
def test_hmsf_patterns_take_what_format_writes_up_to_the_end(limit: int, frame: int, fps: int) -> None:
    text = format_time(frame / fps, "hmsf", fps)
    pattern = clock_up_to(limit / fps, hours=True, frames=fps)
    assert bool(re.fullmatch(pattern, text)) == (frame <= limit)
    assert parse_time(text, fps) == pytest.approx(frame / fps)


@given(st.text(max_size=60) | st.text(alphabet='0123456789:.- to,sand{}"start_time', max_size=80))
def test_any_text_is_read_without_an_exception_and_inside_the_clip(text: str) -> None:
    for span in parse_spans(text, 60):
        assert 0 <= span.start <= span.end <= 60


def test_webvtt() -> None:
    assert to_webvtt([Span(1.5, 3723.25, "a < b\n\n--> c")]) == (
        "WEBVTT\n\n00:00:01.500 --> 01:02:03.250\na &lt; b --&gt; c\n"
    )
