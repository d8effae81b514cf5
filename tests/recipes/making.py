"""A start of a few thousand parameters, and its data on disk."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.train.making import MADE, model_config, picture, sample
from viewfinder.data.sample import Sample, say
from viewfinder.data.shards import write_shards
from viewfinder.model.weights import save_pretrained
from viewfinder.recipes.run import build_trainer, resolve
from viewfinder.recipes.sizes import Start, export_processor, fresh
from viewfinder.train.trainer import Trainer

QUICK = ["workers=0", "threads=1", "bf16=false", "log_every=1", "seq_len=512", "peak_flops=1e12"]


def start() -> Start:
    return Start(model_config(MADE), MADE)


def checkpoint(directory: Path) -> Path:
    """The same as a directory that `--init` takes."""
    save_pretrained(fresh(start().model, 0), directory)
    export_processor(MADE, directory)
    return directory


def trainer(recipe: str, out: Path, settings: Sequence[str]) -> Trainer:
    begin = start()
    return build_trainer(begin, resolve(begin, recipe, [*QUICK, *settings]), out)


def pair(seed: int) -> Sample:
    messages = (say("user", picture(seed), "say one"), say("assistant", "one"))
    return Sample(messages, "pair", rejected=say("assistant", "two three two"), domain="test")


def shards(kind: str, directory: Path) -> Path:
    """A finished set: "answers" of all media, "captions" of pictures, or "pairs"."""
    kinds = {"answers": ("text", "image", "images", "video"), "captions": ("image",)}
    if kind == "pairs":
        samples = [pair(seed) for seed in range(12)]
    else:
        samples = [bare(sample(kinds[kind][seed % len(kinds[kind])], seed)) for seed in range(24)]
    write_shards(samples, directory)
    return directory


def bare(one: Sample) -> Sample:
    return Sample(one.messages, one.task, domain=one.domain)


def conversations(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"from": "human" if i % 2 == 0 else "gpt", "value": text} for i, text in enumerate(texts)]
