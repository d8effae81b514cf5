"""A vocabulary as bytes: what each token spells, and which tokens spell nothing.

Grammars work on bytes, tokenizers on tokens; this is the table between the two. Tool call tags are text
here, spelt by their own token; every other special token (picture placeholders, turn marks) spells nothing
and so can never stand inside a free part of an answer.
"""

import json
from collections.abc import Callable, Sequence

from tokenizers import Tokenizer

SPELT_TAGS = frozenset({"<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"})


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
    byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}
    ids = {i: token for token, i in copy.get_vocab(with_added_tokens=True).items()}
    tokens = [
        (added[i].encode() if i in added else bytes(byte_of[letter] for letter in ids[i])) if i in ids else b""
        for i in range(max(ids) + 1)
    ]
    return ByteVocabulary(tokens, eos_token_ids, special, lambda text: copy.encode(text, add_special_tokens=False).ids)


def byte_letters() -> str:
    """The letter that stands for each byte in a byte-level vocabulary: printable ones for themselves, the
    others for letters from U+0100 on, in order."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return "".join(chr(byte if byte in printable else next(others)) for byte in range(256))
