"""Stretches of time: text of the model <-> `Span` in seconds of the original clip.

Reads the JSON of dense captioning (`start_time`, `end_time`, `description`; `relevant_windows`), the sentence of
temporal grounding ("The given query happens in 64.0 - 72.0 seconds."), "starts at ... and ends at ...", minutes and
seconds in words, and `0:05 - 0:12 description` lines. Every time is clamped into the clip, and that is said. Which
frames were shown is the caller's knowledge.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from viewfinder.outputs.canonical import format_list
from viewfinder.outputs.loose_json import JsonObject, JsonValue, find_objects, outermost
from viewfinder.outputs.place_labels import line_start, read_label
from viewfinder.outputs.times import CLOCK, TimeStyle, format_time, parse_time
from viewfinder.outputs.written import ShortRepr, SpanJson, present

_STARTS = ("start_time", "start", "begin", "from")
_ENDS = ("end_time", "end", "stop", "to")
_PAIRS = ("timestamp", "timestamps", "time", "span", "interval", "segment", "relevant_windows", "windows", "spans")
_LABELS = ("description", "label", "caption", "event", "text", "query")
_UNIT = r"\s*(?:seconds?|secs?|sec|s|秒)(?![a-z])"
_LONG = (
    r"\d+(?:\.\d+)?\s?(?:hours?|hrs?|h|minutes?|mins?|m|分钟?)(?![a-z])"
    r"(?:,?\s?(?:and\s)?\d+(?:\.\d+)?\s?(?:minutes?|mins?|m|seconds?|secs?|s|分钟?|秒)(?![a-z])){0,2}"
)
"""`1 minute 5 seconds`, `1m5s`."""
_TIME = rf"(?:{_LONG}|(?:{CLOCK}|\d+(?:\.\d+)?)(?:{_UNIT})?)"
_BEGINS = r"\b(?:start|begin)(?:s|ning|ing)?[ _]?(?:time)?\W{0,5}(?:at|is|from)?\W{0,5}(?:about|around)?\s?"
_ENDS_AT = r"\b(?:end|finish|stop)(?:s|es|ing)?[ _]?(?:time)?\W{0,5}(?:at|is|by)?\W{0,5}(?:about|around)?\s?"
_START_END = re.compile(
    rf"{_BEGINS}(?<![\d.:])({_TIME})(?!\d|:\d)[^\d]{{0,60}}?{_ENDS_AT}(?<![\d.:])({_TIME})(?!\d|:\d)", re.IGNORECASE
)
_RANGE = re.compile(
    rf"(?<![\d.:])({_TIME})\s{{0,9}}(?:-+>?|–|—|−|~|to|until|till|through|and|到|至)\s{{0,9}}({_TIME})(?!\d|:\d)",
    re.IGNORECASE,
)
_QUOTED = rf"\s{{0,9}}[\"']?({_TIME})[\"']?\s{{0,9}}"
_BRACKETED = re.compile(rf"[\[(]{_QUOTED},{_QUOTED}[\])]", re.IGNORECASE)
_MOMENT = re.compile(rf"(?<![\d.:])({_LONG}|{CLOCK}|\d+(?:\.\d+)?{_UNIT})(?!\d|:\d)", re.IGNORECASE)
_BULLET = re.compile(r"[\s\-*•\d.()\[\]]*\Z")
_LONGEST = 2000
NONE_SENTENCE = "The given query does not occur in the video."


@dataclass(frozen=True, repr=False)
class Span(ShortRepr):
    """A stretch of the original clip.

    Attributes:
        start, end: seconds of the original, 0 <= start <= end <= duration; equal for a single moment.
        label: what happens.
        confidence: probability that the model gave these times, 0..1, when it is known.
        evidence: times of the frames that the model saw inside it, seconds of the original.
        clamped: the model's times lay outside the clip and were moved to its ends.
    """

    start: float
    end: float
    label: str = ""
    confidence: float | None = None
    evidence: tuple[float, ...] = ()
    clamped: bool = False

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start

    def to_dict(self) -> SpanJson:
        """JSON-ready; absent values are left out."""
        told = {"start": self.start, "end": self.end, "label": self.label, "confidence": self.confidence}
        return present({**told, "evidence": list(self.evidence) or None, "clamped": self.clamped or None})


def parse_spans(
    text: str, duration: float, *, fps: float | None = None, frame_times: Sequence[float] = ()
) -> list[Span]:
    """Read every span of an answer; never raises, and what cannot be read is left out.

    Args:
        duration: of the original clip, seconds.
        fps: frames per second, only to read frame numbers of hmsf times.
        frame_times: of the frames that were shown, seconds of the original; those inside a span are its evidence.
    """
    spans = [
        _span(times, _label(one.fields), duration, frame_times)
        for one in outermost(find_objects(text))
        for times in _times(one.fields, fps)
    ]
    return spans or _parse_prose(text, duration, fps, frame_times)


def _times(fields: JsonObject, fps: float | None) -> list[tuple[float, float]]:
    """The spans of one object: its start and end, or its pairs (`relevant_windows` has any number)."""
    start = next((parse_time(fields[key], fps) for key in _STARTS if key in fields), None)
    end = next((parse_time(fields[key], fps) for key in _ENDS if key in fields), None)
    if start is not None:
        return [(start, start if end is None else end)]
    for key in _PAIRS:
        value = fields.get(key)
        many = isinstance(value, list) and bool(value) and all(isinstance(part, list) for part in value)
        pairs = [_pair(part, fps) for part in (value if many and isinstance(value, list) else [value])]
        if read := [pair for pair in pairs if pair is not None]:
            return read
    return []


def _pair(value: JsonValue, fps: float | None) -> tuple[float, float] | None:
    if isinstance(value, list) and len(value) == 2:
        first, second = parse_time(value[0], fps), parse_time(value[1], fps)
        return None if first is None or second is None else (first, second)
    if isinstance(value, str) and (match := _RANGE.search(value)) is not None:
        return _pair([match[1], match[2]], fps)
    moment = None if isinstance(value, list | dict) else parse_time(value, fps)
    return None if moment is None else (moment, moment)


def _label(fields: JsonObject) -> str:
    return next((read_label(fields[key]) for key in _LABELS if key in fields), "")


def _parse_prose(text: str, duration: float, fps: float | None, frame_times: Sequence[float]) -> list[Span]:
    text = _BRACKETED.sub(r"\1 - \2", text)
    matches = list(_START_END.finditer(text)) or list(_RANGE.finditer(text)) or list(_MOMENT.finditer(text))
    spans: list[Span] = []
    for match in matches:
        first, last = parse_time(match[1], fps), parse_time(match[match.lastindex or 1], fps)
        if first is None or last is None:
            continue
        line = line_start(text, match.start())
        behind = text[match.end() : match.end() + _LONGEST].split("\n", 1)[0]
        rest = behind if _BULLET.match(text[line : match.start()]) else ""
        rest = re.sub(rf"\A{_UNIT}", "", rest).strip(" \t\r:-–—]).,")
        spans.append(_span((first, last), rest, duration, frame_times))
    return spans


def _span(times: tuple[float, float], label: str, duration: float, frame_times: Sequence[float]) -> Span:
    low, high = min(times), max(times)
    start, end = min(max(low, 0.0), duration), min(max(high, 0.0), duration)
    evidence = tuple(time for time in frame_times if start <= time <= end)
    return Span(start, end, label, evidence=evidence, clamped=(start, end) != (low, high))


def format_spans(
    spans: Iterable[Span], duration: float, style: TimeStyle = "mm:ss.ff", fps: float | None = None
) -> str:
    """Dense captions as the model is trained to write them: the canonical JSON list.

    Times are quoted except in seconds, and never beyond `duration`.
    """
    rows: list[dict[str, JsonValue]] = []
    for span in spans:
        start, end = (_written(time, duration, style, fps) for time in (span.start, span.end))
        rows.append({"start_time": start, "end_time": end, "description": span.label})
    return format_list(rows)


def _written(time: float, duration: float, style: TimeStyle, fps: float | None) -> str | float:
    """Rounded, but down where rounding would leave the clip."""
    unit = 10 if style == "seconds" else 100
    limit = int(duration * unit + 1e-6) / unit
    text = format_time(min(max(time, 0.0), limit), style, fps)
    return float(text) if style == "seconds" else text


def format_moments(spans: Iterable[Span], duration: float) -> str:
    """The sentence of temporal grounding, times in seconds; its twin says that there is none."""
    times = [
        f"{_written(s.start, duration, 'seconds', None)} - {_written(s.end, duration, 'seconds', None)}" for s in spans
    ]
    return f"The given query happens in {' and '.join(times)} seconds." if times else NONE_SENTENCE


def to_webvtt(spans: Iterable[Span]) -> str:
    """Subtitles of the spans, one cue each, for any player."""
    cues = ["WEBVTT"]
    for span in spans:
        words = " ".join(span.label.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        cues.append(f"{_vtt_time(span.start)} --> {_vtt_time(span.end)}\n{words}")
    return "\n\n".join(cues) + "\n"


def _vtt_time(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
