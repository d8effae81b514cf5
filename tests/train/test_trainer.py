"""The trainer on a model of a few thousand parameters: learns, resumes exactly, packs without leaking."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from viewfinder.config import ModelConfig, TextConfig, VisionConfig
from viewfinder.data.synth.dense import TEXT_HEADS, TOWER_HEADS
from viewfinder.data.synth.scene import SceneStyle
from viewfinder.data.synth.stream import Batch, StreamConfig, make_batch
from viewfinder.inputs import unpack
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import load_model
from viewfinder.processor.processor import Processor
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.processor.tokenizer import Tokenizer
from viewfinder.train.config import ConfigError, OptimizerConfig, TrainConfig
from viewfinder.train.losses import DenseHeads
from viewfinder.train.trainer import Trainer, batch_loss, next_labels

STREAM = StreamConfig(
    patches=96,
    max_side=112,
    text_share=2.0,
    styles=((1.0, SceneStyle(things=(1, 2), lines=(0, 1), text_size=(13, 16))),),
)


@pytest.fixture(scope="module")
def processor() -> Processor:
    tokenizer = Tokenizer.train(["Locate every red star in the image and output the coordinates"] * 4, 320)
    return Processor(tokenizer, ProcessorSettings())


@pytest.fixture(scope="module")
def batches(processor: Processor) -> list[Batch]:
    return [make_batch(processor, STREAM, 0, step) for step in range(6)]


def small_config(processor: Processor, **changes: object) -> TrainConfig:
    token = processor.tokenizer.token_id
    model = ModelConfig(
        vision=VisionConfig(
            depth=2, hidden_size=32, num_heads=2, intermediate_size=48, out_hidden_size=32, fullatt_block_indexes=(1,)
        ),
        text=TextConfig(
            vocab_size=len(processor.tokenizer),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            mrope_section=(2, 3, 3),
            tie_word_embeddings=True,
        ),
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    optimizer = OptimizerConfig(warmup=2, cooldown=0.0, muon_lr=0.05, adamw_lr=1e-2, ema=0.5)
    values = {"recipe": "test", "steps": 4, "model": model, "optimizer": optimizer, "threads": 1, "workers": 0}
    return TrainConfig.model_validate({**values, **changes})


def make_trainer(config: TrainConfig, batches: list[Batch], out: Path, heads: bool = True) -> Trainer:
    torch.manual_seed(0)
    model = Qwen2_5_VL(config.model)
    made = {"tower": DenseHeads(32, TOWER_HEADS), "text": DenseHeads(32, TEXT_HEADS)} if heads else {}

    def stream(start: int) -> Iterator[Batch]:
        return iter(batches[start:] + batches)

    return Trainer(config, model, made, stream, out)


def test_overfits_one_batch(processor: Processor, batches: list[Batch], tmp_path: Path) -> None:
    trainer = make_trainer(small_config(processor, steps=60), batches[:1] * 60, tmp_path, heads=False)
    first = trainer.train_step(batches[0])["answer"]
    assert trainer.run()["answer"] < 0.3 * first


def test_dense_heads_learn_too(processor: Processor, batches: list[Batch], tmp_path: Path) -> None:
    config = small_config(processor, steps=40, dense_weight=1.0)
    trainer = make_trainer(config, batches[:1] * 40, tmp_path)
    first = trainer.train_step(batches[0])
    last = trainer.run()
    for name in ("dense/kinds", "dense/offsets", "dense/digits", "dense/places"):
        assert last[name] < first[name]


def test_resumed_equals_uninterrupted(processor: Processor, batches: list[Batch], tmp_path: Path) -> None:
    whole = make_trainer(small_config(processor), batches, tmp_path / "whole")
    whole.run()
    half = make_trainer(small_config(processor), batches, tmp_path / "half")
    for batch in batches[:2]:
        half.train_step(batch)
        half.step += 1
    half.save()
    resumed = make_trainer(small_config(processor), batches, tmp_path / "half")
    assert resumed.step == 2
    resumed.run()
    for (name, a), (_, b) in zip(whole.modules.named_parameters(), resumed.modules.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    for name, value in whole.average.values.items():
        assert torch.equal(value, resumed.average.values[name])


def test_exports_the_averaged_weights(processor: Processor, batches: list[Batch], tmp_path: Path) -> None:
    trainer = make_trainer(small_config(processor, steps=2), batches, tmp_path)
    trainer.run()
    loaded = load_model(tmp_path / "export")
    name, value = next(iter(loaded.visual.named_parameters()))
    assert torch.equal(value, trainer.average.values[f"visual.{name}"])
    assert not torch.equal(value, dict(trainer.model.visual.named_parameters())[name])


def test_packed_loss_and_gradients_equal_separate(processor: Processor, batches: list[Batch], tmp_path: Path) -> None:
    trainer = make_trainer(small_config(processor), batches, tmp_path, heads=False)
    model, batch = trainer.model, batches[0]
    packed, _ = batch_loss(model, {}, batch, trainer.config)
    packed.backward()
    grads = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    parts = unpack(batch.inputs)
    assert len(parts) > 1
    counts = [int((part.labels >= 0).sum()) for part in parts if part.labels is not None]
    for part, count in zip(parts, counts, strict=True):
        loss, _ = batch_loss(model, {}, Batch(part, {}), trainer.config)
        (loss * count / sum(counts)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, grads[name], atol=1e-5, rtol=1e-4, msg=name)


def test_without_an_answer_loss_the_language_model_stays(
    processor: Processor, batches: list[Batch], tmp_path: Path
) -> None:
    trainer = make_trainer(small_config(processor, answer_weight=0.0, dense_weight=1.0), batches, tmp_path)
    before = trainer.model.model.embed_tokens.weight.detach().clone()
    tower = trainer.model.visual.patch_embed.proj.weight.detach().clone()
    trainer.train_step(batches[0])
    assert torch.equal(before, trainer.model.model.embed_tokens.weight)
    assert not torch.equal(tower, trainer.model.visual.patch_embed.proj.weight)


def test_a_loss_that_is_not_finite_changes_nothing_and_stops_at_last(
    processor: Processor, batches: list[Batch], tmp_path: Path
) -> None:
    trainer = make_trainer(small_config(processor, max_bad_steps=1), batches, tmp_path, heads=False)
    with torch.no_grad():
        trainer.model.model.norm.weight[0] = float("nan")
    before = trainer.model.visual.patch_embed.proj.weight.detach().clone()
    assert trainer.train_step(batches[0]) == {"skipped": 1.0}
    assert torch.equal(before, trainer.model.visual.patch_embed.proj.weight)
    with pytest.raises(ConfigError, match="not finite"):
        trainer.train_step(batches[0])


def test_next_labels() -> None:
    assert next_labels(torch.tensor([-100, -100, 5, 6])).tolist() == [-100, 5, 6, -100]


def test_a_batch_without_dense_labels_trains_the_answers_alone(processor: Processor, tmp_path: Path) -> None:
    config = small_config(processor)
    clips = make_batch(processor, replace(STREAM, clip_share=1.0), 0, 0)
    trainer = make_trainer(config, [clips], tmp_path)
    loss, parts = batch_loss(trainer.model, trainer.heads, clips, config)
    assert torch.isfinite(loss)
    assert set(parts) == {"loss", "answer"}
