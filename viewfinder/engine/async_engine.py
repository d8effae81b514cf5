"""The engine of a server: many requests at once over one model, each answered as if it were alone.

`AsyncEngine` keeps one `EngineCore` and a thread that runs step after step; a `Ticket` is the asker's end of a request,
and `chat_for` gives a `ChatModel` for one tenant. Tokens equal those of `engine.reference` whatever else is being
served. If a step breaks the loop, what runs fails with `EngineStoppedError` and the loop begins anew. After an error of
the device itself, which stays until the process ends, the engine ends too: `has_failed`.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Unpack

from viewfinder.engine.compile_queue import CompileQueue
from viewfinder.engine.device_errors import is_device_lost
from viewfinder.engine.engine import Engine, EngineCore
from viewfinder.engine.model_runner import StepOutput
from viewfinder.engine.request import Delta, EngineRequest, RequestOutput
from viewfinder.engine.scheduler import Counters, EngineConfig
from viewfinder.engine.sequence import Latency
from viewfinder.engine.sequence import Sequence as TokenSequence
from viewfinder.engine.ticket import EngineStoppedError, Event, Ticket
from viewfinder.messages import ChatModel, ChatOptions, Message, Reply, Sampling
from viewfinder.processor.processor import Processor

_LOG = logging.getLogger(__name__)


class AsyncEngine:
    """Continuous batching over the model of an `Engine`."""

    def __init__(self, engine: Engine, config: EngineConfig | None = None) -> None:
        self.engine = engine
        self.config = config or EngineConfig.for_device(engine.model.device.type)
        self.counters = Counters()
        self.compile_queue = CompileQueue()
        engine.compile_aside = self.compile_queue.aside
        self.core = self._new_core()
        self._incoming: list[Ticket] = []
        self._tickets: dict[TokenSequence, Ticket] = {}
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._state = "open"
        self._seconds_each = 1.0
        self.on_finish: Callable[[Latency], None] = lambda _: None
        self.on_events: Callable[[], None] = lambda: None
        """Called after events were emitted, once for all of a step."""
        self.has_failed = False
        self.on_failure: Callable[[], None] = lambda: None

    def _new_core(self) -> EngineCore:
        return EngineCore(self.engine.model, self.config, self.counters)

    def start(self) -> None:
        """Run the loop in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
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
            return not self._incoming and self.core.scheduler.is_idle

    def submit(self, request: EngineRequest, listener: Callable[[Event], None] | None = None) -> Ticket:
        """Queue a request.

        Raises:
            BusyError: too many wait already.
            ContextLengthError: the prompt leaves no room for an answer, or the cache cannot hold it.
            EngineStoppedError: the engine takes no more.
        """
        tenant = request.tenant
        sequence = self.core.runner.make_sequence(request.prepared.inputs, self.engine.sampler(request), tenant)
        ticket = Ticket(sequence, RequestOutput(request, self.engine.processor.tokenizer), listener)
        with self._wake:
            if self._state != "open":
                raise EngineStoppedError("the server is shutting down and takes no more requests; try again later")
            own = sum(waiting.sequence.tenant == tenant for waiting in self._incoming)
            self.core.scheduler.check_waiting(tenant, own + 1, self._seconds_each)
            self._incoming.append(ticket)
            self._wake.notify_all()
        return ticket

    def step(self) -> bool:
        """One step; False when there was nothing to do. Called by the loop, or by a test in its stead."""
        scheduler = self.core.scheduler
        with self._wake:
            for ticket in self._incoming:
                self._tickets[ticket.sequence] = ticket
                scheduler.add(ticket.sequence)
            self._incoming.clear()
        dropped = scheduler.drop_cancelled()
        for sequence in dropped:
            self.counters.cancelled += 1
            ticket = self._tickets.pop(sequence)
            ticket.emit(ticket.output.reply(cancelled=True))
        if dropped:
            self.on_events()
        outputs = self.core.step()
        for output in outputs:
            try:
                self._pass_on(output)
            except Exception as error:  # what breaks one request concerns no other
                self._fail(output.sequence, error)
        if outputs:
            self.on_events()
        self.counters.steps += bool(outputs)
        return bool(outputs)

    def _pass_on(self, output: StepOutput) -> None:
        """Tell the asker what a step did for a request."""
        ticket = self._tickets[output.sequence]
        for token in output.tokens:
            if output.sequence.first_token is None:
                output.sequence.first_token = time.monotonic()
            ticket.emit(ticket.output.push(token))
            if ticket.output.finished:
                self._finish(ticket)
                return
        if output.error is not None:
            self._fail(output.sequence, output.error)

    def _finish(self, ticket: Ticket) -> None:
        sequence = ticket.sequence
        self._drop(sequence)
        reply = ticket.output.reply()
        self.counters.finished += 1
        self.counters.prompt_tokens += reply.usage.prompt_tokens
        self.counters.completion_tokens += reply.usage.completion_tokens
        latency = sequence.latency(reply.usage.completion_tokens)
        self._seconds_each = 0.9 * self._seconds_each + 0.1 * latency.whole
        self.on_finish(latency)
        ticket.emit(reply)

    def _fail(self, sequence: TokenSequence, error: Exception) -> None:
        self.counters.failed += 1
        self._drop(sequence).emit(error)

    def _drop(self, sequence: TokenSequence) -> Ticket:
        if sequence in self.core.scheduler.running:  # the core goes on until it is told
            self.core.scheduler.finish(sequence)
        return self._tickets.pop(sequence)

    def _run(self) -> None:
        """The loop, begun anew whatever ended it; where that fails too, what waits is answered and no more is taken."""
        while self._state != "stopped":
            try:
                self._loop()
                continue
            except BaseException as error:
                is_lost = is_device_lost(error)
                _LOG.exception("the engine's loop broke and %s", "stays so" if is_lost else "is started again")
            # outside of `except`: there, the error would keep the tensors of the broken step
            if is_lost or not self._restart():
                self._give_up()

    def _give_up(self) -> None:
        with self._wake:
            self._state = "stopped"
            self.has_failed = True
        self._fail_all("the engine failed and cannot be restarted; ask whoever runs the server")
        self.on_failure()

    def _loop(self) -> None:
        while self._state != "stopped":
            if not self.step():
                with self._wake:
                    if not self._incoming and self._state != "stopped":
                        self._wake.wait(timeout=1.0 if self.core.scheduler.is_idle else 0.05)

    def _restart(self) -> bool:
        """A new core for the old one, whose memory is freed first; False where that fails."""
        self.counters.restarts += 1
        self._fail_all("the engine failed and was restarted, so this request was lost; send it again")
        try:
            self.core.runner.free()
            self.core = self._new_core()
        except BaseException:
            _LOG.exception("the engine cannot be started again; restart the server")
            return False
        return True

    def _fail_all(self, reason: str) -> None:
        with self._wake:
            lost = [*self._incoming, *self._tickets.values()]
            self._incoming.clear()
            self._tickets.clear()
        for ticket in lost:
            self.counters.failed += 1
            ticket.emit(EngineStoppedError(reason))
        self.on_events()

    def chat_for(self, tenant: str = "", processor: Processor | None = None) -> "TenantChat":
        """A `ChatModel` whose requests belong to `tenant`; `processor` sets other budgets than the engine's."""
        return TenantChat(self, tenant, processor or self.engine.processor)


class TenantChat(ChatModel):
    """The engine of a server as a `ChatModel` for one tenant. Closing a stream calls the request off."""

    def __init__(self, engine: AsyncEngine, tenant: str, processor: Processor) -> None:
        self.engine, self.tenant, self.processor = engine, tenant, processor
        self._tickets: list[Ticket] = []
        self._cancelled = False

    @property
    def fingerprint(self) -> str:
        """As `Engine.fingerprint`."""
        return self.engine.engine.fingerprint

    @property
    def sampling(self) -> Sampling:
        """What is taken when a request says nothing."""
        return self.engine.engine.sampling

    def request(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> EngineRequest:
        """A request of this tenant; errors as in `Engine.stream`."""
        engine = self.engine.engine
        schema, grammar = options.pop("schema", None), options.pop("grammar", None)
        prepared = engine.request(messages, processor=self.processor, tenant=self.tenant, **options)
        if schema is None and grammar is None:
            return prepared
        work = partial(engine.constraint, schema, grammar)
        return replace(prepared, constraint=self.engine.compile_queue.run(self.tenant, work))

    def stream(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Iterator[str | Reply]:
        """As `Engine.stream`; raises `BusyError` and `EngineStoppedError` besides."""
        ticket = self.engine.submit(self.request(messages, **options))
        self._tickets.append(ticket)
        if self._cancelled:
            ticket.cancel()
        try:
            for event in ticket.events():
                if not isinstance(event, Delta):
                    yield event
                elif event.text:
                    yield event.text
        finally:
            ticket.cancel()
            self._tickets.remove(ticket)  # it holds all pixels of the request

    def cancel(self) -> None:
        """Call off all that was asked through this object and all that will be."""
        self._cancelled = True
        for ticket in list(self._tickets):
            ticket.cancel()
