"""Videos with spans, as they are published: rows with events, ActivityNet Captions, and Charades-STA's lines.

    {"video": "a.mp4", "events": [{"start": 1.0, "end": 3.5, "caption": "A man sits down."}]}     .jsonl or .json list
    {"v_abc": {"duration": 82.7, "timestamps": [[0.8, 19.9]], "sentences": ["Weights are lifted."]}}      .json
    AO8RW 0.0 6.9##a person is putting a book on a shelf.                                                  .txt

Times are seconds of the original clip. An answer is a dense caption where a clip has several events, and the moment of
one event otherwise.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from viewfinder.data.sample import Sample, say
from viewfinder.data.sources.keys import Keys, read_json, read_object
from viewfinder.data.sources.rows import RowSource, new_sample
from viewfinder.errors import DataError
from viewfinder.media.video import probe_video
from viewfinder.messages import VideoPart
from viewfinder.outputs.json_lines import read_lines, read_text
from viewfinder.outputs.prompts import describe_prompt, moments_prompt
from viewfinder.outputs.spans import Span, format_moments, format_spans

SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".mpg", ".gif")
_SLACK = 0.5
"""Seconds that an event may end after its clip: annotations are rounded."""


@dataclass(frozen=True)
class _Row:
    video: str
    events: tuple[tuple[float, float, str], ...]
    license: str = ""
    language: str = ""


class VideoSource(RowSource):
    """Clips of an annotation file.

    Args:
        path: of the annotations.
        media: folder of the clips; the file's own by default. Names may lack their suffix.
        dense: share of clips with several events that are captioned as a whole.
        seed: of which clips those are, and which event is asked.
    """

    name = "videos"
    domain = "video"

    def __init__(self, path: str, media: str | None = None, dense: float = 0.5, seed: int = 0, **about: Any) -> None:
        self.path, self.dense, self.seed = Path(path), dense, seed
        self.media = Path(media) if media else self.path.parent
        super().__init__(_read_file(self.path), **about)

    def make(self, row: Any, number: int) -> Sample:
        row = row if isinstance(row, _Row) else _row_of(read_object(row))
        path = self._find(row.video)
        duration = probe_video(path).duration
        spans = [_span(start, end, label, duration) for start, end, label in sorted(row.events)]
        if not spans:
            raise DataError("the clip has no events")
        rng = np.random.default_rng((self.seed, number))
        video = VideoPart(video=str(path))
        if len(spans) > 1 and rng.random() < self.dense:
            asked, answer, task = describe_prompt(), format_spans(spans, duration), "describe"
        else:
            query = spans[int(rng.integers(len(spans)))].label
            same = [span for span in spans if span.label == query]
            asked, answer, task, spans = moments_prompt(query), format_moments(same, duration), "moments", same
        truth = {"spans": [[s.start, s.end, s.label] for s in spans], "duration": duration}
        messages = (say("user", video, asked), say("assistant", answer))
        return new_sample(messages, task, truth=truth, license=row.license, language=row.language)

    def _find(self, name: str) -> Path:
        for path in (self.media / name, *((self.media / f"{name}{suffix}") for suffix in SUFFIXES)):
            if path.is_file():
                return path
        raise DataError(f"there is no clip {name!r} in {self.media}, with or without {', '.join(SUFFIXES)}")

    def describe(self, number: int) -> str:
        row = self.rows[number]
        return f"row {number + 1} ({row.video})" if isinstance(row, _Row) else super().describe(number)


def _span(start: float, end: float, label: str, duration: float) -> Span:
    if not (0 <= start < end <= duration + _SLACK) or not label.strip():
        raise DataError(
            f"the event {label!r} at {start} - {end} s is empty, nameless or outside its clip of {duration:.2f} s"
        )
    return Span(start, min(end, duration), label.strip())


def _read_file(path: Path) -> list[Any]:
    try:
        if path.suffix == ".txt":
            return [_charades(line) for line in read_lines(path)]
        if path.suffix == ".jsonl":
            return list(read_lines(path))
        raw = read_json(read_text(path))
        if isinstance(raw, dict):
            return [_activitynet(name, entry) for name, entry in sorted(raw.items())]
        return list(raw)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} holds no events of videos ({error!r}); see viewfinder.data.sources.videos") from error


def _charades(line: str) -> _Row:
    head, _, sentence = line.partition("##")
    video, start, end = head.split()
    return _Row(video, ((float(start), float(end), sentence.strip()),))


def _activitynet(name: str, entry: dict[str, Any]) -> _Row:
    events = zip(entry["timestamps"], entry["sentences"], strict=True)
    return _Row(name, tuple((float(start), float(end), sentence.strip()) for (start, end), sentence in events))


def _row_of(raw: dict[str, Any]) -> _Row:
    keys = Keys(raw)
    events: list[tuple[float, float, str]] = []
    for event in keys.take("events") or ():
        inner = Keys(event)
        start, end = inner.take("start"), inner.take("end")
        if start is None or end is None:
            raise DataError(f"an event is {event!r}, expected start, end and caption")
        events.append((float(start), float(end), inner.text("caption", "description", "query", "label")))
        inner.finish("an event")
    keys.take("duration")  # measured on the clip itself
    row = _Row(
        keys.text("video"), tuple(events), license=keys.text("license", "licence"), language=keys.text("language")
    )
    keys.finish("the row")
    return row
