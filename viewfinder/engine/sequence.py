"""One sequence while it is generated: ids in, ids out, and how far the model has read them.

Tokens that a grammar forces are appended at once and read in the pass that reads the token before them; then the
sampler chooses them one by one from the logits of that pass, so ends, log probabilities and chance are those of a pass
for each token.

Knows token ids, positions and pieces of media; text is the business of `request`. A picture, and each frame pair of a
clip, is a piece that is known by the full SHA-256 of its patches, per tenant: clips with frames in common share their
features, whatever else they show, and one long clip never holds up other requests. Nothing attends across frames.
"""

import hashlib
import itertools
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from viewfinder.engine.block_manager import BlockHash, hash_block, root_hash
from viewfinder.engine.sampler import Sampler, Token
from viewfinder.inputs import ModelInputs

_ORDER = itertools.count()
PieceKey = tuple[str, bytes]
"""Tenant, and hash of the size and the patches."""


@dataclass(frozen=True)
class Piece:
    """A picture or frame pair of a request, the unit of work of the tower.

    Attributes:
        key: for the cache.
        grid: 1, rows and columns of patches.
        patches: rows of `pixel_values`.
        features: rows of the request's features, in the order of its placeholders.
    """

    key: PieceKey
    grid: tuple[int, int, int]
    patches: slice
    features: slice

    @property
    def num_patches(self) -> int:
        return self.patches.stop - self.patches.start


class Latency(NamedTuple):
    """Seconds of one finished request: in the queue, to its first token, for each token after it, in all."""

    queue: float
    first_token: float
    each_token: float
    whole: float


@dataclass(eq=False)
class Sequence:
    """Prompt and answer, owned by the engine's thread.

    Attributes:
        sampler: chooses its tokens and knows its greatest length.
        tenant: who asks. Caches are never shared between tenants, and turns are taken between them.
        token_ids: prompt and answer; the first `num_computed_tokens` are in the cache, in the blocks of `block_table`.
        num_forced_tokens: how many at the end of `token_ids` are forced and not yet chosen by the sampler.
        num_published_blocks: how many of its blocks others may find.
        pieces: work for the tower; `features` what it gave so far, by piece.
        media_rows: for each token of the prompt, how many media tokens stand before it (one more entry than tokens).
        arrived, admitted, first_token: seconds of the monotonic clock; `admitted` when its place was free.
        last_step: number of the step that read it last.
        awaits_features: it cannot be read before the tower is done with some of its media.
        cancelled: the scheduler drops the sequence before the next step. Any thread may set it.
    """

    inputs: ModelInputs
    sampler: Sampler
    tenant: str
    pieces: list[Piece]
    media_rows: Tensor
    token_ids: list[int]
    order: int = field(default_factory=lambda: next(_ORDER))
    arrived: float = field(default_factory=time.monotonic)
    admitted: float | None = None
    first_token: float | None = None
    num_computed_tokens: int = 0
    num_forced_tokens: int = 0
    num_published_blocks: int = 0
    last_step: int = 0
    block_table: list[int] = field(default_factory=list)
    block_hashes: list[BlockHash] = field(default_factory=list)
    features: dict[int, Tensor] = field(default_factory=dict)
    awaits_features: bool = False
    cancelled: bool = False

    @property
    def num_prompt_tokens(self) -> int:
        return len(self.inputs.input_ids)

    @property
    def num_pending_tokens(self) -> int:
        """Tokens that the model has yet to read; while decoding, the last one chosen and those forced after it."""
        return len(self.token_ids) - self.num_computed_tokens

    @property
    def num_chosen_tokens(self) -> int:
        """Tokens of the prompt and those that the sampler has chosen."""
        return len(self.token_ids) - self.num_forced_tokens

    @property
    def is_decoding(self) -> bool:
        return self.num_prompt_tokens <= self.num_computed_tokens == self.num_chosen_tokens - 1

    def latency(self, num_tokens: int) -> Latency:
        """Of this sequence, which ends now after `num_tokens` of an answer."""
        now = time.monotonic()
        admitted = now if self.admitted is None else self.admitted
        first = now if self.first_token is None else self.first_token
        each = (now - first) / max(1, num_tokens - 1)
        return Latency(admitted - self.arrived, first - self.arrived, each, now - self.arrived)

    def look_ahead(self) -> None:
        """Append the tokens that the grammar forces now; no more where some of them are yet to be chosen."""
        if not self.num_forced_tokens:
            forced = self.sampler.forced(len(self.token_ids))
            self.token_ids += forced
            self.num_forced_tokens = len(forced)

    def extend(self, tokens: Iterable[Token]) -> None:
        """Note what the sampler chose; forced tokens are there already."""
        for token in tokens:
            if self.num_forced_tokens:
                assert token.id == self.token_ids[-self.num_forced_tokens], "a forced token was not chosen"
                self.num_forced_tokens -= 1
            else:
                self.token_ids.append(token.id)

    def sampled_at(self, start: int, end: int) -> range:
        """Which of the tokens `start:end` have logits that the sampler needs.

        Of 10 tokens, the last two forced, those at 7, 8 and 9: they decide on the forced ones and on the eleventh.
        """
        return range(max(start, self.num_chosen_tokens - 1), end)

    def positions(self, start: int, end: int) -> Tensor:
        """Position ids (3, end - start), those of the answer going on from the prompt's."""
        prompt = self.num_prompt_tokens
        first = max(start, prompt)
        further = torch.arange(first, end).expand(3, -1) + self.inputs.rope_deltas[0] if end > first else None
        if further is not None and start >= prompt:
            return further
        known = self.inputs.position_ids[:, start : min(end, prompt)]
        return known if further is None else torch.cat([known, further], dim=1)

    def feature_rows(self, start: int, end: int) -> tuple[int, int]:
        """Which of the sequence's features stand at tokens `start:end`."""
        last = len(self.media_rows) - 1
        return int(self.media_rows[min(start, last)]), int(self.media_rows[min(end, last)])

    def pieces_at(self, start: int, end: int) -> list[int]:
        """Which pieces have features at tokens `start:end`."""
        if not self.pieces or start >= self.num_prompt_tokens:
            return []
        low, high = self.feature_rows(start, end)
        if low == high:
            return []
        first = bisect_right(self.pieces, low, key=lambda piece: piece.features.stop)
        return list(range(first, bisect_left(self.pieces, high, key=lambda piece: piece.features.start)))

    def features_at(self, start: int, end: int) -> list[Tensor]:
        """The features at tokens `start:end`, in order."""
        pieces = self.pieces_at(start, end)
        low, high = self.feature_rows(start, end) if pieces else (0, 0)
        found: list[Tensor] = []
        for i in pieces:
            first = self.pieces[i].features.start
            found.append(self.features[i][max(low - first, 0) : high - first])
        return found

    def hashes_of(self, num_tokens: int, block_size: int) -> list[BlockHash]:
        """Hashes of the full blocks among the first `num_tokens` tokens."""
        while (len(self.block_hashes) + 1) * block_size <= num_tokens:
            start = len(self.block_hashes) * block_size
            end = start + block_size
            media = [self.pieces[i].key[1] for i in self.pieces_at(start, end)]
            self.block_hashes.append(
                hash_block(
                    self.block_hashes[-1] if self.block_hashes else root_hash(self.tenant),
                    torch.tensor(self.token_ids[start:end]).numpy().tobytes(),
                    self.positions(start, end).contiguous().numpy().tobytes(),
                    media,
                )
            )
        return self.block_hashes[: num_tokens // block_size]


def pieces_of(inputs: ModelInputs, tenant: str, merge: int, *, hashed: bool = True) -> list[Piece]:
    """The pictures and frame pairs of a request, in order; without `hashed` none can be told from another.

    A clip of 3 frame pairs of 4 x 4 patches after a picture of 2 x 2 has patches 4..20, 20..36 and 36..52, and, with
    2 x 2 merged, features 1..5, 5..9 and 9..13.
    """
    pieces: list[Piece] = []
    patch = feature = 0
    grids = [] if inputs.grid_thw is None else inputs.grid_thw.tolist()
    for frames, height, width in grids:
        patches, tokens = height * width, height * width // merge**2
        for _ in range(frames):
            where = slice(patch, patch + patches)
            digest = _digest(inputs, where, (height, width)) if hashed else b""
            pieces.append(Piece((tenant, digest), (1, height, width), where, slice(feature, feature + tokens)))
            patch, feature = patch + patches, feature + tokens
    return pieces


def _digest(inputs: ModelInputs, where: slice, size: tuple[int, int]) -> bytes:
    assert inputs.pixel_values is not None
    digest = hashlib.sha256(repr(size).encode())
    digest.update(inputs.pixel_values[where].contiguous().numpy().data)
    return digest.digest()
