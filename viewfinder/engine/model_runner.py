"""One step of many requests: blocks, features, one pass of the model, one token for each that is ready.

Owns the cache's memory. A request that cannot go on (no valid token, a broken input) fails alone: when a joint
pass fails, each request is tried by itself. Run by one thread.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from viewfinder.engine.blocks import BlockPool
from viewfinder.engine.features import FeatureCache, run_tower
from viewfinder.engine.paged_cache import PagedStore, StepCaches, Stretch
from viewfinder.engine.request import Running
from viewfinder.engine.scheduler import Limits
from viewfinder.errors import CheckpointError
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Reply
from viewfinder.model import Qwen2_5_VL

Share = tuple[Running, int]


class Runner:
    """A model with its block pool and its feature cache."""

    def __init__(
        self, model: Qwen2_5_VL, limits: Limits, *, cache_bytes: int, feature_bytes: int, block_size: int = 16
    ) -> None:
        config = model.config.text
        block_bytes = PagedStore.block_bytes(config, block_size, model.compute_dtype)
        useful = limits.max_running * -(-config.max_position_embeddings // block_size)
        num_blocks = max(1, min(cache_bytes // block_bytes, useful))
        self.model, self.limits = model, limits
        self.pool = BlockPool(num_blocks, block_size)
        self.store = PagedStore(config, num_blocks, block_size, model.compute_dtype, model.device)
        self.features = FeatureCache(feature_bytes)

    @property
    def capacity(self) -> int:
        """Tokens that the cache holds in all."""
        return self.pool.num_blocks * self.pool.block_size

    def begin(self, request: Running) -> None:
        """Give a request the cached beginning of its prompt. The last token is always read: it says what follows."""
        size = self.pool.block_size
        keys = request.block_keys(len(request.ids) - 1, size)
        request.table = self.pool.match(keys)
        request.published = len(request.table)
        request.filled = request.reused = len(request.table) * size

    def end(self, request: Running) -> None:
        """Give back what a request holds; its full blocks stay findable."""
        self._publish(request)
        self.pool.release(request.table)
        request.table, request.filled, request.published = [], 0, 0
        request.features.clear()

    def reserve(self, request: Running, count: int) -> bool:
        """Blocks for `count` more tokens; False when there are not enough."""
        needed = -(-(request.filled + count) // self.pool.block_size) - len(request.table)
        if needed > self.pool.num_available:
            return False
        if needed > 0:
            given = [block for _ in range(needed) if (block := self.pool.allocate()) is not None]
            assert len(given) == needed
            self.store.clear(given)
            request.table += given
        return True

    @torch.inference_mode()
    def step(self, shares: Sequence[Share]) -> list[tuple[Running, Reply | Exception]]:
        """Read `shares`, for which blocks are reserved; the requests that ended, each with how."""
        ended: list[tuple[Running, Reply | Exception]] = []
        ready = self._see(shares, ended)
        try:
            logits = self._forward(ready)
        except Exception as error:
            if len(ready) <= 1:
                return ended + [(request, error) for request, _ in ready]
            for share in ready:  # one of them is broken, and the others must not pay for it
                ended += self.step([share])
            return ended
        rows = iter(logits)
        for request, count in ready:
            request.filled += count
            self._publish(request)
            if request.pending == 0:
                self._pick(request, next(rows), ended)
        return ended

    def _see(self, shares: Sequence[Share], ended: list[tuple[Running, Reply | Exception]]) -> list[Share]:
        """Features for the shares, as many as one step may take; shares end before what is not yet seen."""
        left = self.limits.step_patches
        ready: list[Share] = []
        for request, count in shares:
            upto = request.filled + count
            try:
                for i in request.pieces_at(request.filled, upto):
                    piece = request.pieces[i]
                    if i in request.features:
                        continue
                    found = self.features.get(piece)
                    if found is None and left < piece.num_patches and left < self.limits.step_patches:
                        upto = int(torch.searchsorted(request.media_rows, piece.features.start, right=True)) - 1
                        break
                    if found is None:
                        found = run_tower(self.model.visual, request.inputs, piece, self.model.device)
                        self.features.put(piece, found)
                        left -= piece.num_patches
                    request.features[i] = found
            except Exception as error:  # whatever is wrong with these pixels concerns this request only
                ended.append((request, error))
                continue
            if upto > request.filled:
                ready.append((request, upto - request.filled))
        return ready

    def _forward(self, ready: Sequence[Share]) -> Tensor:
        """Logits (requests whose input is read to its end, V)."""
        if not ready:
            return torch.empty(0)
        device = self.model.device
        ids: list[int] = []
        positions, features, stretches, last = [], [], [], []
        starts = [0]
        for request, count in ready:
            start, end = request.filled, request.filled + count
            ids += request.ids[start:end]
            positions.append(request.positions(start, end))
            features += _features(request, start, end)
            stretches.append(Stretch(request.table, start, count))
            starts.append(len(ids))
            if end == len(request.ids):
                last.append(len(ids) - 1)
        inputs = ModelInputs(
            input_ids=torch.tensor(ids, device=device),
            position_ids=torch.cat(positions, dim=1).to(device),
            cu_seqlens=torch.tensor(starts, dtype=torch.int32),
            rope_deltas=(0,) * len(ready),
            media_per_sequence=(0,) * len(ready),
        )
        return self.model(
            inputs,
            StepCaches(self.store, stretches),
            features=torch.cat(features) if features else None,
            logits_at=torch.tensor(last, dtype=torch.int64, device=device),
        )

    def _publish(self, request: Running) -> None:
        keys = request.block_keys(request.filled, self.pool.block_size)
        for i in range(request.published, len(keys)):
            self.pool.publish(request.table[i], keys[i])
        request.published = max(request.published, len(keys))

    def _pick(self, request: Running, logits: Tensor, ended: list[tuple[Running, Reply | Exception]]) -> None:
        try:
            if bool(logits.isnan().any()):  # token 0 without end would be the answer
                raise CheckpointError(
                    "the model's output for this request is no number (NaN), so no token can be chosen; the weights "
                    "may be broken or too large for their dtype: load them as float32"
                )
            reply = request.take(request.picker.pick(logits))
        except Exception as error:
            ended.append((request, error))
            return
        request.features.clear()
        if reply is not None:
            ended.append((request, reply))


def _features(request: Running, start: int, end: int) -> list[Tensor]:
    """The request's features at tokens `start:end`, in order."""
    low, high = request.rows(start, end)
    found: list[Tensor] = []
    for i in request.pieces_at(start, end):
        piece = request.pieces[i]
        first = piece.features.start
        found.append(request.features[i][max(low - first, 0) : high - first])
    return found
