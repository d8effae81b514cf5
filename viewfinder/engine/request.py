"""One request in text: what is asked of the engine, and its tokens on the way back to a `Reply`.

Text ends before a stop string, and pieces shown earlier are never taken back: text that might be the beginning of a
stop string waits until it is known not to be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from viewfinder.engine.sampler import Constraint, Token
from viewfinder.messages import Reply, Sampling, Usage
from viewfinder.processor.processor import Prepared
from viewfinder.processor.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class EngineRequest:
    """What is asked of the engine.

    Attributes:
        prepared: the processor's output.
        tenant: who asks. Caches are never shared between tenants, and turns are taken between them.
        top_logprobs: how many alternatives are told with each token.
    """

    prepared: Prepared
    sampling: Sampling
    constraint: Constraint | None = None
    tenant: str = ""
    top_logprobs: int = 0


@dataclass(frozen=True)
class Delta:
    """What one step added: text that may be shown (possibly none yet), and the token behind it."""

    text: str
    token: Token
    piece: str


class RequestOutput:
    """The answer to one request as it grows; `finished` once nothing more is to come."""

    def __init__(self, request: EngineRequest, tokenizer: Tokenizer) -> None:
        self.request = request
        self.finished = False
        sampling = request.sampling
        self._detokenizer = Detokenizer(tokenizer, sampling.stop, sampling.skip_special_tokens)
        self._tokens: list[Token] = []

    def push(self, token: Token) -> Delta:
        """Add a token; a stop string may finish the answer before the engine does."""
        self._tokens.append(token)
        shown = self._detokenizer.push(None if token.is_end else token.id)
        self.finished = token.finish_reason is not None or self._detokenizer.stopped
        if self.finished:
            shown += self._detokenizer.finish()
        return Delta(shown, token, self._detokenizer.pieces[len(self._tokens) - 1])

    def reply(self, *, cancelled: bool = False) -> Reply:
        """The answer as it stands."""
        prepared, tokens, text = self.request.prepared, self._tokens, self._detokenizer
        last = tokens[-1].finish_reason if tokens else None
        return Reply(
            text=text.text,
            finish_reason="cancelled" if cancelled else "stop" if text.stopped or last is None else last,
            tokens=tuple(token.id for token in tokens),
            token_texts=tuple(text.pieces),
            logprobs=tuple(token.logprob for token in tokens),
            usage=Usage(
                prompt_tokens=len(prepared.inputs.input_ids),
                completion_tokens=len(tokens),
                media_tokens=sum(info.tokens for info in prepared.media),
            ),
            media=prepared.media,
            stamp=prepared.inputs.stamp,
        )


class Detokenizer:
    """Collects one answer. `pieces` has the text of each token; `shown` is what was given out so far."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = (), skip_special: bool = True) -> None:
        self._stream = tokenizer.stream(skip_special)
        self._stop = tuple(s for s in stop if s)
        self._whole = ""
        self._given = 0
        self.pieces: list[str] = []
        self.stopped = False

    @property
    def text(self) -> str:
        """The answer so far, without a stop string."""
        return self._whole

    def push(self, token_id: int | None) -> str:
        """Add a token, None for one without text; the text that may now be shown."""
        piece = "" if token_id is None else self._stream.push(token_id)
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
