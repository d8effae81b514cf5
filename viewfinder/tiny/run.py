"""Run a recipe of the built-in model: batches by number, extra losses, no files of data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from viewfinder.config import ModelConfig
from viewfinder.processor.processor import Processor
from viewfinder.recipes.sizes import Start, build, export_processor, read_heads
from viewfinder.tiny import extra_losses, recipes
from viewfinder.tiny.label_embeddings import LabelEmbeddings, add_letters
from viewfinder.tiny.stream import make_batch
from viewfinder.train.batches import AnswerBatch, Dataloader, Position, Step
from viewfinder.train.config import TrainConfig
from viewfinder.train.dataloader import in_worker
from viewfinder.train.distributed import ParallelDims, init_distributed
from viewfinder.train.extra_losses import check_known
from viewfinder.train.learner import Learner
from viewfinder.train.trainer import Trainer


def train(recipe: str, out: Path, settings: list[str], init: str | None = None) -> dict[str, float]:
    """Train "tiny-tower", "tiny-reader" or "tiny-joint" to its end; returns the last figures.

    Args:
        init: a run whose sizes, weights and heads are the start; fresh ones without it.

    Raises:
        ConfigError: no such setting.
    """
    begun = Path(init) if init else None
    processor = Processor.from_pretrained(begun / "export") if begun else recipes.build_processor()
    config = recipes.RECIPES[recipe](processor).with_overrides(settings)
    if begun:  # a run goes on with the sizes that it began with
        config = config.model_copy(update={"model": ModelConfig.from_pretrained(begun / "export")})
    start = Start(config.model, processor, begun / "export" if begun else None)
    torch.manual_seed(config.seed)
    extra = extra_losses.build(config, processor)
    check_known(config, extra)
    learner = LabelInputLearner(config, build(start, config.seed), extra=extra)
    embeddings = extra.heads.get("symbols")
    if isinstance(embeddings, LabelEmbeddings) and begun is None:
        add_letters(embeddings, learner.model.model.embed_tokens.weight, processor)
    read_heads(extra.heads, begun / "states" if begun else None)
    parallel = init_distributed(config.parallel, config.device)
    numbered = numbered_batches(processor, config, parallel)
    dataloader = in_worker(numbered, config.workers, pin_memory=parallel.device == "cuda")
    export = partial(export_processor, processor)
    stamp = processor.stamp.hash
    return Trainer(config, learner, dataloader, out, parallel=parallel, export=export, stamp=stamp).run()


class LabelInputLearner(Learner):
    """A learner whose language model may get embeddings of labels instead of the features of the vision tower."""

    def media_features(self, batch: AnswerBatch) -> tuple[Tensor | None, Tensor | None]:
        if getattr(self.config, "media_input", "pixels") == "labels" and batch.extra_labels:
            return self.heads["symbols"](batch.extra_labels), None
        return super().media_features(batch)


def numbered_batches(processor: Processor, config: TrainConfig, parallel: ParallelDims) -> Dataloader:
    """`config.global_batch_size` batches of the stream a step."""
    batch = partial(make_batch, processor, recipes.stream_config(config.data), config.seed)
    return NumberedLoader(batch, config.global_batch_size, parallel.data_rank, parallel.data_world)


@dataclass(frozen=True)
class NumberedLoader:
    """Steps of batches that are made from their numbers.

    Three batches a step and two ranks: step 1 is batches 3, 4, 5, of which rank 0 makes 3 and 5.

    Attributes:
        first, every: only the steps `first`, `first + every`, ... after the position are made (see `in_worker`).
    """

    batch: Callable[[int], Any]
    global_batch_size: int = 1
    rank: int = 0
    ranks: int = 1
    first: int = 0
    every: int = 1

    def share(self, number: int, of: int) -> "NumberedLoader":
        return replace(self, first=number, every=of)

    def __call__(self, position: Position | None) -> Iterator[Step]:
        start = (position["batch"] if position else 0) + self.first * self.global_batch_size
        for number in count(start, self.every * self.global_batch_size):
            after = number + self.global_batch_size
            yield Step([self.batch(i) for i in range(number + self.rank, after, self.ranks)], {"batch": after})
