"""What a request will cost, from shapes alone: multiply-adds and bytes, before anything is run.

Counts matrix products and attention, which are all but a few percent of the work. FLOPs are two per
multiply-add, as is usual.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from viewfinder.config import ModelConfig, VisionConfig


@dataclass(frozen=True)
class Cost:
    """FLOPs of the tower, of the prompt in the language model and of one further token; bytes held.

    Attributes:
        pixel_bytes: the patches in float32.
        cache_bytes: keys and values of the prompt.
        weight_bytes: all parameters.
    """

    vision_flops: int
    prefill_flops: int
    decode_flops: int
    pixel_bytes: int
    cache_bytes: int
    weight_bytes: int

    @property
    def flops(self) -> int:
        """Everything up to the first token of the answer."""
        return self.vision_flops + self.prefill_flops

    @property
    def bytes(self) -> int:
        return self.pixel_bytes + self.cache_bytes + self.weight_bytes


def predict(
    config: ModelConfig, grids: Iterable[tuple[int, int, int]], num_tokens: int, bytes_per_value: int = 2
) -> Cost:
    """Predict the cost of one request.

    Args:
        grids: per item, frame pairs, rows and columns of patches.
        num_tokens: length of the prompt, media tokens included.
        bytes_per_value: of a weight and of a cached key or value (2 for bfloat16).
    """
    grids = list(grids)
    text = config.text
    kv_width = text.num_key_value_heads * text.head_dim
    linear = text.num_hidden_layers * (
        2 * text.hidden_size**2 + 2 * text.hidden_size * kv_width + 3 * text.hidden_size * text.intermediate_size
    )
    head = text.hidden_size * text.vocab_size
    attention = 2 * text.num_hidden_layers * text.hidden_size  # per pair of tokens: scores and weighted sum
    causal_pairs = num_tokens * (num_tokens + 1) // 2
    embeddings = head if text.tie_word_embeddings else 2 * head
    return Cost(
        vision_flops=sum(vision_flops(config.vision, grid) for grid in grids),
        prefill_flops=2 * (linear * num_tokens + attention * causal_pairs + head),
        decode_flops=2 * (linear + attention * num_tokens + head),
        pixel_bytes=4 * config.vision.patch_dim * sum(t * h * w for t, h, w in grids),
        cache_bytes=2 * text.num_hidden_layers * kv_width * bytes_per_value * num_tokens,
        weight_bytes=bytes_per_value * (linear + embeddings + _tower_parameters(config.vision)),
    )


def vision_flops(config: VisionConfig, grid: tuple[int, int, int]) -> int:
    """FLOPs of tower and merger for one item. A patch meets its frame in full blocks, its window in the others."""
    frames, height, width = grid
    patches = height * width
    side = config.window_size // config.patch_size
    window_pairs = _squares(height, side) * _squares(width, side)
    full = len(config.fullatt_block_indexes)
    pairs = full * patches**2 + (config.depth - full) * window_pairs
    return 2 * frames * (patches * _per_patch(config) + 2 * config.hidden_size * pairs)


def _squares(length: int, side: int) -> int:
    """Sum of squared window lengths along one axis: 18 patches in windows of 8 give 64 + 64 + 4."""
    whole, rest = divmod(length, side)
    return whole * side**2 + rest**2


def _per_patch(config: VisionConfig) -> int:
    d, merged = config.hidden_size, config.hidden_size * config.spatial_merge_size**2
    merger = merged * (merged + config.out_hidden_size) // config.spatial_merge_size**2
    return config.patch_dim * d + config.depth * (4 * d * d + 3 * d * config.intermediate_size) + merger


def _tower_parameters(config: VisionConfig) -> int:
    d, merged = config.hidden_size, config.hidden_size * config.spatial_merge_size**2
    blocks = config.depth * (4 * d * d + 3 * d * config.intermediate_size)
    return config.patch_dim * d + blocks + merged * (merged + config.out_hidden_size)
