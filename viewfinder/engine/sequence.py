"""One request while it is served: what was asked, how far it is, and the ticket its asker holds."""

import itertools
import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from viewfinder.engine.blocks import Key, first_key, next_key
from viewfinder.engine.features import Piece
from viewfinder.engine.generate import Constraint, Picker, Token
from viewfinder.engine.text import AnswerText
from viewfinder.errors import ViewfinderError
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Reply, Sampling, Usage
from viewfinder.processor.processor import Prepared


class BusyError(ViewfinderError):
    """The engine takes no more for now; `retry_after` seconds from now it may."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineStoppedError(ViewfinderError):
    """The engine lost this request through no fault of it: it was restarted, or it is shutting down."""


@dataclass(frozen=True, eq=False)
class Work:
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


Event = Delta | Reply | Exception


class Ticket:
    """The asker's end of a request: events as they come, and a way to call it off.

    Events are `Delta`s and, last, a `Reply` or an exception. `listener`, when given, gets each in the engine's
    thread instead of the queue.
    """

    def __init__(self, listener: Callable[[Event], None] | None = None) -> None:
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._listener = listener
        self.cancelled = False

    def emit(self, event: Event) -> None:
        if self._listener is not None:
            self._listener(event)
        else:
            self._queue.put(event)

    def cancel(self) -> None:
        """The engine drops the request before its next step; its last event is a `Reply` with what there is."""
        self.cancelled = True

    def events(self) -> Iterator[Delta | Reply]:
        """Until the `Reply`; raises what ended the request otherwise."""
        while True:
            event = self._queue.get()
            if isinstance(event, Exception):
                raise event
            yield event
            if isinstance(event, Reply):
                return


_ORDER = itertools.count()


@dataclass(eq=False)
class Running:
    """A request on its way. Owned by the engine's thread.

    Attributes:
        ids: prompt and answer; the first `filled` of them are in the cache, in the blocks of `table`.
        pieces: work for the tower; `features` what it gave so far, by piece.
        media_rows: for each token of the prompt, how many media tokens stand before it (one more entry than tokens).
    """

    work: Work
    ticket: Ticket
    picker: Picker
    answer: AnswerText
    pieces: list[Piece]
    hashes: list[bytes]
    ids: list[int]
    media_rows: Tensor
    order: int = field(default_factory=lambda: next(_ORDER))
    arrived: float = field(default_factory=time.monotonic)
    first_token_at: float | None = None
    filled: int = 0
    table: list[int] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    published: int = 0
    reused: int = 0
    features: dict[int, Tensor] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)

    @property
    def inputs(self) -> ModelInputs:
        return self.work.prepared.inputs

    @property
    def prompt_length(self) -> int:
        return len(self.inputs.input_ids)

    @property
    def pending(self) -> int:
        """Tokens that the model has yet to read; one while decoding."""
        return len(self.ids) - self.filled

    @property
    def is_decoding(self) -> bool:
        return self.pending == 1 and self.filled >= self.prompt_length

    def positions(self, start: int, end: int) -> Tensor:
        """Position ids (3, end - start), those of the answer going on from the prompt's."""
        prompt = self.inputs.position_ids[:, start : min(end, self.prompt_length)]
        if end <= self.prompt_length:
            return prompt
        first = max(start, self.prompt_length)
        further = torch.arange(first, end)[None].expand(3, -1) + self.inputs.rope_deltas[0]
        return torch.cat([prompt, further], dim=1) if prompt.shape[1] else further

    def rows(self, start: int, end: int) -> tuple[int, int]:
        """Which of the request's features stand at tokens `start:end`."""
        last = len(self.media_rows) - 1
        return int(self.media_rows[min(start, last)]), int(self.media_rows[min(end, last)])

    def pieces_at(self, start: int, end: int) -> list[int]:
        """Which pieces have features at tokens `start:end`."""
        low, high = self.rows(start, end)
        return [i for i, piece in enumerate(self.pieces) if piece.features.start < high and piece.features.stop > low]

    def block_keys(self, upto: int, size: int) -> list[Key]:
        """Keys of the full blocks among the first `upto` tokens."""
        while (len(self.keys) + 1) * size <= upto:
            start = len(self.keys) * size
            end = start + size
            media = dict.fromkeys(self.pieces[i].key[1] for i in self.pieces_at(start, end))
            self.keys.append(
                next_key(
                    self.keys[-1] if self.keys else first_key(self.work.tenant),
                    torch.tensor(self.ids[start:end]).numpy().tobytes(),
                    self.positions(start, end).contiguous().numpy().tobytes(),
                    list(media),
                )
            )
        return self.keys[: upto // size]

    def take(self, token: Token) -> Reply | None:
        """Note a token and tell the asker; the `Reply` when it was the last."""
        self.tokens.append(token)
        self.ids.append(token.id)
        if self.first_token_at is None:
            self.first_token_at = time.monotonic()
        shown = self.answer.push(token.id)
        ended = token.finish_reason is not None or self.answer.stopped
        if ended:
            shown += self.answer.finish()
        self.ticket.emit(Delta(shown, token, self.answer.pieces[len(self.tokens) - 1]))
        return self.reply() if ended else None

    def reply(self, reason: str | None = None) -> Reply:
        """The answer as it stands."""
        last = self.tokens[-1].finish_reason if self.tokens else None
        prepared = self.work.prepared
        return Reply(
            text=self.answer.text,
            finish_reason=reason or ("stop" if self.answer.stopped or last is None else last),  # type: ignore[arg-type]
            tokens=tuple(token.id for token in self.tokens),
            token_texts=tuple(self.answer.pieces),
            logprobs=tuple(token.logprob for token in self.tokens),
            usage=Usage(
                prompt_tokens=self.prompt_length,
                completion_tokens=len(self.tokens),
                media_tokens=sum(info.tokens for info in prepared.media),
            ),
            media=prepared.media,
            stamp=prepared.inputs.stamp,
        )
