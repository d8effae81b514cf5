"""What the vision tower made of media, kept for the next request that shows the same."""

from collections import OrderedDict

from torch import Tensor

from viewfinder.engine.sequence import Piece, PieceKey


class EncoderCache:
    """What the tower made of media, for the next request that shows the same; the one not asked for longest goes first
    when `max_bytes` are full."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self.hits = 0
        self._items: OrderedDict[PieceKey, Tensor] = OrderedDict()

    def get(self, piece: Piece) -> Tensor | None:
        found = self._items.get(piece.key)
        if found is None:
            return None
        self.hits += 1
        self._items.move_to_end(piece.key)
        return found

    def put(self, piece: Piece, features: Tensor) -> None:
        size = features.numel() * features.element_size()
        if size > self.max_bytes or piece.key in self._items:
            return
        while self.num_bytes + size > self.max_bytes:
            _, old = self._items.popitem(last=False)
            self.num_bytes -= old.numel() * old.element_size()
        # a copy of its own: a slice would keep all that was computed with it alive
        self._items[piece.key] = features.clone()
        self.num_bytes += size
