"""Every stage of the report (section 2.2.2 and 2.3) as a function from a start to one config.

They differ in data, loss and what is trained. Sequence lengths and frozen parts are the report's. Learning rates and
schedules are ours, since the report states none. Small models are trained on shorter sequences.
"""

from collections.abc import Callable
from typing import Any

from viewfinder.config import TextConfig
from viewfinder.recipes.sizes import Start
from viewfinder.train.config import (
    ContrastiveConfig,
    LoraConfig,
    LrScaleConfig,
    OptimizerConfig,
    StepGuardConfig,
    TrainConfig,
)

SCRATCH = OptimizerConfig(muon_lr=0.01, adamw_lr=1e-3, weight_decay=0.1, warmup=50, cooldown=0.3, final=0.03)
TUNING = OptimizerConfig(
    matrices="adamw",
    adamw_lr=1e-5,
    betas=(0.9, 0.999),
    weight_decay=0.0,
    warmup=20,
    schedule="cosine",
    final=0.1,
    ema=0.0,
)
GUARD = StepGuardConfig(spike=20.0)


_NARROW = 512
"""Of models up to this width two threads gain a sixth on a quiet machine; where another program takes a core they wait
for one another at every small product, and a step was seen to take 20 times as long."""


def _seq_len(start: Start, tokens: int) -> int:
    """Small models (up to 1,024 wide) are trained on an eighth of the report's length."""
    return tokens if start.model.text.hidden_size > 1024 else tokens // 8


def _config(start: Start, recipe: str, **values: Any) -> TrainConfig:
    defaults = {"steps": 1000, "seq_len": _seq_len(start, 8192), "bf16": True, "guard": GUARD}
    if start.model.text.hidden_size <= _NARROW:
        defaults["threads"] = 1
    return TrainConfig(recipe=recipe, model=start.model, **{**defaults, **values})


def vision_contrast(start: Start) -> TrainConfig:
    """Step 1 of stage 1: pictures at their own resolution and aspect against their captions; only the tower stays."""
    text = start.model.text
    encoder = TextConfig(
        vocab_size=text.vocab_size,
        hidden_size=min(text.hidden_size, 512),
        intermediate_size=min(text.intermediate_size, 1536),
        num_hidden_layers=min(text.num_hidden_layers, 6),
        num_attention_heads=min(text.hidden_size, 512) // text.head_dim,
        num_key_value_heads=min(text.hidden_size, 512) // text.head_dim,
        mrope_section=text.mrope_section,
        rope_theta=text.rope_theta,
        tie_word_embeddings=True,
    )
    return _config(
        start,
        "vision-contrast",
        objective="contrastive",
        contrastive=ContrastiveConfig(text=encoder),
        lr_scale=LrScaleConfig(language=0),
        optimizer=SCRATCH,
        data={"kinds": {"caption": 1.0}},
    )


def vision_align(start: Start) -> TrainConfig:
    """Step 2: the tower learns to be read by the language model, which stays as it is."""
    return _config(
        start,
        "vision-align",
        lr_scale=LrScaleConfig(language=0),
        optimizer=SCRATCH,
        extra_losses={"token_labels": 0.2},
        data={"kinds": {"answers": 1.0, "caption": 0.5}},
    )


def vision_end_to_end(start: Start) -> TrainConfig:
    """Step 3: all parts, the language model at a tenth of the learning rate."""
    return _config(
        start,
        "vision-end-to-end",
        lr_scale=LrScaleConfig(language=0.1),
        optimizer=SCRATCH,
        extra_losses={"token_labels": 0.2},
        data={"kinds": {"answers": 1.0, "caption": 0.5}},
    )


def pretrain_multimodal(start: Start) -> TrainConfig:
    """Stage 2: all weights, 8,192 tokens; text, pictures, many pictures, clips, agents' steps."""
    kinds = {"answers": 1.0, "caption": 0.3, "pages": 0.2, "clip": 0.3, "trace": 0.1, "text": 0.3}
    return _config(start, "pretrain-multimodal", optimizer=SCRATCH, data={"kinds": kinds})


def pretrain_long(start: Start) -> TrainConfig:
    """Stage 3: all weights, 32,768 tokens; long clips, documents and agents' traces join."""
    kinds = {"answers": 0.5, "pages": 0.5, "clip": 0.2, "long_clip": 0.5, "trace": 0.5, "text": 0.2}
    slower = SCRATCH.model_copy(update={"muon_lr": 0.003, "adamw_lr": 3e-4})
    return _config(
        start,
        "pretrain-long",
        seq_len=_seq_len(start, 32768),
        optimizer=slower,
        recompute=True,
        steps=300,
        data={"kinds": kinds},
    )


def sft(start: Start) -> TrainConfig:
    """Supervised fine-tuning: ChatML, loss on the assistant's turns, tower frozen, half text by count."""
    return _config(
        start,
        "sft",
        lr_scale=LrScaleConfig(tower=0),
        optimizer=TUNING,
        steps=500,
        data={"kinds": {"answers": 0.4, "clip": 0.1, "text": 0.5}},
    )


def dpo(start: Start) -> TrainConfig:
    """Direct preference optimisation on picture-text and text pairs: tower (and merger) frozen, each pair once."""
    return _config(
        start,
        "dpo",
        objective="preference",
        lr_scale=LrScaleConfig(tower=0, merger=0),
        optimizer=TUNING.model_copy(update={"adamw_lr": 1e-6}),
        steps=500,
        data={"kinds": {"pair": 1.0}, "epochs": 1},
    )


def lora(start: Start) -> TrainConfig:
    """`sft` with low-rank adapters on the language model; `viewfinder train dpo lora.rank=16` does it for pairs."""
    base = sft(start)
    optimizer = base.optimizer.model_copy(update={"adamw_lr": 2e-4})
    return base.model_copy(update={"recipe": "lora", "lora": LoraConfig(), "optimizer": optimizer})


def grpo(start: Start) -> TrainConfig:
    """Group-relative policy optimization on rewards against the truth: tower and merger frozen, all weights else."""
    return _config(
        start,
        "grpo",
        objective="policy",
        lr_scale=LrScaleConfig(tower=0, merger=0),
        optimizer=TUNING.model_copy(update={"adamw_lr": 1e-6, "warmup": 5, "weight_decay": 0.0}),
        steps=200,
        log_every=1,
        save_every=20,
        data={"kinds": {"answers": 1.0}},
    )


RECIPES: dict[str, Callable[[Start], TrainConfig]] = {
    "vision-contrast": vision_contrast,
    "vision-align": vision_align,
    "vision-end-to-end": vision_end_to_end,
    "pretrain-multimodal": pretrain_multimodal,
    "pretrain-long": pretrain_long,
    "sft": sft,
    "dpo": dpo,
    "lora": lora,
    "grpo": grpo,
}
CHAINS: dict[str, tuple[str, ...]] = {
    "pretrain-vision": ("vision-contrast", "vision-align", "vision-end-to-end"),
}
"""Recipes of several steps, each starting from the one before."""
