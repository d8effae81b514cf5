"""`Task`: one benchmark as data, prompt, form of the answer, score, settings, and the report's number.

A task is a value made of plain functions, so a file of `tasks/` reads as the benchmark's definition. It knows no
model and does not run anything.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files
from viewfinder.media.digest import digest
from viewfinder.messages import ChatModel, ImagePart, Message, VideoPart


@dataclass(frozen=True)
class MediaSettings:
    """Budgets a request is sent with; None leaves the model's own. Pixels are height x width after resizing.

    `video_*` bound one frame, `total_pixels` all frames of a clip.
    """

    min_pixels: int | None = None
    max_pixels: int | None = None
    fps: float | None = None
    max_frames: int | None = None
    video_min_pixels: int | None = None
    video_max_pixels: int | None = None
    total_pixels: int | None = None

    def with_(self, **changes: Any) -> "MediaSettings":
        """A copy with changes; None leaves a value as it is."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})

    def to_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def apply(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Messages whose media carry these budgets; what a part already says of itself stays."""
        return tuple(m.model_copy(update={"parts": tuple(map(self._part, m.parts))}) for m in messages)

    def _part(self, part: Any) -> Any:
        wanted: dict[str, Any] = {}
        if isinstance(part, ImagePart):
            wanted = {"min_pixels": self.min_pixels, "max_pixels": self.max_pixels}
        elif isinstance(part, VideoPart):
            wanted = {"min_pixels": self.video_min_pixels, "max_pixels": self.video_max_pixels}
            wanted["total_pixels"] = self.total_pixels
            if not isinstance(part.video, list):
                wanted |= {"fps": None if part.nframes else self.fps, "max_frames": self.max_frames}
        missing = {k: v for k, v in wanted.items() if v is not None and getattr(part, k) is None}
        return part.model_copy(update=missing) if missing else part


VLMEVALKIT = MediaSettings(
    min_pixels=1280 * 28**2,
    max_pixels=16384 * 28**2,
    video_min_pixels=128 * 28**2,
    video_max_pixels=768 * 28**2,
    total_pixels=24576 * 28**2,
    fps=2.0,
    max_frames=768,
)
"""Published settings of Qwen2.5-VL in VLMEvalKit (vlmeval/config.py); the report's own are not published but for
at most 768 frames and 24,576 video tokens."""


@dataclass(frozen=True)
class Scored:
    """One question's outcome, without its media. `value` is 0..1 (1 is best) unless the task says otherwise."""

    id: str
    value: float
    prediction: Any
    truth: Any
    tags: Mapping[str, str] = field(default_factory=dict)
    confidence: float | None = None
    text: str = ""


Total = Callable[[Sequence[Scored]], dict[str, float]]
Judge = Callable[[ChatModel, Question, str], Any]


def mean_percent(scored: Sequence[Scored]) -> dict[str, float]:
    """The mean value in percent, under the name `score`."""
    return {"score": 100 * sum(s.value for s in scored) / len(scored) if scored else 0.0}


@dataclass(frozen=True)
class Task:
    """A benchmark.

    Attributes:
        name, title: for the command line, and for people.
        data: where the official files are, and in which layout.
        questions: reads official rows into questions.
        form: how an answer is read, and what a perfect or a guessing model would say.
        score: prediction and question to a value.
        total: all outcomes to named numbers in the report's unit, the headline (`score`) among them.
        cluster: the tag by which the bootstrap resamples; each question alone when empty.
        settings: budgets.
        reported: the report's number by model size.
        note: how the split or the rule differs from the report's, in a sentence.
        judge: reads an answer with another model, where the benchmark does so; used when one is given.
        better: "higher" or "lower".
        job: name of a job of ours that answers better than one request can (`Subject.jobs`), such as "moments", which
            looks at a long clip in windows; engines without it get the request.
        count: of questions without end, how many a run asks when no limit is given; None where the data end.
    """

    name: str
    title: str
    questions: Callable[[Files], Iterable[Question]]
    form: AnswerFormat
    score: Callable[[Any, Question], float]
    data: Data | None = None
    total: Total = mean_percent
    cluster: str = ""
    settings: MediaSettings = VLMEVALKIT
    reported: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    judge: Judge | None = None
    max_new_tokens: int = 512
    better: str = "higher"
    family: str = "image"
    count: int | None = None
    job: str = ""

    def drawn(self, files: Files, limit: int | None = None, seed: int = 0) -> tuple[Iterator[Question], int]:
        """The questions of a run in their order, and how many they are.

        Of data that end all, or the `limit` whose hash with `seed` is least; of questions without end the first.
        """
        if self.count is not None:
            number = limit or self.count
            return islice(iter(self.questions(files)), number), number
        ids = [question.id for question in self.questions(files)]
        assert len(set(ids)) == len(ids), f"{self.name} has two questions of one id"
        if limit is not None and limit < len(ids):
            ids = sorted(ids, key=lambda i: digest([seed, i]))[:limit]
        wanted = set(ids)
        return (question for question in self.questions(files) if question.id in wanted), len(ids)
