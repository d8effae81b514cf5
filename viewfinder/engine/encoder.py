"""Features of pictures and frames for a step: of what was shown before from the cache, of the rest by the tower.

With `encode_beside`, on a CPU of several threads, the tower runs in a thread of its own while other sequences are read,
with half of the threads each: two passes of a small model side by side keep all cores busy, which one after the other
on all cores do not, and nobody's next token waits for the picture of somebody else. Where no sequence can go on without
the tower, it runs in the step itself, on all threads.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from typing import NamedTuple
from weakref import WeakSet

import torch
from torch import Tensor

from viewfinder.engine.device_errors import raise_if_lost
from viewfinder.engine.encoder_cache import EncoderCache
from viewfinder.engine.scheduler import EngineConfig, Scheduled
from viewfinder.engine.sequence import Piece, Sequence
from viewfinder.model import Qwen2_5_VL
from viewfinder.model.native import thread_setter

_PASS = 1024
"""Patches of a pass where several sequences wait, so that the first can be read soon."""


class Wanted(NamedTuple):
    """Piece `number` of a sequence, for the tower."""

    sequence: Sequence
    number: int

    @property
    def piece(self) -> Piece:
        return self.sequence.pieces[self.number]


class Encoder:
    """The tower with its cache. All methods are for the engine's thread."""

    def __init__(self, model: Qwen2_5_VL, config: EngineConfig) -> None:
        self.cache = EncoderCache(config.encoder_cache_bytes)
        self.num_patches = 0
        self._model, self._config = model, config
        self._passes: deque[tuple[list[Wanted], Future[list[Tensor]]]] = deque()
        self._in_flight: set[Hashable] = set()
        self._awaiting: set[Sequence] = set()
        self._failed = WeakSet[Sequence]()
        self._threads, self._set_threads = torch.get_num_threads(), _thread_setter(model, config)
        self._executor = None if self._set_threads is None else self._started(self._set_threads)

    def _started(self, set_threads: Callable[[int], None]) -> ThreadPoolExecutor:
        def begin() -> None:
            torch.get_num_threads()  # PyTorch gives a new thread its own number at first use
            set_threads(self._threads // 2)

        return ThreadPoolExecutor(1, "encoder", begin)

    def close(self) -> None:
        """Let what runs in the other thread end; nothing is kept."""
        if self._executor is not None and self._set_threads is not None:
            self._executor.shutdown(cancel_futures=True)
            self._set_threads(self._threads)  # for who comes after, who asks how many there are
        self.cache = EncoderCache(0)

    def collect(self, *, wait: bool) -> None:
        """Take what the other thread has finished; with `wait`, one pass at least where any is under way."""
        while self._passes and (wait or self._passes[0][1].done()):
            wanted, future = self._passes.popleft()
            self._in_flight.difference_update(map(self._key, wanted))
            wait = False
            for sequence in self._awaiting:
                sequence.awaits_features = False
            self._awaiting.clear()
            try:
                self._keep(wanted, future.result())
            except Exception as error:
                raise_if_lost(error)
                self._failed.update(one.sequence for one in wanted)  # these are tried again in their own steps
        if not self._passes and self._set_threads is not None:
            self._set_threads(self._threads)

    def prepare(self, scheduled: list[Scheduled]) -> tuple[list[Scheduled], dict[Sequence, Exception]]:
        """The parts of a step that can be read, each as far as its features are there; and whose media are broken."""
        ready, missing = self._split(scheduled)
        if not missing:
            return ready, {}
        errors: dict[Sequence, Exception] = {}
        failed = [one for one in missing if one.sequence in self._failed]
        if failed or self._executor is None or (not ready and not self._passes):
            errors = self._encode(self._within(failed or missing))
            ready, missing = self._split([part for part in scheduled if part.sequence not in errors])
        if missing and self._executor is not None:
            self._begin(missing)
        return ready, errors

    def _split(self, scheduled: list[Scheduled]) -> tuple[list[Scheduled], list[Wanted]]:
        """What can be read of each part, and pieces that are missing for the rest. A little text before a picture
        waits for it."""
        ready: list[Scheduled] = []
        missing: list[Wanted] = []
        for part in scheduled:
            sequence, start = part.sequence, part.sequence.num_computed_tokens
            lacking = [i for i in sequence.pieces_at(start, start + part.num_tokens) if not self._has(sequence, i)]
            count = part.num_tokens
            if lacking:
                first = sequence.pieces[lacking[0]].features.start
                count = int(torch.searchsorted(sequence.media_rows, first, right=True)) - 1 - start
                missing += [Wanted(sequence, i) for i in lacking]
            if not lacking or count >= self._config.min_chunk_tokens:
                ready.append(Scheduled(sequence, count))
        return ready, missing

    def _has(self, sequence: Sequence, i: int) -> bool:
        """Whether the features of a piece are there, taken from the cache if need be."""
        if i in sequence.features:
            return True
        found = self.cache.get(sequence.pieces[i]) if self._config.enable_prefix_caching else None
        if found is not None:
            sequence.features[i] = found
        return found is not None

    def _within(self, missing: list[Wanted]) -> list[Wanted]:
        """As many as one pass may take, in their order; a piece that is larger by itself is taken alone."""
        most = self._config.max_num_patches
        if self._executor is not None and len({sequence for sequence, _ in missing}) > 1:
            most = min(most, _PASS)
        left, full = most, set[Sequence]()
        chosen: list[Wanted] = []
        for one in missing:
            if one.sequence in full or (left < one.piece.num_patches and left < most):
                full.add(one.sequence)
                continue
            chosen.append(one)
            left -= one.piece.num_patches
        return chosen

    def _encode(self, wanted: list[Wanted]) -> dict[Sequence, Exception]:
        """Features of pieces of any sequences, together; where that fails, of each sequence by itself. Whatever is
        wrong with the pixels of one concerns no other."""
        sequences = dict.fromkeys(sequence for sequence, _ in wanted)
        self._failed.difference_update(sequences)
        try:
            self._keep(wanted, self._features(wanted))
            return {}
        except Exception as error:
            raise_if_lost(error)
            if len(sequences) == 1:
                return {wanted[0].sequence: error}
        errors: dict[Sequence, Exception] = {}
        for sequence in sequences:
            errors |= self._encode([one for one in wanted if one.sequence is sequence])
        return errors

    def _begin(self, missing: list[Wanted]) -> None:
        """Have pieces encoded in the other thread, in passes, unless they are under way, and as many as there is room
        for. All whose pieces they are wait until one pass is done."""
        room = self._config.max_num_patches - sum(one.piece.num_patches for one in _flat(self._passes))
        new: list[Wanted] = []
        for one in missing:
            if self._key(one) not in self._in_flight and room > 0:
                self._in_flight.add(self._key(one))
                new.append(one)
                room -= one.piece.num_patches
            one.sequence.awaits_features = True
            self._awaiting.add(one.sequence)
        assert self._executor is not None
        assert self._set_threads is not None
        for wanted in _passes(new):
            self._passes.append((wanted, self._executor.submit(self._features, wanted)))
        if self._passes:
            self._set_threads(self._threads - self._threads // 2)

    def _key(self, one: Wanted) -> Hashable:
        return one.piece.key if self._config.enable_prefix_caching else one

    @torch.inference_mode()
    def _features(self, wanted: list[Wanted]) -> list[Tensor]:
        """Of each piece. Equal sizes go side by side, bytes never with numbers, and what several sequences of a tenant
        show is computed once. Touches nothing that another thread uses."""
        owners: dict[Hashable, Wanted] = {}
        for one in wanted:
            owners.setdefault(self._key(one), one)
        found: dict[Hashable, Tensor] = {}
        for _, group in groupby(sorted(owners.values(), key=_kind), key=lambda one: _kind(one)[0]):
            alike = list(group)
            grids = torch.tensor([one.piece.grid for one in alike])
            features = self._model.visual(_patches(alike).to(self._model.device), grids)
            sizes = [one.piece.features.stop - one.piece.features.start for one in alike]
            found |= zip(map(self._key, alike), features.split(sizes), strict=True)
        return [found[self._key(one)] for one in wanted]

    def _keep(self, wanted: list[Wanted], features: list[Tensor]) -> None:
        kept = set[Hashable]()
        for one, part in zip(wanted, features, strict=True):
            one.sequence.features[one.number] = part
            if self._key(one) not in kept:
                kept.add(self._key(one))
                self.num_patches += one.piece.num_patches
                if self._config.enable_prefix_caching:
                    self.cache.put(one.piece, part)


def _thread_setter(model: Qwen2_5_VL, config: EngineConfig) -> Callable[[int], None] | None:
    """What sets the number of threads of the thread that calls it; None where the tower runs in the step."""
    fits = config.encode_beside and model.device.type == "cpu" and not model.model.is_led
    return thread_setter() if fits and torch.get_num_threads() > 1 else None


def _passes(wanted: Iterable[Wanted]) -> list[list[Wanted]]:
    """In their order, each of at most `_PASS` patches; a larger piece is one by itself."""
    passes: list[list[Wanted]] = []
    left = 0
    for one in wanted:
        if not passes or left < one.piece.num_patches:
            passes.append([])
            left = _PASS
        passes[-1].append(one)
        left -= one.piece.num_patches
    return passes


def _flat(passes: Iterable[tuple[list[Wanted], object]]) -> Iterable[Wanted]:
    return (one for wanted, _ in passes for one in wanted)


def _kind(one: Wanted) -> tuple[str, tuple[int, int, int]]:
    """By what pieces are put together: bytes never with numbers, and equal sizes side by side."""
    assert one.sequence.inputs.pixel_values is not None
    return str(one.sequence.inputs.pixel_values.dtype), one.piece.grid


def _patches(wanted: list[Wanted]) -> Tensor:
    """The patches of some pieces, one after the other; not copied where they stand so already, as those of a clip."""
    runs: list[tuple[Tensor, slice]] = []
    for one in wanted:
        pixels, where = one.sequence.inputs.pixel_values, one.piece.patches
        assert pixels is not None
        if runs and runs[-1][0] is pixels and runs[-1][1].stop == where.start:
            where = slice(runs.pop()[1].start, where.stop)
        runs.append((pixels, where))
    parts = [pixels[where] for pixels, where in runs]
    return parts[0] if len(parts) == 1 else torch.cat(parts)
