"""Decoding under a grammar: which tokens may come next, from a Lark text, a JSON schema or a regex.

A thin layer over llguidance: compile once per request, then per token one bit mask, one fill of the
logits. Knows tokens and logits, not what the answers mean; the grammar texts are in `outputs/grammars.py`.

Grammars work on bytes, tokenizers on tokens; `ByteVocabulary` is the table between the two. Tool call tags are text
there, spelt by their own token; every other special token (picture placeholders, turn marks) spells nothing and so can
never stand inside a free part of an answer.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper
from tokenizers import Tokenizer
from torch import Tensor

from viewfinder.engine.schema import bounded
from viewfinder.errors import GrammarError
from viewfinder.processor.tokenizer import char_to_byte

_SLICES = (r'[^<"\\.\x00-\x1F\x7F]{1,10}', r'[^<"\\.\x00-\x1F\x7F]{1,30}')
"""Tokens that every kind of free text allows at once (in JSON strings, in HTML, before a full stop), so that
their part of the mask is computed once and not per token: 6 ms become 0.3 for 150,000 tokens."""

SPELT_TAGS = frozenset({"<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"})
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class GrammarCompiler:
    """Makes `TokenGrammar`s for one vocabulary. Building one takes about a second for 150,000 tokens: keep it."""

    def __init__(
        self,
        tokenizer: Tokenizer | Sequence[bytes],
        eos_token_ids: Sequence[int],
        aside: Callable[[Callable[[], LLMatcher]], LLMatcher] = lambda work: work(),
    ) -> None:
        """
        Args:
            tokenizer: a byte-level `tokenizers.Tokenizer`, or the bytes of each token id.
            eos_token_ids: tokens that end an answer, as `<|im_end|>` does; allowed where the grammar may end.
            aside: runs the library's part of compiling, which needs no interpreter, somewhere else.
        """
        assert eos_token_ids, "an answer must be able to end"
        vocabulary = (
            read_vocabulary(tokenizer, eos_token_ids)
            if isinstance(tokenizer, Tokenizer)
            else ByteVocabulary(tokenizer, eos_token_ids)
        )
        self._aside = aside
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
        # half of the library's own limits: a few milliseconds for the mask of a token
        limits = LLParserLimits(max_grammar_size=250_000, step_max_items=25_000, step_lexer_fuel=100_000)
        matcher = self._aside(lambda: LLMatcher(self._tokenizer, grammar, log_level=0, limits=limits))
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

    def bits(self) -> np.ndarray:
        """Which tokens may come next (ends of answer included), as uint8: one bit for each id, the lowest first.

        Raises:
            GrammarError: the grammar has grown too complex to go on.
        """
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        if self._matcher.is_error():
            raise GrammarError(
                f"the grammar cannot be followed further ({_first_line(self._matcher.get_error())}); simplify it"
            )
        return self._bits.view(np.uint8)

    def allowed(self) -> Bool[np.ndarray, " V"]:
        """For each token of the vocabulary, whether it may come next; raises as `bits`."""
        return np.unpackbits(self.bits(), count=self._vocab_size, bitorder="little").view(np.bool_)

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

    def forced(self, most: int) -> list[int]:
        """Up to `most` tokens that must come next whatever the model says: those that `allowed` will leave alone.

        Where bytes are forced, `allowed` leaves the first token of their canonical encoding, so that is asked for
        again after each token: encoding all the bytes at once may split them in other places.
        """
        ids: list[int] = []
        while len(ids) < most and (found := self._matcher.compute_ff_tokens()):
            if not self._matcher.consume_token(found[0]):
                break  # `allowed` will say what is wrong
            ids.append(found[0])
        if ids:
            self._matcher.rollback(len(ids))
        return ids

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


class ByteVocabulary:
    """The bytes of each token id, and a way to encode. Made for llguidance, which reads these names.

    Attributes:
        tokens: bytes by token id; empty for ids that are not in use.
        eos_token_id: one token that ends an answer.
        special_token_ids: tokens that spell nothing.
    """

    def __init__(
        self,
        tokens: Sequence[bytes],
        eos_token_ids: Sequence[int],
        special_token_ids: Sequence[int] = (),
        encode: Callable[[str], list[int]] | None = None,
    ) -> None:
        """Without `encode`, text is encoded by longest match."""
        self.tokens = list(tokens)
        self.eos_token_id = eos_token_ids[0]
        self.bos_token_id = None
        self.special_token_ids = sorted({*special_token_ids, *eos_token_ids})
        self._encode = encode
        if encode is None:
            unusable = {*self.special_token_ids}
            self._ids = {token: i for i, token in enumerate(self.tokens) if token and i not in unusable}
            self._longest = max(map(len, self._ids))

    def __call__(self, text: bytes) -> list[int]:
        if self._encode is not None:
            return self._encode(text.decode())
        ids: list[int] = []
        at = 0
        while at < len(text):
            lengths = range(min(self._longest, len(text) - at), 0, -1)
            length = next(n for n in lengths if text[at : at + n] in self._ids)
            ids.append(self._ids[text[at : at + length]])
            at += length
        return ids


def read_vocabulary(tokenizer: Tokenizer, eos_token_ids: Sequence[int]) -> ByteVocabulary:
    """The table of a byte-level tokenizer, in which each letter of a token stands for one byte."""
    state = json.loads(tokenizer.to_str())
    state["padding"] = state["truncation"] = None
    added: dict[int, str] = {}
    special: list[int] = []
    for token in state["added_tokens"]:
        token["special"] = token["special"] and token["content"] not in SPELT_TAGS
        added[token["id"]] = token["content"]
        special += [token["id"]] if token["special"] else []
    copy = Tokenizer.from_str(json.dumps(state))
    copy.encode_special_tokens = True  # their names, met in text, are text
    byte_of = char_to_byte()
    ids = {i: token for token, i in copy.get_vocab(with_added_tokens=True).items()}
    tokens = [
        (added[i].encode() if i in added else bytes(byte_of[letter] for letter in ids[i])) if i in ids else b""
        for i in range(max(ids) + 1)
    ]
    return ByteVocabulary(tokens, eos_token_ids, special, lambda text: copy.encode(text, add_special_tokens=False).ids)
