"""The engine of a server: many requests at once over one model, each answered as if it were alone.

`BatchingEngine` holds the queues and a thread that runs step after step; `chat_for` gives a `ChatModel` for
one tenant. Tokens equal those of `engine.reference` whatever else is being served. If a step breaks the loop,
what was running fails with `EngineStoppedError` and the loop begins anew.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from viewfinder.engine.engine import Engine
from viewfinder.engine.features import media_hashes, pieces_of
from viewfinder.engine.generate import Constraint, Picker, room
from viewfinder.engine.loop_guard import LoopGuard
from viewfinder.engine.request import Delta, EngineStoppedError, Event, Running, Ticket, Work
from viewfinder.engine.runner import Runner
from viewfinder.engine.scheduler import Limits, Queues, shares
from viewfinder.engine.text import AnswerText
from viewfinder.errors import ContextLengthError
from viewfinder.messages import Message, Reply, Sampling
from viewfinder.processor.processor import Processor

_LOG = logging.getLogger(__name__)


@dataclass
class Counters:
    """What was done since the start, for metrics."""

    steps: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    completion_tokens: int = 0
    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    preempted: int = 0
    restarts: int = 0


class BatchingEngine:
    """Continuous batching over the model of an `Engine`.

    Args:
        engine: model, processor and defaults.
        limits: of the scheduler.
        cache_bytes: memory for keys and values; feature_bytes: for features of media seen before.
    """

    def __init__(
        self,
        engine: Engine,
        limits: Limits | None = None,
        *,
        cache_bytes: int = 2**30,
        feature_bytes: int = 2**28,
        block_size: int = 16,
    ) -> None:
        self.engine = engine
        self.limits = limits or Limits()
        self.counters = Counters()
        self._make_runner = lambda: Runner(
            engine.model, self.limits, cache_bytes=cache_bytes, feature_bytes=feature_bytes, block_size=block_size
        )
        self.runner = self._make_runner()
        self.queues = Queues(self.limits)
        self._incoming: list[Running] = []
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._state = "open"
        self._seconds_each = 1.0

    def start(self) -> None:
        """Run the loop in a thread of its own."""
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)
        self._thread.start()

    def stop(self, drain_seconds: float = 0.0) -> None:
        """Take no more; finish what is there within `drain_seconds`, then fail the rest and end the thread."""
        deadline = time.monotonic() + drain_seconds
        with self._wake:
            self._state = "draining"
            self._wake.notify_all()
        while time.monotonic() < deadline and not self.is_idle:
            time.sleep(0.01)
        with self._wake:
            self._state = "stopped"
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._fail_all("the server is shutting down, so this request was dropped; send it again")

    @property
    def state(self) -> str:
        """open, draining or stopped."""
        return self._state

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_idle(self) -> bool:
        with self._wake:
            return not (self._incoming or self.queues.running or self.queues.num_waiting)

    def submit(self, work: Work, listener: Callable[[Event], None] | None = None) -> Ticket:
        """Queue a request.

        Raises:
            BusyError: too many wait already.
            ContextLengthError: the prompt leaves no room for an answer, or the cache cannot hold it.
            EngineStoppedError: the engine takes no more.
        """
        ticket = Ticket(listener)
        request = self._request(work, ticket)
        with self._wake:
            if self._state != "open":
                raise EngineStoppedError("the server is shutting down and takes no more requests; try again later")
            own = sum(r.work.tenant == work.tenant for r in self._incoming)
            self.queues.check_room(work.tenant, own + 1, self._seconds_each)
            self._incoming.append(request)
            self._wake.notify_all()
        return ticket

    def _request(self, work: Work, ticket: Ticket) -> Running:
        model, inputs = self.engine.model, work.prepared.inputs
        answers, total = room(model, inputs, work.sampling)
        if total > self.runner.capacity:
            raise ContextLengthError(
                f"prompt and answer may take {total} tokens and the cache holds {self.runner.capacity}, so the request "
                f"cannot be served; ask for under {max(1, self.runner.capacity - total + answers)} answer tokens or "
                "send less"
            )
        config = model.config
        places = (inputs.input_ids == config.image_token_id) | (inputs.input_ids == config.video_token_id)
        hashes = media_hashes(inputs)
        tokenizer = self.engine.processor.tokenizer
        guard = LoopGuard(tokenizer.token_bytes)
        eos = self.engine.eos_token_ids
        return Running(
            work=work,
            ticket=ticket,
            picker=Picker(model, inputs, work.sampling, eos, work.constraint, guard, work.top_logprobs),
            answer=AnswerText(tokenizer, work.sampling.stop),
            pieces=pieces_of(inputs, hashes, work.tenant, self.limits.step_patches, config.vision.spatial_merge_size),
            hashes=hashes,
            ids=inputs.input_ids.tolist(),
            media_rows=torch.cat([torch.zeros(1, dtype=torch.int64), places.cumsum(0)]),
        )

    def step(self) -> bool:
        """One step; False when there was nothing to do. Called by the loop, or by a test in its stead."""
        with self._wake:
            for request in self._incoming:
                self.queues.add(request)
            self._incoming.clear()
        for request in self.queues.drop_cancelled():
            self.runner.end(request)
            self.counters.cancelled += 1
            request.ticket.emit(request.reply("cancelled"))
        while (request := self.queues.admit()) is not None:
            self.runner.begin(request)
            self.counters.reused_tokens += request.reused
        ready = self._reserve()
        if not ready:
            return False
        self.counters.steps += 1
        for request, outcome in self.runner.step(ready):
            self._finish(request, outcome)
        return True

    def _reserve(self) -> list[tuple[Running, int]]:
        """Blocks for the next shares; where they run out, the youngest requests wait until others are done."""
        ready: list[tuple[Running, int]] = []
        for request, count in sorted(shares(self.queues.running, self.limits), key=lambda share: share[0].order):
            while request in self.queues.running and not self.runner.reserve(request, count):
                youngest = self.queues.running[-1]
                self.runner.end(youngest)
                self.queues.put_back(youngest)
                self.counters.preempted += 1
                ready = [share for share in ready if share[0] is not youngest]
            if request in self.queues.running:
                ready.append((request, count))
        return ready

    def _finish(self, request: Running, outcome: Reply | Exception) -> None:
        self.queues.running.remove(request)
        self.runner.end(request)
        if isinstance(outcome, Reply):
            self.counters.finished += 1
            self.counters.prompt_tokens += outcome.usage.prompt_tokens
            self.counters.completion_tokens += outcome.usage.completion_tokens
            seconds = time.monotonic() - request.arrived
            self._seconds_each = 0.9 * self._seconds_each + 0.1 * seconds
        else:
            self.counters.failed += 1
        request.ticket.emit(outcome)

    def _loop(self) -> None:
        while True:
            with self._wake:
                if self._state == "stopped":
                    return
            try:
                busy = self.step()
            except Exception:
                _LOG.exception("the engine's loop broke and is started again")
                self._restart()
                continue
            if not busy:
                with self._wake:
                    if not self._incoming and self._state != "stopped":
                        self._wake.wait(timeout=0.05 if self.queues.running or self.queues.num_waiting else 1.0)

    def _restart(self) -> None:
        self.counters.restarts += 1
        self._fail_all("the engine failed and was restarted, so this request was lost; send it again")
        self.runner = self._make_runner()

    def _fail_all(self, reason: str) -> None:
        with self._wake:
            lost = [*self._incoming, *self.queues.clear()]
            self._incoming.clear()
        for request in lost:
            self.counters.failed += 1
            request.ticket.emit(EngineStoppedError(reason))

    def chat_for(self, tenant: str = "", processor: Processor | None = None) -> "TenantChat":
        """A `ChatModel` whose requests belong to `tenant`; `processor` sets other budgets than the engine's."""
        return TenantChat(self, tenant, processor or self.engine.processor)


class TenantChat:
    """The batching engine as a `ChatModel` for one tenant. Closing a stream calls the request off."""

    def __init__(self, batching: BatchingEngine, tenant: str, processor: Processor) -> None:
        self.batching, self.tenant, self.processor = batching, tenant, processor
        self._tickets: list[Ticket] = []
        self._cancelled = False

    @property
    def sampling(self) -> Sampling:
        """What is taken when a request says nothing."""
        return self.batching.engine.sampling

    def chat(self, messages: Sequence[Message], **options: Any) -> Reply:
        *_, last = self.stream(messages, **options)
        assert isinstance(last, Reply)
        return last

    def stream(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[dict[str, Any]] = (),
        schema: dict[str, Any] | None = None,
        grammar: str | None = None,
        sampling: Sampling | None = None,
    ) -> Iterator[str | Reply]:
        """As `Engine.stream`; raises `BusyError` and `EngineStoppedError` besides."""
        work = Work(
            self.processor.prepare(messages, tools=tools),
            sampling or self.sampling,
            self.constraint(schema, grammar),
            self.tenant,
        )
        ticket = self.batching.submit(work)
        self._tickets.append(ticket)
        if self._cancelled:
            ticket.cancel()
        try:
            for event in ticket.events():
                if isinstance(event, Delta):
                    if event.text:
                        yield event.text
                else:
                    yield event
        finally:
            ticket.cancel()

    def constraint(self, schema: dict[str, Any] | None, grammar: str | None) -> Constraint | None:
        """Compile what the answer must obey; raises `GrammarError`."""
        assert schema is None or grammar is None, "a schema or a grammar, not both"
        grammars = self.batching.engine.grammars
        if schema is not None:
            return grammars.json_schema(schema)
        return None if grammar is None else grammars.lark(grammar)

    def cancel(self) -> None:
        """Call off all that was asked through this object and all that will be."""
        self._cancelled = True
        for ticket in self._tickets:
            ticket.cancel()
