"""Which sequences are read in the next step, how many tokens of each, and whose blocks of the cache are given up.

Every decoding sequence gets its token in every step, with those that a grammar forces after it; where several tenants
have many, they take turns. What is left of the step's budget goes to tenants with prompts in equal shares, and of each
to its prompts, so that a short one overtakes a long one (`step_shares`). Waiting sequences come in as places are free,
while blocks for their prompts are, the tenant with the fewest running first, then the one that used least lately. Where
none is free, a tenant with two more running than one that waits gives one up; where blocks run out, the youngest of the
tenant with most running wait until others are done. Knows numbers of tokens and blocks, no tensors.
"""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from viewfinder.engine.block_manager import BlockManager
from viewfinder.engine.mask_budget import MaskBudget
from viewfinder.engine.sequence import Sequence
from viewfinder.engine.step_shares import share_out
from viewfinder.errors import ViewfinderError

_LATELY = 100_000
"""Tokens after which what tenants used is halved."""


class BusyError(ViewfinderError):
    """The engine takes no more for now; `retry_after` seconds from now it may."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class EngineConfig:
    """Bounds of the engine.

    Attributes:
        max_num_seqs: sequences generated at once.
        max_shared_seqs: answers that go on in one step where several tenants have some, in equal shares of them, so
            that many of one do not make the steps of another long.
        max_waiting: requests of one tenant that may wait; four times as many in all.
        max_num_batched_tokens: tokens read in one step; a longer prompt is read in several.
        min_chunk_tokens: no prompt is read in smaller pieces than this.
        max_num_patches: patches the tower takes at once (a single frame may have more).
        block_size: tokens in a block of the cache.
        cache_bytes: memory for keys and values, None for what the GPU has left after one worst step;
            encoder_cache_bytes: for features of media seen before.
        enable_prefix_caching: whether sequences and media are looked up among earlier ones.
        encode_beside: on a CPU, run the tower in a thread of its own while others go on (`engine.encoder`).
        enforce_eager: never replay CUDA graphs (`engine.decode_graphs`).
    """

    max_num_seqs: int = 64
    max_shared_seqs: int = 16
    max_waiting: int = 64
    max_num_batched_tokens: int = 512
    min_chunk_tokens: int = 64
    max_num_patches: int = 4096
    block_size: int = 16
    cache_bytes: int | None = 2**30
    encoder_cache_bytes: int = 2**28
    enable_prefix_caching: bool = True
    encode_beside: bool = False
    enforce_eager: bool = False

    @classmethod
    def for_device(cls, device: str, **settings: Any) -> "EngineConfig":
        """Bounds that suit a kind of device, "cpu" or "cuda"; `settings` that are not None have the last word.

        A GPU reads its weights once for all rows of a step, so hundreds of sequences cost little more than one; its
        kernels read blocks of 256 tokens.
        """
        given = {name: value for name, value in settings.items() if value is not None}
        wide = {
            "max_num_seqs": 256,
            "max_shared_seqs": 256,
            "max_waiting": 1024,
            "max_num_batched_tokens": 8192,
            "min_chunk_tokens": 512,
            "max_num_patches": 32768,
            "block_size": 256,
            "cache_bytes": None,
            "encoder_cache_bytes": 2**30,
        }
        return cls(**{**(wide if device == "cuda" else {"encode_beside": True}), **given})


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


@dataclass(frozen=True)
class Scheduled:
    """A sequence's part of a step: its next `num_tokens`, and the blocks it was given for them."""

    sequence: Sequence
    num_tokens: int
    new_blocks: list[int] = field(default_factory=list)


class Scheduler:
    """Sequences that wait, by tenant, and those that run, in the order of their arrival."""

    def __init__(self, config: EngineConfig, num_blocks: int, counters: Counters) -> None:
        self.config, self.counters = config, counters
        self.block_manager = BlockManager(num_blocks, config.block_size)
        self.waiting: dict[str, deque[Sequence]] = {}
        self.running: list[Sequence] = []
        self._used: Counter[str] = Counter()
        self._masks = MaskBudget()
        self._step = 0

    @property
    def num_waiting(self) -> int:
        return sum(map(len, self.waiting.values()))

    @property
    def is_idle(self) -> bool:
        return not self.running and not self.num_waiting

    def check_waiting(self, tenant: str, more: int, seconds_each: float) -> None:
        """Raises `BusyError` when `more` requests of a tenant are too many to wait."""
        most = self.config.max_waiting
        own, all_ = len(self.waiting.get(tenant, ())), self.num_waiting
        if own + more > most or all_ + more > 4 * most:
            retry = min(60.0, max(1.0, seconds_each * (all_ + 1) / self.config.max_num_seqs))
            raise BusyError(
                f"{own} requests of yours and {all_} in all are waiting already, so this one is not taken; "
                f"try again in {retry:.0f} s",
                retry,
            )

    def add(self, sequence: Sequence) -> None:
        self.waiting.setdefault(sequence.tenant, deque()).append(sequence)

    def schedule(self) -> list[Scheduled]:
        """The next step: places filled from the queue, tokens shared out, blocks reserved."""
        while self._admit():
            continue
        scheduled: list[Scheduled] = []
        self._step += 1
        taking_part = self._masks.next_step([s for s in self.running if not s.awaits_features])
        for sequence, count in sorted(share_out(taking_part, self.config), key=lambda share: share[0].order):
            blocks = None
            while sequence in self.running and (blocks := self._reserve(sequence, count)) is None:
                youngest = self._youngest()
                self._preempt(youngest)
                scheduled = [part for part in scheduled if part.sequence is not youngest]
            if blocks is not None:
                scheduled.append(Scheduled(sequence, count, blocks))
        # features are made in this order, as many as a step may take
        return sorted(scheduled, key=lambda part: self._used[part.sequence.tenant])

    def update(self, sequence: Sequence, num_tokens: int) -> None:
        """Note that the model has read `num_tokens` more; full blocks may be found by others from now on."""
        sequence.num_computed_tokens += num_tokens
        sequence.last_step = self._step
        self._note_use(sequence.tenant, num_tokens)
        self._masks.note(sequence)
        if sequence.num_computed_tokens >= sequence.num_prompt_tokens:
            sequence.features.clear()
        self._publish(sequence)

    def finish(self, sequence: Sequence) -> None:
        """Take a running sequence out and its blocks back; full blocks stay findable."""
        self.running.remove(sequence)
        self._release(sequence)

    def drop_cancelled(self) -> list[Sequence]:
        """Take out all sequences that were called off."""
        dropped = [sequence for sequence in self._all() if sequence.cancelled]
        if dropped:
            self.running = [sequence for sequence in self.running if not sequence.cancelled]
            for tenant, line in list(self.waiting.items()):
                self._queue(tenant, deque(sequence for sequence in line if not sequence.cancelled))
        for sequence in dropped:
            self._release(sequence)
        return dropped

    def _all(self) -> list[Sequence]:
        return [*self.running, *(sequence for line in self.waiting.values() for sequence in line)]

    def _queue(self, tenant: str, line: deque[Sequence]) -> None:
        self.waiting[tenant] = line
        if not line:
            del self.waiting[tenant]

    def _admit(self) -> bool:
        """Move the next waiting sequence to the running ones; False when none waits, or no place or room is free."""
        if not self.waiting:
            return False
        held = Counter(sequence.tenant for sequence in self.running)
        tenant = min(self.waiting, key=lambda t: (held[t], self._used[t], self.waiting[t][0].order))
        is_full = len(self.running) >= self.config.max_num_seqs
        if is_full:
            youngest = self._youngest()
            if held[youngest.tenant] < held[tenant] + 2:
                return False
            self._preempt(youngest)
        line = self.waiting[tenant]
        sequence = line.popleft()
        self._queue(tenant, line)
        self.running.append(sequence)
        self._find_cached(sequence)
        if held[tenant] and not is_full and not self._has_room():
            self._put_back(sequence)
            return False
        self.running.sort(key=lambda s: s.order)
        self.counters.reused_tokens += sequence.num_computed_tokens
        sequence.admitted = sequence.admitted or time.monotonic()
        return True

    def _has_room(self) -> bool:
        """Whether all that run can be read to their end and each be given a block more. Else the youngest would be read
        in part, give its blocks up to those before it, and be read again."""
        size = self.config.block_size
        needed = sum(-(-len(s.token_ids) // size) + 1 - len(s.block_table) for s in self.running)
        return needed <= self.block_manager.num_available

    def _youngest(self) -> Sequence:
        """The last that came of the tenant with most running."""
        held = Counter(sequence.tenant for sequence in self.running)
        return max(self.running, key=lambda sequence: (held[sequence.tenant], sequence.order))

    def _note_use(self, tenant: str, num_tokens: int) -> None:
        """Add to what a tenant used lately; all is halved where it grows large, so that it is forgotten in time."""
        self._used[tenant] += num_tokens
        if self._used[tenant] > _LATELY:
            self._used = Counter({name: used // 2 for name, used in self._used.items() if used > 1})

    def _preempt(self, sequence: Sequence) -> None:
        """A running sequence gives up its place and blocks for now, and waits in front."""
        self._put_back(sequence)
        self.counters.preempted += 1

    def _put_back(self, sequence: Sequence) -> None:
        self.finish(sequence)
        self.waiting.setdefault(sequence.tenant, deque()).appendleft(sequence)

    def _find_cached(self, sequence: Sequence) -> None:
        """Give a sequence the cached beginning of its prompt. The last token chosen and those forced after it are
        always read: they say what follows."""
        if self.config.enable_prefix_caching:
            size = self.config.block_size
            hashes = sequence.hashes_of(sequence.num_chosen_tokens - 1, size)
            sequence.block_table = self.block_manager.match(hashes)
            sequence.num_published_blocks = len(sequence.block_table)
            sequence.num_computed_tokens = len(sequence.block_table) * size

    def _reserve(self, sequence: Sequence, count: int) -> list[int] | None:
        """New blocks for `count` more tokens; None when there are not enough."""
        needed = -(-(sequence.num_computed_tokens + count) // self.config.block_size) - len(sequence.block_table)
        if needed > self.block_manager.num_available:
            return None
        given = [block for _ in range(needed) if (block := self.block_manager.allocate()) is not None]
        sequence.block_table += given
        return given

    def _release(self, sequence: Sequence) -> None:
        self._publish(sequence)
        self.block_manager.release(sequence.block_table)
        sequence.block_table, sequence.num_computed_tokens, sequence.num_published_blocks = [], 0, 0
        sequence.features.clear()

    def _publish(self, sequence: Sequence) -> None:
        if self.config.enable_prefix_caching:
            hashes = sequence.hashes_of(sequence.num_computed_tokens, self.config.block_size)
            for i in range(sequence.num_published_blocks, len(hashes)):
                self.block_manager.publish(sequence.block_table[i], hashes[i])
            sequence.num_published_blocks = max(sequence.num_published_blocks, len(hashes))
