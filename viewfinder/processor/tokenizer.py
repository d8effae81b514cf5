"""Text to token ids and back, over the `tokenizers` library: byte-level BPE as Qwen2.5 has it.

Text is never a control token: `encode("<|im_end|>")` gives the ids of its characters, and only code that
asks `token_id` gets the real one. Decoding goes by bytes, so a stream joined is the whole.
"""

import codecs
import hashlib
import json
import lzma
from collections.abc import Iterable, Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, trainers

from viewfinder.errors import CheckpointError
from viewfinder.processor.vocabulary import (
    CONTROL_TOKENS,
    SPECIAL_TOKENS,
    add_special_tokens,
    byte_level,
)

_LONG = 4096
"""Letters from which a text is encoded without holding the interpreter: 50 ms for 100,000 letters."""
_NEEDED = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
_PROBE = "It's 1234  km,\r\n\n\tcafe\u0301 <|im_end|> 你好，мир!! x = y[0]\n"


class Tokenizer:
    """A vocabulary with the official special tokens.

    Attributes:
        backend: the `tokenizers.Tokenizer` with all tokens, as grammars of constrained decoding need it.
    """

    def __init__(self, backend: Backend) -> None:
        missing = [name for name in _NEEDED if backend.token_to_id(name) is None]
        if missing:
            raise CheckpointError(
                f"the tokenizer has no {', '.join(missing)}, which the model's prompts need; "
                "use the tokenizer.json that belongs to a Qwen2.5-VL checkpoint"
            )
        self.backend = backend
        # The same merges without added tokens: what is text stays text.
        self._plain = Backend(backend.model)
        self._plain.normalizer = backend.normalizer
        self._plain.pre_tokenizer = backend.pre_tokenizer

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> "Tokenizer":
        """Read a checkpoint directory's `tokenizer.json`, or its `vocab.json` with `merges.txt`.

        Raises:
            CheckpointError: neither is there, or they are no Qwen2.5 vocabulary.
        """
        directory = Path(directory)
        if (directory / "tokenizer.json").is_file():
            return cls.from_file(directory / "tokenizer.json")
        vocab, merges = directory / "vocab.json", directory / "merges.txt"
        if not (vocab.is_file() and merges.is_file()):
            raise CheckpointError(
                f"{directory} has neither tokenizer.json nor vocab.json with merges.txt; "
                "copy them from the checkpoint that the weights came from"
            )
        try:
            return cls(add_special_tokens(byte_level(models.BPE.from_file(str(vocab), str(merges)))))
        except Exception as error:  # the library raises bare exceptions
            raise CheckpointError(f"{vocab} and {merges.name} are not readable ({error}); fetch them again") from error

    @classmethod
    def from_file(cls, path: str | Path) -> "Tokenizer":
        """Read one `tokenizer.json`.

        Raises:
            CheckpointError: not such a file, or without the tokens that prompts need.
        """
        try:
            backend = Backend.from_file(str(path))
        except Exception as error:  # the library raises bare exceptions
            raise CheckpointError(f"{path} is not a readable tokenizer.json ({error}); fetch it again") from error
        return cls(backend)

    @classmethod
    def official(cls) -> "Tokenizer":
        """The exact Qwen2.5 vocabulary, from inside this package."""
        return cls(official_backend())

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int, *, min_frequency: int = 2) -> "Tokenizer":
        """Learn merges from `texts`; `vocab_size` counts all tokens, bytes and special tokens included.

        Digits stay single and words keep their leading space, as in the official vocabulary. Scarce
        text gives fewer tokens than asked for.
        """
        smallest = 256 + len(SPECIAL_TOKENS)
        assert vocab_size >= smallest, f"vocab_size {vocab_size} is under {smallest}, the bytes and special tokens"
        backend = byte_level(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - len(SPECIAL_TOKENS),
            min_frequency=min_frequency,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        return cls(add_special_tokens(backend))

    def by_whole_words(self) -> "Tokenizer":
        """The same tokens and ids, but a word that is no token as a whole is spelt: with "red" and "es" known, "red" is
        one token and "rescue" six. BPE would cut it "r", "es", "c", "u", "e", and every word otherwise.
        """
        parts = json.loads(self.backend.to_str())
        bytes_of = char_to_byte()
        merges = [
            pair for pair in parts["model"]["merges"] if _in_one_letter(bytes(bytes_of[c] for c in "".join(pair)))
        ]
        parts["model"] |= {"merges": merges, "ignore_merges": True}
        return Tokenizer(Backend.from_str(json.dumps(parts)))

    def save(self, directory: str | Path, *, chat_template: str | None = None) -> None:
        """Write `tokenizer.json` and the small `tokenizer_config.json` that transformers wants beside it."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.backend.save(str(directory / "tokenizer.json"), pretty=False)
        # transformers' class of the official name builds its own merges, and would spell whole words too.
        spelt = json.loads(self.backend.to_str())["model"].get("ignore_merges", False)
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast" if spelt else "Qwen2Tokenizer",
            "add_prefix_space": False,
            "bos_token": None,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "unk_token": None,
            "additional_special_tokens": list(CONTROL_TOKENS[1:]),
            "clean_up_tokenization_spaces": False,
            "model_max_length": 131072,
        }
        if chat_template is not None:
            config["chat_template"] = chat_template
        (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")

    def __len__(self) -> int:
        return self.vocab_size

    @property
    def vocab_size(self) -> int:
        """Ids in use, special tokens included (a model's embedding may have more rows)."""
        return len(self._bytes)

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; whatever looks like a special token is text too."""
        try:
            return self._encoded(text)
        except TypeError:  # halves of surrogate pairs, which JSON can carry
            return self._encoded(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))

    def _encoded(self, text: str) -> list[int]:
        if len(text) < _LONG:
            return self._plain.encode(text, add_special_tokens=False).ids
        # the library holds the interpreter while it encodes one text, and not while it encodes a batch
        return self._plain.encode_batch([text], add_special_tokens=False)[0].ids

    def token_id(self, name: str) -> int:
        """The id of one token by its name, such as `<|im_start|>`."""
        found = self.backend.token_to_id(name)
        if found is None:
            raise KeyError(f"the vocabulary has no token {name!r}")
        return found

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; none for an id that the vocabulary does not use."""
        return self._bytes[token] if 0 <= token < len(self._bytes) else b""

    def is_control(self, token: int) -> bool:
        """Whether the token is no text, such as `<|im_end|>` (but `<tool_call>` is text)."""
        return token in self._control_ids

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """Text of `ids`; bytes that are no UTF-8 become U+FFFD."""
        stream = self.stream(skip_special)
        return "".join([stream.push(i) for i in ids]) + stream.finish()

    def stream(self, skip_special: bool = True) -> "TextStream":
        """A decoder that is fed one token at a time."""
        return TextStream(self, skip_special)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all tokens by id and of how a probe text is cut; equal on every machine."""
        digest = hashlib.sha256()
        for token in self._bytes:
            digest.update(len(token).to_bytes(4, "little") + token)
        digest.update(json.dumps([self.encode(_PROBE), sorted(self._control_ids)]).encode())
        return digest.hexdigest()[:16]

    @cached_property
    def _control_ids(self) -> frozenset[int]:
        return frozenset(i for i, token in self.backend.get_added_tokens_decoder().items() if token.special)

    @cached_property
    def _bytes(self) -> list[bytes]:
        added = {i: token.content.encode() for i, token in self.backend.get_added_tokens_decoder().items()}
        base = self.backend.get_vocab(with_added_tokens=False)
        table = [b""] * (max(*base.values(), *added) + 1)
        to_byte = str.maketrans({char: chr(byte) for char, byte in char_to_byte().items()})
        shown = "\uffff".join(base).translate(to_byte).split("\uffff")  # all at once, for speed
        for text, i in zip(shown, base.values(), strict=True):
            if i not in added:
                table[i] = text.encode("latin-1")
        for i, content in added.items():
            table[i] = content
        return table


class TextStream:
    """Turns tokens into text as they come, never showing half a character."""

    def __init__(self, tokenizer: Tokenizer, skip_special: bool = True) -> None:
        self._tokenizer = tokenizer
        self._skip_special = skip_special
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The text that this token completes; empty while a character is unfinished."""
        if self._skip_special and self._tokenizer.is_control(token):
            return ""
        return self._decoder.decode(self._tokenizer.token_bytes(token))

    def finish(self) -> str:
        """What remains at the end: U+FFFD for a character that never was finished, else nothing."""
        return self._decoder.decode(b"", final=True)


def _in_one_letter(text: bytes) -> bool:
    """Whether these bytes are one letter, or begin one, of several bytes: those of "д" are, of "ab" not."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        return len(decoder.decode(text)) + bool(decoder.getstate()[0]) == 1
    except UnicodeDecodeError:
        return False


def official_backend() -> Backend:
    """The exact Qwen2.5 tokenizer, rebuilt from the shipped merges (about half a second).

    A byte-level BPE is given wholly by its merges: ids 0-255 are the bytes in their printable order, and the k-th merge
    makes id 256 + k. So the 151,643 official tokens are shipped as 151,387 pairs of ids (`weights/qwen2_5/NOTICE`,
    `runs/build_vocabulary.py`).
    """
    packed = (files("viewfinder") / "weights" / "qwen2_5" / "merges.bin.xz").read_bytes()
    pairs = np.frombuffer(lzma.decompress(packed), dtype="<u4").reshape(-1, 2)
    tokens = printable_bytes()
    merges: list[tuple[str, str]] = []
    for left, right in pairs.tolist():
        merges.append((tokens[left], tokens[right]))
        tokens.append(tokens[left] + tokens[right])
    return add_special_tokens(byte_level(models.BPE({token: i for i, token in enumerate(tokens)}, merges)))


def printable_bytes() -> list[str]:
    """One visible character for each id 0-255, the convention of byte-level BPE files.

    Bytes that are printable in Latin-1 come first and stand for themselves; the other 68 follow as U+0100
    and up, so a space (the 33rd of them) is U+0120.
    """
    return [chr(code) for code in _byte_order()[1]]


def char_to_byte() -> dict[str, int]:
    """The byte that each visible character of `printable_bytes` stands for."""
    order, codes = _byte_order()
    return {chr(code): byte for byte, code in zip(order, codes, strict=True)}


def _byte_order() -> tuple[list[int], list[int]]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return printable + others, printable + [0x100 + k for k in range(len(others))]
