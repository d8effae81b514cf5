"""What a Qwen2.5 vocabulary is: its special tokens, how text is cut before merging, and the official merges.

A byte-level BPE is given wholly by its merges: ids 0-255 are the bytes in their printable order, and the
k-th merge makes id 256 + k. So the 151,643 official tokens are shipped as 151,387 pairs of ids (see
`weights/qwen2_5/NOTICE`, `runs/build_vocabulary.py`). Does not encode anything (see `tokenizer`).
"""

import lzma
from importlib.resources import files

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

CONTROL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
"""Tokens that are no text: left out of decoded answers. They follow the base vocabulary in this order."""

MARKUP_TOKENS = (
    "<tool_call>",
    "</tool_call>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
"""Tokens that stay in decoded text. They follow the control tokens."""

SPECIAL_TOKENS = CONTROL_TOKENS + MARKUP_TOKENS

SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where text is cut before merging: contractions, words with the sign before them, single digits,
punctuation with the line ends after it, white space."""


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


def byte_level(model: models.BPE) -> Tokenizer:
    """A BPE with Qwen's normalisation (NFC), cutting and decoding around it, without special tokens."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def add_special_tokens(tokenizer: Tokenizer) -> Tokenizer:
    """Append the special tokens after the base vocabulary, with the official flags."""
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in CONTROL_TOKENS])
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=False) for name in MARKUP_TOKENS])
    return tokenizer


def official_backend() -> Tokenizer:
    """The exact Qwen2.5 tokenizer, rebuilt from the shipped merges (about half a second)."""
    packed = (files("viewfinder") / "weights" / "qwen2_5" / "merges.bin.xz").read_bytes()
    pairs = np.frombuffer(lzma.decompress(packed), dtype="<u4").reshape(-1, 2)
    tokens = printable_bytes()
    merges: list[tuple[str, str]] = []
    for left, right in pairs.tolist():
        merges.append((tokens[left], tokens[right]))
        tokens.append(tokens[left] + tokens[right])
    return add_special_tokens(byte_level(models.BPE({token: i for i, token in enumerate(tokens)}, merges)))
