"""Options of the jobs, by name, so that a type checker knows them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

from viewfinder.media.source import Limits
from viewfinder.messages import Sampling


class SpanOptions(TypedDict, total=False):
    """Of `moments` and `describe`: frames a second, seconds of a window, sampling, a file that finished windows are
    kept in, and what is called with windows done and all."""

    fps: float | None
    window: float | None
    options: dict[str, Any] | None
    sampling: Sampling | None
    resume: Path | None
    progress: Callable[[int, int], None] | None


class ChartOptions(TypedDict, total=False):
    """Of `chart`: the most pixels that are shown."""

    max_pixels: int | None
    sampling: Sampling | None


class DocumentOptions(ChartOptions, total=False):
    """Of what reads documents: which pages (from 0; all when None), caps on the file, and what opens a locked PDF."""

    pages: Sequence[int] | None
    limits: Limits
    password: str | None


class ExtractOptions(DocumentOptions, total=False):
    """Of `extract`: `places=False` asks for values alone."""

    places: bool


class ParseJobOptions(DocumentOptions, total=False):
    """Of `parse`: a file that finished pages are kept in, what is called with pages done and all, and how many pages a
    server is asked about at once."""

    resume: str | Path | None
    progress: Callable[[int, int], None] | None
    workers: int


class Budgets(TypedDict, total=False):
    """Of `load`: fields of `viewfinder.processor.settings.ProcessorSettings`."""

    min_pixels: int | None
    max_pixels: int | None
    fps: float | None
    min_frames: int | None
    max_frames: int | None
    video_min_pixels: int | None
    video_max_pixels: int | None
    total_pixels: int | None
    tokens_per_second: float | None
