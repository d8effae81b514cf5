"""Who is served in the next step, and how much of whose prompt is read. Knows requests as numbers of tokens.

Every decoding request gets its token in every step. What is left of the step's budget goes to prompts in equal
shares, so that a short one overtakes a long one. Waiting requests come in as places are free, the tenant with
the fewest running first, then the one that came first.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from viewfinder.engine.request import BusyError, Running


@dataclass(frozen=True)
class Limits:
    """Bounds of the engine.

    Attributes:
        max_running: requests served at once.
        max_waiting: requests of one tenant that may wait; four times as many in all.
        step_tokens: tokens read in one step; a longer prompt is read in several.
        least_share: no prompt is read in smaller pieces than this.
        step_patches: patches the tower takes at once (a single frame may have more).
    """

    max_running: int = 16
    max_waiting: int = 64
    step_tokens: int = 512
    least_share: int = 64
    step_patches: int = 4096


@dataclass
class Queues:
    """Requests that wait, by tenant, and those that run, in the order of their arrival."""

    limits: Limits
    waiting: dict[str, deque[Running]] = field(default_factory=dict)
    running: list[Running] = field(default_factory=list)

    @property
    def num_waiting(self) -> int:
        return sum(map(len, self.waiting.values()))

    def check_room(self, tenant: str, more: int, seconds_each: float) -> None:
        """Raises `BusyError` when `more` requests of a tenant are too many to wait."""
        most = self.limits.max_waiting
        own, all_ = len(self.waiting.get(tenant, ())), self.num_waiting
        if own + more > most or all_ + more > 4 * most:
            retry = min(60.0, max(1.0, seconds_each * (all_ + 1) / self.limits.max_running))
            raise BusyError(
                f"{own} requests of yours and {all_} in all are waiting already, so this one is not taken; "
                f"try again in {retry:.0f} s",
                retry,
            )

    def add(self, request: Running) -> None:
        self.waiting.setdefault(request.work.tenant, deque()).append(request)

    def put_back(self, request: Running) -> None:
        """A running request gives up its place for now and waits in front."""
        self.running.remove(request)
        self.waiting.setdefault(request.work.tenant, deque()).appendleft(request)

    def admit(self) -> Running | None:
        """Move the next waiting request to the running ones; None when none waits or no place is free."""
        if len(self.running) >= self.limits.max_running or not self.num_waiting:
            return None
        served = Counter(request.work.tenant for request in self.running)
        tenant = min(
            (t for t, line in self.waiting.items() if line), key=lambda t: (served[t], self.waiting[t][0].order)
        )
        request = self.waiting[tenant].popleft()
        if not self.waiting[tenant]:
            del self.waiting[tenant]
        self.running.append(request)
        self.running.sort(key=lambda r: r.order)
        return request

    def drop_cancelled(self) -> list[Running]:
        """Take out all requests that were called off."""
        dropped = [
            r for r in [*self.running, *(r for line in self.waiting.values() for r in line)] if r.ticket.cancelled
        ]
        if dropped:
            gone = set(map(id, dropped))
            self.running = [r for r in self.running if id(r) not in gone]
            self.waiting = {t: deque(r for r in line if id(r) not in gone) for t, line in self.waiting.items()}
            self.waiting = {t: line for t, line in self.waiting.items() if line}
        return dropped

    def clear(self) -> list[Running]:
        """Take out everything."""
        everything = [*self.running, *(r for line in self.waiting.values() for r in line)]
        self.running, self.waiting = [], {}
        return everything


def shares(running: Sequence[Running], limits: Limits) -> list[tuple[Running, int]]:
    """How many tokens each running request gets to read in the next step.

    With a budget of 100 and two requests decoding, prompts of 20 and 500 tokens get 20 and 78.
    """
    decoding = [(request, 1) for request in running if request.is_decoding]
    prompts = sorted((r for r in running if not r.is_decoding), key=lambda r: r.order)
    prompts[1:] = sorted(prompts[1:], key=lambda r: r.pending)  # the oldest is never overtaken by all
    left = max(limits.step_tokens - len(decoding), limits.least_share)
    chosen: list[tuple[Running, int]] = []
    for i, request in enumerate(prompts):
        if left <= 0:
            break
        share = min(request.pending, left, max(limits.least_share, left // (len(prompts) - i)))
        chosen.append((request, share))
        left -= share
    return decoding + chosen
