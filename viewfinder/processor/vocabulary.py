"""What a Qwen2.5 vocabulary is: its special tokens, and how text is cut before merging.

Does not encode anything (see `tokenizer`).
"""

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
