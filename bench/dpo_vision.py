"""Seconds in the vision tower for one step of preference optimisation, beside TRL's trainer on the same pairs.

There a picture runs through the tower for chosen and rejected, under policy and reference: four times. Here once.
Both towers are frozen, both losses are compared. Needs the parity extra.

    python bench/dpo_vision.py --repeats 3
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from beside import CLOCKS, arguments, beside, report
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.doubles import small_processor
from tests.parity.training import their_model, their_processor, write_checkpoint
from viewfinder.config import ModelConfig, TextConfig, VisionConfig
from viewfinder.data.sample import Sample, say
from viewfinder.recipes.sizes import fresh
from viewfinder.train.collators import PreferenceCollator, load_sample
from viewfinder.train.config import LrScaleConfig, TrainConfig
from viewfinder.train.learner import Learner, Reference

PAIRS = [("what stands there?", "one two three " * 4, "two"), ("say", "three", "one one " * 6)]
SIDE = 448
Clock = Callable[[], float]


def config(processor: Any) -> ModelConfig:
    """A tower of 256 x 6 over a language model of 128 x 2."""
    token = processor.tokenizer.token_id
    return ModelConfig(
        vision=VisionConfig(
            depth=6,
            hidden_size=256,
            num_heads=4,
            intermediate_size=684,
            out_hidden_size=128,
            fullatt_block_indexes=(2, 5),
        ),
        text=TextConfig(
            vocab_size=len(processor.tokenizer),
            hidden_size=128,
            intermediate_size=352,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            mrope_section=(8, 12, 12),
            tie_word_embeddings=True,
        ),
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )


class Watch:
    """Adds up the seconds of calls of a module; counts them."""

    def __init__(self, clock: Callable[[], float], *modules: Any) -> None:
        self.clock, self.seconds, self.calls = clock, 0.0, 0
        for module in modules:
            module.forward = self.wrap(module.forward)

    def wrap(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = self.clock()
            try:
                return forward(*args, **kwargs)
            finally:
                self.seconds += self.clock() - start
                self.calls += 1

        return timed


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)) for _ in PAIRS]


def build_ours(model: Any, processor: Any, losses: dict[str, float], clock: Clock) -> tuple[Callable[[], None], Watch]:
    settings = TrainConfig(
        recipe="bench",
        steps=1,
        model=model.config,
        objective="preference",
        lr_scale=LrScaleConfig(tower=0, merger=0),
    )
    samples = [
        Sample((say("user", image, question), say("assistant", better)), "pair", rejected=say("assistant", worse))
        for image, (question, better, worse) in zip(pictures(), PAIRS, strict=True)
    ]
    collator = PreferenceCollator(processor, model.config, 10**6)
    batch = collator.collate([load_sample(collator, one) for one in samples], range(len(samples)))
    learner = Learner(settings, model, reference=Reference(model))
    watch = Watch(clock, model.visual)

    def step() -> None:
        learner.zero_grad()
        loss = learner(batch).total / len(samples)
        loss.backward()
        losses["ours"] = float(loss)

    return step, watch


def build_peer(directory: Path, out: str, losses: dict[str, float], clock: Clock) -> tuple[Callable[[], None], Watch]:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    rows = [
        {
            "images": [image],
            "prompt": [{"role": "user", "content": question}],
            "chosen": [{"role": "assistant", "content": better}],
            "rejected": [{"role": "assistant", "content": worse}],
        }
        for image, (question, better, worse) in zip(pictures(), PAIRS, strict=True)
    ]
    used = DPOConfig(out, per_device_train_batch_size=2, report_to=[], use_cpu=True, bf16=False, max_length=None)
    policy, reference = their_model(directory), their_model(directory)
    policy.model.visual.requires_grad_(False)
    trainer = DPOTrainer(
        policy, reference, args=used, train_dataset=Dataset.from_list(rows), processing_class=their_processor(directory)
    )
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(len(rows))])
    watch = Watch(clock, trainer.model.model.visual, trainer.ref_model.model.visual)

    def step() -> None:
        trainer.model.zero_grad()
        loss = trainer.compute_loss(trainer.model, batch)
        loss.backward()
        losses["peer"] = float(loss)

    return step, watch


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(options.threads)
    clock = CLOCKS[options.clock]
    processor = small_processor(min_pixels=56 * 56, max_pixels=SIDE * SIDE)
    model = fresh(config(processor), 0)
    losses: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(model, processor, Path(folder))
        ours, our_watch = build_ours(model, processor, losses, clock)
        peer, peer_watch = build_peer(Path(folder), f"{folder}/trl", losses, clock)
        ours(), peer()
        our_watch.seconds = peer_watch.seconds = 0.0
        our_watch.calls = peer_watch.calls = 0
        figures = beside(ours, peer, options.repeats, options.clock)
    report("DPO step", figures, losses=losses)
    report(
        "DPO tower",
        {
            "ours": our_watch.seconds / options.repeats,
            "peer": peer_watch.seconds / options.repeats,
            "ratio": peer_watch.seconds / our_watch.seconds,
            "pairs": options.repeats,
        },
        clock=options.clock,
        threads=options.threads,
        our_calls=our_watch.calls / options.repeats,
        peer_calls=peer_watch.calls / options.repeats,
    )


if __name__ == "__main__":
    main()
