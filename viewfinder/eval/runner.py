"""One task with one model, from questions to a `Score`: concurrent, resumable, every request kept.

Requests go out from a few threads, a bounded number ahead, so memory does not grow with the data. Outcomes are
taken in the order of the questions whatever comes first, so an interrupted and resumed run ends in the very manifest
of an uninterrupted one. A request that fails is scored as wrong, said so, and asked again by the next run.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from viewfinder.errors import ViewfinderError
from viewfinder.eval import manifest as manifests
from viewfinder.eval.manifest import Score
from viewfinder.eval.question import ModelAnswer, Question, sight_from, sight_of
from viewfinder.eval.replies import ReplyStore
from viewfinder.eval.source import Files
from viewfinder.eval.task import MediaSettings, Scored, Task
from viewfinder.media.digest import digest, digest_messages
from viewfinder.messages import ChatModel, MediaInfo, Message, Reply, Sampling
from viewfinder.outputs.results import confidence
from viewfinder.storage.atomic import write_whole
from viewfinder.storage.lock import locked
from viewfinder.storage.system_errors import system_errors

AHEAD = 4
"""Requests prepared beyond those under way, per thread."""


Jobs = Mapping[str, Callable[[Question, Sampling], Reply]]


@dataclass(frozen=True)
class Subject:
    """The model under test.

    Attributes:
        model: what answers.
        name: what it is called.
        fingerprint: a hash of its weights; "" when unknown.
        see: what it will see of media, which bounds grammars; the official sizes when None.
        jobs: answers to questions of a task by the task's `job`.
    """

    model: ChatModel
    name: str
    fingerprint: str = ""
    see: Callable[[Sequence[Message]], Sequence[MediaInfo]] | None = None
    jobs: Jobs = field(default_factory=dict)


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    Attributes:
        out: folder of this run; None keeps nothing.
        limit: so many questions, drawn by `seed`; all when None.
        settings: budgets that replace the task's.
        sampling: greedy with the task's longest answer when None.
        concurrency: requests at once.
        judge: reads answers where the task has a judge's rule.
        constrained: ask as the typed jobs do: under the grammar or schema of the answer's form, or by the task's job.
        on_scored: called with each question and its outcome, in order, e.g. to draw a report.
        progress: called with (done, total).
        origin: what the manifest notes for `rerun` (data folder, model, server).
    """

    out: Path | None = None
    limit: int | None = None
    seed: int = 0
    settings: MediaSettings | None = None
    sampling: Sampling | None = None
    concurrency: int = 1
    judge: Subject | None = None
    constrained: bool = False
    on_scored: Callable[[Question, Scored, Reply | None], None] | None = None
    progress: Callable[[int, int], None] | None = None
    origin: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Request:
    question: Question
    key: str
    content: str
    """Hash of what was asked and what is true, for the data's hash."""


def run(task: Task, files: Files, subject: Subject, options: RunOptions = RunOptions()) -> Score:
    """Ask every question (or those drawn), score, and write `predictions.jsonl` and `manifest.json`.

    Raises:
        EvaluationError: the data are not in the official schema, or `out` holds a run with other settings.
        OutputInUse: another process evaluates to `out`.
        StorageError: a file that could not be read or written.
    """
    with system_errors(options.out), locked(options.out) if options.out is not None else nullcontext():
        return _run(task, files, subject, options)


def _run(task: Task, files: Files, subject: Subject, options: RunOptions) -> Score:
    sampling = options.sampling or Sampling(max_new_tokens=task.max_new_tokens)
    settings = options.settings or task.settings
    plan = manifests.plan(task, subject, settings, sampling, options)
    store = ReplyStore()
    if options.out is not None:
        manifests.begin(options.out, plan)
        store = ReplyStore(options.out / "replies.jsonl")
    questions, number = task.drawn(files, options.limit, options.seed)
    asker = _Asker(task, subject, settings, sampling, store, options)
    scored: list[Scored] = []
    account = manifests.Account()
    for request, outcome in asker.ask_all(questions, options.concurrency):
        item, reply = asker.score(request, outcome, account)
        scored.append(item)
        if options.on_scored:
            options.on_scored(request.question, item, reply)
        if options.progress:
            options.progress(len(scored), number)
    score = manifests.conclude(task, plan, scored, account, options.seed)
    if options.out is not None:
        _write(options.out, scored, score)
    return score


class _Asker:
    """Requests and their replies, kept or new."""

    def __init__(
        self,
        task: Task,
        subject: Subject,
        settings: MediaSettings,
        sampling: Sampling,
        store: ReplyStore,
        options: RunOptions,
    ) -> None:
        self.task, self.subject, self.settings, self.sampling = task, subject, settings, sampling
        self.store, self.judge, self.constrained = store, options.judge, options.constrained

    def ask_all(
        self, questions: Iterable[Question], concurrency: int
    ) -> Iterator[tuple[_Request, "Future[tuple[Reply, float | None]]"]]:
        """Each request with its reply, in order of the questions."""
        with ThreadPoolExecutor(max_workers=concurrency) as pool:
            waiting: deque[tuple[_Request, Future[tuple[Reply, float | None]]]] = deque()
            try:
                for question in questions:
                    request, messages, constraint = self._prepare(question)
                    waiting.append((request, pool.submit(self._ask, request, messages, constraint)))
                    if len(waiting) >= concurrency * (1 + AHEAD):
                        yield waiting.popleft()
                while waiting:
                    yield waiting.popleft()
            finally:
                for _, future in waiting:
                    future.cancel()

    def _prepare(self, question: Question) -> tuple[_Request, Any, dict[str, Any]]:
        messages = self.settings.apply(question.messages)
        constraint = self._constraint(question, messages)
        asked = digest_messages(question.messages)
        request = [self.subject.name, self.subject.fingerprint, digest_messages(messages), list(question.tools)]
        key = digest([*request, self.sampling.model_dump(), constraint, self.task.job if self._job() else ""])
        return _Request(question, key, digest([question.id, asked, question.truth])), messages, constraint

    def _job(self) -> Callable[[Question, Sampling], Reply] | None:
        return self.subject.jobs.get(self.task.job) if self.constrained else None

    def _constraint(self, question: Question, messages: Sequence[Message]) -> dict[str, Any]:
        """`grammar` or `schema` for this request, bounded by what the model will see; nothing when not wanted."""
        if not self.constrained or self.task.form.constraint is None or self._job() is not None:
            return {}
        seen = self.subject.see(messages) if self.subject.see else ()
        return self.task.form.constraint(question, sight_from(seen) if seen else sight_of(question))

    def _ask(self, request: _Request, messages: Any, constraint: dict[str, Any]) -> tuple[Reply, float | None]:
        kept = self.store.get(request.key)
        if kept is not None:
            return kept
        began = time.perf_counter()
        job = self._job()
        if job is not None:
            reply = job(request.question, self.sampling)
        else:
            tools = request.question.tools
            reply = self.subject.model.chat(messages, tools=tools, sampling=self.sampling, **constraint)
        sure = confidence(reply)
        self.store.put(request.key, reply, sure, time.perf_counter() - began)
        kept = self.store.get(request.key)
        assert kept is not None
        return kept

    def score(
        self, request: _Request, outcome: "Future[tuple[Reply, float | None]]", account: manifests.Account
    ) -> tuple[Scored, Reply | None]:
        question = request.question
        reply, sure, prediction, failure = None, None, None, ""
        try:
            reply, sure = outcome.result()
            prediction = self._read(question, reply)
        except ViewfinderError as error:
            failure = str(error)
        value = self.task.score(prediction, question) if reply is not None and not failure else 0.0
        account.add(request.content, question, reply, failure)
        text = reply.text if reply is not None else ""
        return Scored(question.id, float(value), prediction, question.truth, dict(question.tags), sure, text), reply

    def _read(self, question: Question, reply: Reply) -> Any:
        if self.judge is None or self.task.judge is None:
            return self.task.form.read(ModelAnswer(reply, sight_of(question, reply)), question)
        return self.task.judge(_Kept(self.judge, self.store), question, reply.text)


class _Kept:
    """A judge whose replies are kept like the subject's."""

    def __init__(self, judge: Subject, store: ReplyStore) -> None:
        self.judge, self.store = judge, store

    def chat(self, messages: Sequence[Any], **options: Any) -> Reply:
        shown = {k: v.model_dump() if isinstance(v, Sampling) else v for k, v in options.items()}
        key = digest(["judge", self.judge.name, digest_messages(messages), shown])
        kept = self.store.get(key)
        if kept is None:
            began = time.perf_counter()
            reply = self.judge.model.chat(messages, **options)
            self.store.put(key, reply, None, time.perf_counter() - began)
            return reply
        return kept[0]

    def stream(self, messages: Sequence[Any], **options: Any) -> Iterator[str | Reply]:
        reply = self.chat(messages, **options)
        yield reply.text
        yield reply


def _write(out: Path, scored: Sequence[Scored], score: Score) -> None:
    lines = [json.dumps(vars(s), ensure_ascii=False, default=dict) for s in scored]
    write_whole(out / "predictions.jsonl", "\n".join(lines) + "\n")
    write_whole(out / "manifest.json", json.dumps(score.manifest, indent=2, ensure_ascii=False) + "\n")
