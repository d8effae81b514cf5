"""From tokens to the text of an answer, piece by piece, ending before a stop string.

Pieces shown earlier are never taken back: text that might be the beginning of a stop string waits until
it is known not to be.
"""

from collections.abc import Sequence

from viewfinder.processor.tokenizer import Tokenizer


class AnswerText:
    """Collects one answer. `pieces` has the text of each token; `shown` is what was given out so far."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._stream = tokenizer.stream()
        self._stop = tuple(s for s in stop if s)
        self._whole = ""
        self._given = 0
        self.pieces: list[str] = []
        self.stopped = False

    @property
    def text(self) -> str:
        """The answer so far, without a stop string."""
        return self._whole

    def push(self, token_id: int) -> str:
        """Add a token; the text that may now be shown."""
        piece = self._stream.push(token_id)
        self.pieces.append(piece)
        return self._extend(piece)

    def finish(self) -> str:
        """No more tokens: the rest of the text."""
        shown = ""
        if not self.stopped:
            rest = self._stream.finish()
            if rest:
                self.pieces.append(rest)
            shown = self._extend(rest)
        return shown + self._give(len(self._whole))

    def _extend(self, piece: str) -> str:
        searched_from = max(0, len(self._whole) - max(map(len, self._stop), default=0))
        self._whole += piece
        places = [at for s in self._stop if (at := self._whole.find(s, searched_from)) >= 0]
        if places:
            self.stopped = True
            self._whole = self._whole[: min(places)]
        return self._give(len(self._whole) - self._held())

    def _held(self) -> int:
        """Characters at the end that may begin a stop string."""
        if self.stopped:
            return 0
        longest = 0
        for s in self._stop:
            sizes = range(min(len(s) - 1, len(self._whole)), 0, -1)
            longest = max(longest, next((n for n in sizes if self._whole.endswith(s[:n])), 0))
        return longest

    def _give(self, until: int) -> str:
        piece = self._whole[self._given : until]
        self._given = max(self._given, until)
        return piece
