"""Training tokens a second beside transformers' Trainer with a padding collator, on the same mixed-length samples.

Both learn from the same eight samples a step with AdamW and clipping; here they stand in one pack, there each row is
padded to the longest. Tokens are those of the samples, so padding counts for nothing. Also: the share of what a
matrix product reaches on this machine, counting no work on padding.

    python bench/train_speed.py --case tiny --dtype float32 --repeats 3
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from beside import arguments, beside, report, seconds
from PIL import Image
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Trainer, TrainingArguments

from viewfinder.data.sample import Sample, say
from viewfinder.inputs import ModelInputs
from viewfinder.messages import ImagePart
from viewfinder.recipes.sizes import build, start_of_size
from viewfinder.recipes.stages import TUNING
from viewfinder.train.batches import AnswerBatch
from viewfinder.train.collators import AnswerCollator, load_sample
from viewfinder.train.config import TrainConfig
from viewfinder.train.flops import batch_flops
from viewfinder.train.learner import Learner
from viewfinder.train.trainer import Trainer as OurTrainer

CASES = {"tiny": 2, "300M": 1}
"""Sizes, and steps in one timing."""
BATCH = 8
WORDS = ["a", "red", "box", "stands", "left", "of", "the", "blue", "circle", "and", "seven", "stars"]


def mixed_sample(rng: np.random.Generator, most: int) -> Sample:
    """Two of five with a picture of any size; texts of any length up to `most` words, half of them under a sixth."""
    words = " ".join(rng.choice(WORDS, int(np.clip(rng.lognormal(np.log(most / 6), 0.9), 4, most))))
    if rng.random() < 0.6:
        return Sample((say("user", "tell"), say("assistant", words)), "text")
    width, height = (28 * int(rng.integers(3, 15)) for _ in range(2))
    picture = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    part = ImagePart(image=picture, resized_width=width, resized_height=height)
    return Sample((say("user", part, "what is this?"), say("assistant", words[:200])), "image")


def padded(features: list[ModelInputs], image_token_id: int) -> dict[str, torch.Tensor]:
    """Rows padded to the longest, as collators do."""
    rows = torch.nn.utils.rnn.pad_sequence
    ids = rows([f.input_ids for f in features], batch_first=True)
    batch = {
        "input_ids": ids,
        "labels": rows([f.labels for f in features], batch_first=True, padding_value=-100),
        "attention_mask": rows([torch.ones_like(f.input_ids) for f in features], batch_first=True),
        "mm_token_type_ids": (ids == image_token_id).int(),
    }
    pixels = [f.pixel_values for f in features if f.pixel_values is not None]
    grids = [f.grid_thw for f in features if f.grid_thw is not None]
    return batch | ({"pixel_values": torch.cat(pixels), "image_grid_thw": torch.cat(grids)} if pixels else {})


def peer(weights: dict[str, Any], config: TrainConfig, items: list[ModelInputs], out: str) -> Any:
    """Their trainer over the same samples in the same order."""
    settings = Qwen2_5_VLConfig(**config.model.to_dict())
    settings._attn_implementation = "sdpa"
    model = Qwen2_5_VLForConditionalGeneration(settings)
    names = {n: n for n in weights}
    for name in weights:
        names[name] = (
            f"model.{name}" if name.startswith("visual.") else name.replace("model.", "model.language_model.", 1)
        )
    model.load_state_dict({names[n]: w for n, w in weights.items()}, strict=False)
    used = TrainingArguments(
        out,
        per_device_train_batch_size=BATCH,
        max_steps=len(items) // BATCH,
        learning_rate=1e-5,
        use_cpu=True,
        bf16=config.bf16,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        logging_strategy="no",
        train_sampling_strategy="sequential",
    )
    return Trainer(
        model, used, train_dataset=items, data_collator=lambda rows: padded(rows, config.model.image_token_id)
    )


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(options.threads)
    for case in [options.case] if options.case else CASES:
        start = start_of_size(case)
        changes = {"matrices": "adamw", "ema": 0.0, "warmup": 0}
        config = TrainConfig(
            recipe="bench",
            threads=options.threads,
            steps=10**6,
            model=start.model,
            dense_weight=0.0,
            bf16=options.dtype == "bfloat16",
            optimizer=TUNING.model_copy(update=changes),
            seq_len=10**6,
        )
        rng = np.random.default_rng(0)
        collator = AnswerCollator(start.processor, start.model, config.seq_len)
        encoded = [
            load_sample(collator, mixed_sample(rng, 600 if case == "tiny" else 300)) for _ in range(BATCH * CASES[case])
        ]
        packs = [collator.collate(encoded[i : i + BATCH], ()) for i in range(0, len(encoded), BATCH)]
        with tempfile.TemporaryDirectory() as out:
            compare(case, config, packs, [one.inputs for one in encoded], build(start, 0), Path(out), options)


def compare(
    case: str,
    config: TrainConfig,
    packs: list[AnswerBatch],
    items: list[ModelInputs],
    model: Any,
    out: Path,
    options: Any,
) -> None:
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    ours = OurTrainer(config, Learner(config, model), lambda _: iter(()), out / "ours")
    theirs = peer(weights, config, items, str(out / "peer"))
    losses: dict[str, float] = {}

    def run_ours() -> None:
        for pack in packs:
            losses["ours"] = ours.train_step([pack])["loss"]

    def run_peer() -> None:
        losses["peer"] = theirs.train().training_loss

    figures = beside(run_ours, run_peer, options.repeats, options.clock)
    tokens = sum(len(item.input_ids) for item in items)
    longest = sum(BATCH * max(len(i.input_ids) for i in items[b : b + BATCH]) for b in range(0, len(items), BATCH))
    flops = sum(batch_flops(config, pack) for pack in packs)
    product = torch.randn(1536, 1536)
    peak = 2 * 1536**3 / min(seconds(lambda: product @ product, options.clock) for _ in range(8))
    report(
        f"train {case} {options.dtype}",
        {
            "ours": tokens / figures["ours"],
            "peer": tokens / figures["peer"],
            "ratio": figures["ratio"],
            "pairs": figures["pairs"],
        },
        "tokens/s",
        clock=options.clock,
        threads=options.threads,
        tokens=tokens,
        padded_tokens=longest,
        share_of_ceiling=flops / figures["ours"] / peak,
        peer_share_of_ceiling=flops / figures["peer"] / peak,
        ceiling_gflops=peak / 1e9,
        first_losses=losses,
    )


if __name__ == "__main__":
    main()
