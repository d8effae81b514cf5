"""A model of a few thousand parameters, a processor for it, samples of every kind, and a trainer of all that."""

import itertools
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from tests.doubles import small_processor
from viewfinder.config import ModelConfig, TextConfig, VisionConfig
from viewfinder.data.sample import Sample, say
from viewfinder.messages import VideoPart
from viewfinder.model.lora import add_adapters
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.processor.processor import Processor
from viewfinder.train.collators import AnswerCollator, Collator, ContrastiveCollator, PreferenceCollator
from viewfinder.train.config import ContrastiveConfig, OptimizerConfig, TrainConfig
from viewfinder.train.contrast import ContrastHead
from viewfinder.train.dataloader import PackedLoader, Row
from viewfinder.train.distributed import ParallelDims
from viewfinder.train.extra_losses import ExtraLosses, LossTerm, ModelOutputs
from viewfinder.train.learner import Learner, Reference
from viewfinder.train.trainer import Trainer


def processor() -> Processor:
    return small_processor(min_pixels=56 * 56, max_pixels=112 * 112, video_min_pixels=56 * 56)


MADE = processor()
KIND_LOSS = {"kinds": 0.5}
"""Weights of `KindLoss`."""


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
        "optimizer": OptimizerConfig(warmup=2, cooldown=0.0, muon_lr=0.02, adamw_lr=1e-2, ema=0.5),
        "seq_len": 256,
        "global_batch_size": 2,
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


class KindLoss:
    """An extra loss of one linear layer: which of three kinds stands at each media token."""

    name = "kinds"
    labels = ("kinds",)

    def __init__(self, head: torch.nn.Module) -> None:
        self.head = head

    def recording(self, model: Qwen2_5_VL) -> AbstractContextManager[None]:
        return nullcontext()

    def __call__(self, outputs: ModelOutputs) -> dict[str, LossTerm]:
        if outputs.features is None or not outputs.batch.extra_labels:
            return {"kinds": LossTerm(torch.stack([p.sum() for p in self.head.parameters()]).sum() * 0.0, report=False)}
        logits, labels = self.head(outputs.features), outputs.batch.extra_labels["kinds"].flatten()
        return {"kinds": LossTerm(F.cross_entropy(logits, labels), (logits.argmax(-1) == labels).float().mean())}


def kind_losses(config: TrainConfig) -> ExtraLosses:
    """`KindLoss` with its head; labels are `truth["kinds"]`."""
    head = torch.nn.Linear(config.model.vision.out_hidden_size, 3)
    return ExtraLosses((KindLoss(head),), {"kinds": head}, _kinds_of)


def _kinds_of(sample: Sample) -> dict[str, Any]:
    return {"kinds": sample.truth["kinds"]} if "kinds" in sample.truth else {}


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
    tokens = (3 * (2 + seed % 3)) if kind == "image" else 0
    truth = {"kinds": rng.integers(0, 3, (tokens, 1))} if tokens else {}
    return Sample((say("user", *media, f"say {words}"), say("assistant", words)), kind, truth, domain="test")


KINDS = ("text", "image", "images", "video")


def rows(start: int) -> Iterator[Row]:
    for number in itertools.count(start):
        kind = KINDS[(number * 7 + number // 3) % 4]
        yield Row(f"row {number}", lambda k=kind, n=number: sample(k, n))


def pair_rows(start: int) -> Iterator[Row]:
    def make(number: int) -> Sample:
        media = [] if number % 3 == 0 else [picture(number)]
        return Sample(
            (say("user", *media, "say one"), say("assistant", "one")), "pair", rejected=say("assistant", "two two")
        )

    for number in itertools.count(start):
        yield Row(f"pair {number}", lambda n=number: make(n))


def captions(start: int) -> Iterator[Row]:
    for number in itertools.count(start):
        yield Row(f"row {number}", lambda n=number: sample("image", n))


def make_trainer(config: TrainConfig, out: Path, parallel: ParallelDims | None = None, **options: Any) -> Trainer:
    parallel = parallel or ParallelDims()
    model = fresh_model(config)
    extra = kind_losses(config) if config.extra_loss_names() else ExtraLosses()
    collator: Collator = AnswerCollator(MADE, config.model, config.seq_len, extra.sample_labels)
    contrast, reference, source = None, None, rows
    if config.lora is not None:
        add_adapters(model, config.lora.rank, config.lora.alpha, config.lora.targets)
    if config.objective == "contrastive":
        assert config.contrastive is not None
        collator, source = ContrastiveCollator(MADE, config.model, config.seq_len), captions
        contrast = ContrastHead(config.contrastive, config.model.vision.out_hidden_size)
    if config.objective == "preference":
        collator, source = PreferenceCollator(MADE, config.model, config.seq_len), pair_rows
        reference = Reference(model)
    dataloader = PackedLoader(
        source, collator, config.seq_len, config.global_batch_size, parallel.data_rank, parallel.data_world
    )
    learner = Learner(config, model, reference, contrast=contrast, extra=extra)
    return Trainer(config, learner, dataloader, out, parallel=parallel, **options)


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]
