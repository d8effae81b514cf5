"""Decoding under a grammar: which tokens may come next, from a Lark text, a JSON schema or a regex.

A thin layer over llguidance: compile once per request, then per token one bit mask, one fill of the
logits. Knows tokens and logits, not what the answers mean; the grammar texts are in `outputs/grammars.py`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper
from tokenizers import Tokenizer
from torch import Tensor

from viewfinder.engine.schema import bounded
from viewfinder.engine.vocabulary import ByteVocabulary, read_vocabulary
from viewfinder.errors import GrammarError

_SLICES = (r'[^<"\\.\x00-\x1F\x7F]{1,10}', r'[^<"\\.\x00-\x1F\x7F]{1,30}')
"""Tokens that every kind of free text allows at once (in JSON strings, in HTML, before a full stop), so that
their part of the mask is computed once and not per token: 6 ms become 0.3 for 150,000 tokens."""

_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class GrammarCompiler:
    """Makes `TokenGrammar`s for one vocabulary. Building one takes about a second for 150,000 tokens: keep it."""

    def __init__(self, tokenizer: Tokenizer | Sequence[bytes], eos_token_ids: Sequence[int]) -> None:
        """
        Args:
            tokenizer: a byte-level `tokenizers.Tokenizer`, or the bytes of each token id.
            eos_token_ids: tokens that end an answer, as `<|im_end|>` does; allowed where the grammar may end.
        """
        assert eos_token_ids, "an answer must be able to end"
        vocabulary = (
            read_vocabulary(tokenizer, eos_token_ids)
            if isinstance(tokenizer, Tokenizer)
            else ByteVocabulary(tokenizer, eos_token_ids)
        )
        self._tokenizer = LLTokenizer(TokenizerWrapper(vocabulary), eos_token=list(eos_token_ids), slices=list(_SLICES))

    @property
    def vocab_size(self) -> int:
        return self._tokenizer.vocab_size

    def lark(self, text: str) -> "TokenGrammar":
        """Compile a Lark grammar.

        Raises:
            GrammarError: the text is no valid grammar, or too large.
        """
        return self._compile(LLMatcher.grammar_from_lark(text), "Lark grammar")

    def regex(self, pattern: str) -> "TokenGrammar":
        """Compile a regular expression that the whole answer must match (no look-around)."""
        return self._compile(LLMatcher.grammar_from_regex(pattern), "regular expression")

    def json_schema(self, schema: Mapping[str, Any]) -> "TokenGrammar":
        """Compile a JSON schema; answers are one line, spaced as `json.dumps` does.

        Unbounded arrays and integers get generous limits, so that a weak model cannot run on for ever inside
        one of them; what it writes still obeys the schema.

        Raises:
            GrammarError: no valid schema, or it uses a keyword that cannot be enforced.
        """
        try:
            grammar = LLMatcher.grammar_from_json_schema(json.dumps(bounded(schema)), overrides=_COMPACT)  # type: ignore[arg-type]
        except (ValueError, TypeError) as error:
            raise GrammarError(f"the JSON schema cannot be read ({_first_line(error)}); give a JSON object") from error
        return self._compile(grammar, "JSON schema")

    def _compile(self, grammar: str, kind: str) -> "TokenGrammar":
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            reason = _first_line(matcher.get_error())
            raise GrammarError(
                f"the {kind} cannot be compiled ({reason}), so it cannot constrain the answer; correct it"
            )
        return TokenGrammar(matcher, self.vocab_size)


class TokenGrammar:
    """The state of one answer under one grammar."""

    def __init__(self, matcher: LLMatcher, vocab_size: int) -> None:
        self._matcher = matcher
        self._vocab_size = vocab_size
        self._bits = np.zeros((vocab_size + 31) // 32, dtype=np.int32)

    def allowed(self) -> Bool[np.ndarray, " V"]:
        """For each token of the vocabulary, whether it may come next (ends of answer included).

        Raises:
            GrammarError: the grammar has grown too complex to go on.
        """
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        if self._matcher.is_error():
            raise GrammarError(
                f"the grammar cannot be followed further ({_first_line(self._matcher.get_error())}); simplify it"
            )
        return np.unpackbits(self._bits.view(np.uint8), count=self._vocab_size, bitorder="little").view(np.bool_)

    def mask(self, logits: Float[Tensor, " V"]) -> Float[Tensor, " V"]:
        """A copy of `logits` with -inf for every token that may not come next.

        `logits` may be wider than the vocabulary: rows that only pad the embedding are masked as well.
        """
        allowed = self.allowed()[: logits.shape[-1]]
        if logits.dtype == torch.float32 and logits.device.type == "cpu":  # spares waking torch's thread pool
            masked = np.full(logits.shape[-1], -np.inf, dtype=np.float32)
            np.copyto(masked[: len(allowed)], logits.detach().numpy()[: len(allowed)], where=allowed)
            return torch.from_numpy(masked)
        forbidden = np.ones(logits.shape[-1], dtype=np.bool_)
        np.logical_not(allowed, out=forbidden[: len(allowed)])
        return logits.masked_fill(torch.from_numpy(forbidden).to(logits.device), float("-inf"))

    def accept(self, token_id: int) -> None:
        """Advance by the token that was chosen.

        Raises:
            GrammarError: the token was not allowed.
        """
        if not self._matcher.consume_token(token_id):
            raise GrammarError(f"token {token_id} is not allowed here by the grammar; choose one that `mask` leaves")

    def forced(self) -> list[int]:
        """Tokens that must come next whatever the model says, so that they need no sampling; often empty."""
        return self._matcher.compute_ff_tokens()

    @property
    def may_finish(self) -> bool:
        """The answer so far satisfies the grammar."""
        return self._matcher.is_accepting()

    @property
    def is_finished(self) -> bool:
        """Nothing but an end token can follow, or one has come."""
        return self._matcher.is_stopped()

    def reset(self) -> None:
        """Back to the beginning of an answer."""
        self._matcher.reset()

    def copy(self) -> "TokenGrammar":
        """An independent state at the same place, for another answer of the same request."""
        return TokenGrammar(self._matcher.deep_copy(), self._vocab_size)


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0][:200]
