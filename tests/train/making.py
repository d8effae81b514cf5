"""A model of a few thousand parameters, a processor for it, and samples of every kind."""

from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.doubles import small_processor
from viewfinder.config import ModelConfig, TextConfig, VisionConfig
from viewfinder.data.sample import Sample, say
from viewfinder.messages import VideoPart
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.processor.processor import Processor
from viewfinder.train.config import ContrastiveConfig, OptimizerConfig, TrainConfig


def processor() -> Processor:
    return small_processor(min_pixels=56 * 56, max_pixels=112 * 112, video_min_pixels=56 * 56)


def model_config(made: Processor) -> ModelConfig:
    token = made.tokenizer.token_id
    return ModelConfig(
        vision=VisionConfig(
            depth=2, hidden_size=32, num_heads=2, intermediate_size=48, out_hidden_size=32, fullatt_block_indexes=(1,)
        ),
        text=text_config(len(made.tokenizer)),
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )


def text_config(vocab_size: int) -> TextConfig:
    return TextConfig(
        vocab_size=vocab_size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        mrope_section=(2, 3, 3),
        tie_word_embeddings=True,
    )


def train_config(made: Processor, **changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "recipe": "test",
        "steps": 6,
        "model": model_config(made),
        "dense_weight": 0.0,
        "optimizer": OptimizerConfig(warmup=2, cooldown=0.0, muon_lr=0.02, adamw_lr=1e-2, ema=0.5),
        "length": 256,
        "packs": 2,
        "threads": 1,
        "workers": 0,
        "peak_flops": 1e12,
    }
    return TrainConfig.model_validate({**values, **changes})


def contrastive(made: Processor) -> ContrastiveConfig:
    return ContrastiveConfig(text=text_config(len(made.tokenizer)), width=16)


def fresh_model(config: TrainConfig, seed: int = 0) -> Qwen2_5_VL:
    torch.manual_seed(seed)
    model = Qwen2_5_VL(config.model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.15)
    return model


def picture(seed: int, width: int = 56, height: int = 84) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def sample(kind: str, seed: int = 0) -> Sample:
    """One conversation: "text", "image", "images" or "video"."""
    rng = np.random.default_rng(seed)
    words = " ".join(["one", "two", "three"][int(i)] for i in rng.integers(0, 3, 2 + seed % 3))
    media: list[Any] = []
    if kind == "image":
        media = [picture(seed, 56 + 28 * (seed % 3), 84)]
    elif kind == "images":
        media = [picture(seed, 84, 56), picture(seed + 1, 56, 56)]
    elif kind == "video":
        media = [VideoPart(video=[picture(seed + i, 56, 56) for i in range(4)], sample_fps=2.0)]
    return Sample((say("user", *media, f"say {words}"), say("assistant", words)), task=kind, domain="test")


KINDS = ("text", "image", "images", "video")
