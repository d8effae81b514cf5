"""Who decodes next: jobs wait by tenant, and workers go round between tenants.

A tenant that has nothing running comes before one that has, then the one that used the least time lately. A tenant
alone may hold all workers; when another comes, the youngest job of whoever holds more than one, or used more and had
its second, is put back (its worker is killed; a job is only bytes in and pixels out) and starts again later, at most
three times. A worker is used for one tenant; past a job's first second the engine and others go before it.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from viewfinder.errors import ViewfinderError
from viewfinder.media.sandbox_process import DecodeWorker, ForkServer, SandboxLimits

_MOST_PREEMPTIONS = 3
_HALF_LIFE = 30.0
_SLICE = 1.0
"""Seconds that a tenant's only job may keep a tenant waiting that used less."""


class DecoderBusyError(ViewfinderError):
    """A job waited for a worker as long as it may."""


class CalledOffError(ViewfinderError):
    """Nobody waits for the job any more."""


@dataclass(eq=False)
class Job:
    """One file to decode. `worker` is set while it runs."""

    tenant: str
    worker: DecodeWorker | None = None
    running: bool = False
    called_off: bool = False
    preempted: bool = False
    preemptions: int = 0
    started: float = field(default=0.0)


class DecodeQueue:
    """For many threads: `enter` waits for a place and a worker, `leave` gives them back."""

    def __init__(self, limits: SandboxLimits) -> None:
        self.limits = limits
        self.jobs = self.lost = 0
        self._server = ForkServer(limits)
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Job]] = {}
        self._running: list[Job] = []
        self._idle: list[tuple[str | None, DecodeWorker]] = []
        self._used: dict[str, tuple[float, float]] = {}
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """Process ids of idle workers."""
        return [worker.pid for _, worker in list(self._idle)]

    def start(self) -> list[DecodeWorker]:
        """Start the workers that are not there yet; all idle ones."""
        with self._changed:
            self._closed = False
            while len(self._idle) + len(self._running) < self.limits.workers:
                self._idle.append((None, DecodeWorker(self._server)))
            return [worker for _, worker in self._idle]

    def close(self) -> None:
        """End all workers; jobs that run or wait are lost."""
        with self._changed:
            self._closed = True
            for job in self._running:
                job.called_off = True
            for _, worker in self._idle:
                worker.close()
            self._idle.clear()
            self._changed.notify_all()
        self._server.close()

    def enter(self, job: Job) -> DecodeWorker:
        """A worker for the job, which is alive and has worked for no other tenant.

        Raises:
            DecoderBusyError: none was free in time. CalledOffError: by `call_off`, or closed.
        """
        deadline = time.monotonic() + self.limits.seconds
        with self._changed:
            line = self._waiting.setdefault(job.tenant, deque())
            (line.appendleft if job.preempted else line.append)(job)
            job.preempted = False
            self._assign()
            while not job.running:
                left = deadline - time.monotonic()
                if job.called_off or self._closed or left <= 0:
                    self._forget(job)
                    if left <= 0:
                        raise DecoderBusyError(f"no decoder was free for {self.limits.seconds:g} s; try again later")
                    raise CalledOffError("the request was called off")
                self._changed.wait(min(left, _SLICE / 4))
                self._assign()
            worker = self._take_idle(job.tenant)
        try:
            worker = worker or DecodeWorker(self._server)
        except BaseException:
            self.leave(job, None)
            raise
        with self._changed:
            job.worker = worker
            doomed = job.called_off or job.preempted
        if doomed:
            worker.kill()
        return worker

    def leave(self, job: Job, worker: DecodeWorker | None) -> None:
        """The job does not run any more; `worker` when it can be used again."""
        with self._changed:
            self._running.remove(job)
            job.running, job.worker = False, None
            now = time.monotonic()
            self._used = {tenant: (used, when) for tenant, (used, when) in self._used.items() if now - when < 600}
            self._used[job.tenant] = self._recent(job.tenant, now) + now - job.started, now
            self.jobs += not job.preempted
            is_kept = worker is not None and not self._closed and not worker.gives_way
            if worker is not None and is_kept:
                self._idle.append((job.tenant, worker))
            self._assign()
        if worker is not None and not is_kept:
            worker.close()

    def call_off(self, jobs: Iterable[Job]) -> None:
        """End jobs that nobody waits for."""
        with self._changed:
            workers = []
            for job in jobs:
                job.called_off = True
                workers.append(job.worker)
            self._changed.notify_all()
        for worker in workers:
            if worker is not None:
                worker.kill()

    def _take_idle(self, tenant: str) -> DecodeWorker | None:
        """An idle worker that has seen no other tenant; else one makes room for a fresh one."""
        mine = next((i for i, (owner, _) in enumerate(self._idle) if owner in (None, tenant)), None)
        if mine is not None:
            _, worker = self._idle.pop(mine)
            if worker.is_alive:
                return worker
            worker.close()
        elif self._idle and len(self._idle) + len(self._running) > self.limits.workers:
            self._idle.pop(0)[1].close()
        return None

    def _assign(self) -> None:
        """Fill free places; with none left, take one from a tenant with several for a tenant with none."""
        now = time.monotonic()
        self._give_way(now)
        while self._waiting:
            held = {tenant: self._held(tenant) for tenant in self._waiting}
            tenant = min(self._waiting, key=lambda t: (held[t], self._recent(t, now)))
            if len(self._running) >= self.limits.workers:
                if held[tenant] == 0:
                    self._preempt(self._recent(tenant, now), now)
                return
            job = self._waiting[tenant][0]
            self._forget(job)
            self._running.append(job)
            job.running, job.started = True, now
            self._changed.notify_all()

    def _give_way(self, now: float) -> None:
        """Beside other tenants, jobs past their second leave the processors to whoever else wants them."""
        for job in self._running if len(self._used.keys() | self._waiting.keys()) > 1 else ():
            if job.worker is not None and now - job.started > _SLICE:
                job.worker.give_way()

    def _preempt(self, used: float, now: float) -> None:
        """Put a job back for a tenant that has none running and used so many seconds lately."""
        if any(job.preempted for job in self._running):  # its place is on its way
            return
        able = [job for job in self._running if job.preemptions < _MOST_PREEMPTIONS and self._yields(job, used, now)]
        if able:
            youngest = max(able, key=lambda job: (self._held(job.tenant), job.started))
            youngest.preempted = True
            youngest.preemptions += 1
            if youngest.worker is not None:
                youngest.worker.kill()

    def _yields(self, job: Job, used: float, now: float) -> bool:
        ran = now - job.started
        return self._held(job.tenant) > 1 or (ran > _SLICE and self._recent(job.tenant, now) + ran > used + _SLICE)

    def _held(self, tenant: str) -> int:
        return sum(job.tenant == tenant for job in self._running)

    def _recent(self, tenant: str, now: float) -> float:
        """Seconds of workers that a tenant used, half forgotten after half a minute."""
        used, when = self._used.get(tenant, (0.0, now))
        return used * 0.5 ** ((now - when) / _HALF_LIFE)

    def _forget(self, job: Job) -> None:
        line = self._waiting[job.tenant]
        line.remove(job)
        if not line:
            del self._waiting[job.tenant]
