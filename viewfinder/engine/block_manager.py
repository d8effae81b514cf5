"""Which blocks of the key-value cache belong to whom: allocation, sharing of equal prefixes, eviction.

A block holds `block_size` tokens of every layer. Full blocks carry a hash that hangs on everything before them
(token ids, positions, the hash of the media, the tenant), so an equal prefix is found by looking its hashes up
in turn. A block nobody uses stays findable until its place is needed; the one unused longest goes first.
Knows numbers and keys only, no tensors.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

BlockHash = bytes


class BlockManager:
    """Numbers 0 .. num_blocks-1, each free, in use by some requests, or unused but still findable.

    With four blocks of two tokens, a request of 5 tokens takes 0, 1, 2 and publishes 0 and 1; another that
    begins with the same 4 tokens is given 0 and 1 again and takes only 3 for the rest.
    """

    def __init__(self, num_blocks: int, block_size: int) -> None:
        self.num_blocks = num_blocks
        self.block_size = block_size
        self._free = list(range(num_blocks - 1, -1, -1))
        self._users = [0] * num_blocks
        self._hash_of: list[BlockHash | None] = [None] * num_blocks
        self._by_hash: dict[BlockHash, int] = {}
        self._unused: OrderedDict[int, None] = OrderedDict()

    @property
    def num_available(self) -> int:
        """Blocks that `allocate` can still give."""
        return len(self._free) + len(self._unused)

    def allocate(self) -> int | None:
        """A block for new tokens; None when all are in use."""
        if self._free:
            block = self._free.pop()
        elif self._unused:
            block, _ = self._unused.popitem(last=False)
            self._forget(block)
        else:
            return None
        self._users[block] = 1
        return block

    def match(self, hashes: Sequence[BlockHash]) -> list[int]:
        """Blocks of the longest known beginning of `hashes`, now also in use by the caller."""
        found: list[int] = []
        for block_hash in hashes:
            block = self._by_hash.get(block_hash)
            if block is None:
                break
            if self._users[block] == 0:
                del self._unused[block]
            self._users[block] += 1
            found.append(block)
        return found

    def publish(self, block: int, block_hash: BlockHash) -> None:
        """Let a full block be found by others. Where its like is known already, it stays private."""
        if block_hash not in self._by_hash and self._hash_of[block] is None:
            self._by_hash[block_hash] = block
            self._hash_of[block] = block_hash

    def release(self, blocks: Sequence[int]) -> None:
        """Give blocks back, later ones to be forgotten before earlier ones (which are of more use)."""
        for block in reversed(blocks):
            assert self._users[block] > 0, f"block {block} is released more often than it was taken"
            self._users[block] -= 1
            if self._users[block]:
                continue
            if self._hash_of[block] is None:
                self._free.append(block)
            else:
                self._unused[block] = None

    def check(self) -> None:
        """Every block is in exactly one state; for tests."""
        used = {block for block, users in enumerate(self._users) if users}
        assert used.isdisjoint(self._free)
        assert used.isdisjoint(self._unused)
        assert len(used) + len(self._free) + len(self._unused) == self.num_blocks
        assert all(self._hash_of[block] == block_hash for block_hash, block in self._by_hash.items())

    def _forget(self, block: int) -> None:
        block_hash = self._hash_of[block]
        if block_hash is not None:
            del self._by_hash[block_hash]
            self._hash_of[block] = None


def root_hash(tenant: str) -> BlockHash:
    """What the hashes of a tenant's sequences begin with: tenants share nothing, not even equal pictures."""
    return hashlib.sha256(b"tenant:" + tenant.encode()).digest()


def hash_block(before: BlockHash, ids: bytes, positions: bytes, media: Sequence[bytes]) -> BlockHash:
    """Hash of a block after the one with hash `before`.

    Args:
        ids: its token ids; positions: their position ids (which tell apart equal tokens of different clips).
        media: full hashes of the media whose tokens stand in the block, in order.
    """
    digest = hashlib.sha256(before)
    for part in (ids, positions, *media):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
