"""`Lab`: one model for all settings of a study. What settings have in common is computed once.

Questions are drawn once a task, and all requests go to one batched engine with its caches on, so settings that show the
same pixels share the tower's features, and those that begin alike share the prefix. A server does this by itself.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from viewfinder.chat import Viewfinder
from viewfinder.chat.batching import batched
from viewfinder.eval.metrics.intervals import bootstrap_mean
from viewfinder.eval.question import Question
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.eval.session import GENERATED
from viewfinder.eval.task import Scored, Task
from viewfinder.media.encode import encode_picture
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Sampling
from viewfinder.studies.study import StudyError

BATCH = 8

Change = Callable[[Question, random.Random], Question]
"""Another form of a question (a worse picture, other words); the generator is the question's own."""


@dataclass
class Lab:
    """A model under study.

    Attributes:
        viewfinder: the model that requests go to, batched; None where a study needs none.
        alone: the same one, unbatched, for studies of the weights.
        out: keeps every reply, so a stopped study goes on; None keeps none.
        source: the checkpoint by name or directory, for studies that train on.
        smoke: a few questions only.
        train: whether it may train.
    """

    viewfinder: Viewfinder | None = None
    alone: Viewfinder | None = None
    name: str = ""
    fingerprint: str = ""
    source: str = "tiny"
    out: Path | None = None
    smoke: bool = False
    train: bool = False
    _drawn: dict[tuple[str, int], list[Question]] = field(default_factory=dict)

    def count(self, full: int, smoke: int = 1) -> int:
        """How many questions a setting asks."""
        return smoke if self.smoke else full

    def questions(self, task: Task, count: int) -> list[Question]:
        """The first `count` questions of a task, drawn once."""
        kept = self._drawn.get((task.name, count))
        if kept is None:
            kept = self._drawn[task.name, count] = list(islice(task.questions(GENERATED), count))
        return kept

    def model(self) -> Viewfinder:
        """The batched model; raises `StudyError` without one."""
        if self.viewfinder is None:
            raise StudyError("this study asks a model; give --model or --server")
        return self.viewfinder

    def weights(self) -> Any:
        """The engine of a checkpoint loaded here; raises `StudyError` for a server."""
        from viewfinder.engine.engine import Engine

        if self.alone is None or not isinstance(self.alone.model, Engine):
            raise StudyError("this study looks into the weights; give --model with a checkpoint, not --server")
        return self.alone.model

    def ask(
        self,
        task: Task,
        setting: str,
        count: int,
        change: Change | None = None,
        *,
        viewfinder: Viewfinder | None = None,
    ) -> list[Scored]:
        """Outcomes of the first `count` questions of a task, bound by the grammar of the job, each changed first."""
        asked = self.questions(task, count)
        if change is not None:
            asked = [change(q, random.Random(f"{task.name}/{q.id}")) for q in asked]
        used = viewfinder or self.model()
        subject = Subject(used.model, self.name, f"{self.fingerprint}/{setting}", _sees(used))
        scored: list[Scored] = []
        run(
            replace(task, questions=lambda _: asked, count=count),
            GENERATED,
            subject,
            RunOptions(
                out=None if self.out is None or self.smoke else self.out / "runs" / slug(setting) / task.name,
                sampling=Sampling(max_new_tokens=min(task.max_new_tokens, 24) if self.smoke else task.max_new_tokens),
                concurrency=BATCH,
                constrained=True,
                on_scored=lambda question, one, reply: scored.append(one),
            ),
        )
        return scored

    @contextmanager
    def other(self, alone: Viewfinder) -> Iterator[Viewfinder]:
        """Another model of this process (changed weights or sizes), batched, for `ask(viewfinder=)`."""
        with batched(alone, BATCH) as shared:
            yield shared


@contextmanager
def opened(alone: Viewfinder | None, **fields: Any) -> Iterator[Lab]:
    """A lab whose model is batched as long as it is open."""
    with ExitStack() as until:
        shared = None if alone is None else until.enter_context(batched(alone, BATCH))
        yield Lab(shared, alone, **fields)


def _sees(viewfinder: Viewfinder) -> Callable[[Any], Any]:
    return lambda messages: viewfinder.processor.plan(messages).media


def on_pictures(worse: Callable[[Image.Image, random.Random], Any]) -> Change:
    """A change of each picture of a question, by what makes another picture or file of it."""

    def change(question: Question, rng: random.Random) -> Question:
        def part(one: Any) -> Any:
            if not isinstance(one, ImagePart):
                return one
            made = worse(load_image(one.image).image, rng)
            return one.model_copy(update={"image": encode_picture(made) if isinstance(made, Image.Image) else made})

        messages = tuple(m.model_copy(update={"parts": tuple(map(part, m.parts))}) for m in question.messages)
        return replace(question, messages=messages)

    return change


def estimate(values: Sequence[float]) -> list[float]:
    """Mean in percent of values from 0 to 1, its 95 % bootstrap interval, and their number."""
    low, high, _ = bootstrap_mean([100 * value for value in values])
    return [round(v, 2) for v in (100 * sum(values) / max(1, len(values)), low, high)] + [len(values)]


def total(task: Task, scored: Sequence[Scored]) -> list[float]:
    """A task's own headline number with its interval."""
    from viewfinder.eval.manifest import interval_of

    low, high, _ = interval_of(task, scored)
    return [round(v, 2) for v in (task.total(scored)["score"], low, high)] + [len(scored)]


def slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in text).strip("-.") or "all"
