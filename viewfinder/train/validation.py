"""The loss on held-out samples by task, the same samples every time, and a few of them as pictures with answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from viewfinder.data.packs import plan_packs
from viewfinder.data.sample import Sample
from viewfinder.media.image import Picture, load_image
from viewfinder.train.batches import AnswerBatch, Batch
from viewfinder.train.collators import Collator
from viewfinder.train.distributed import ParallelDims
from viewfinder.train.learner import Learner, evaluating
from viewfinder.train.metrics import Journal, Meter

Answerer = Callable[[Any, Sample], str]
"""From a model and a sample to the model's answer to the sample's question."""


@dataclass(frozen=True)
class Validation:
    """Figures `validation/TASK` (mean loss of a labelled token) and `validation/loss` over all tasks.

    Attributes:
        batches: this rank's share; every rank has as many.
        pictures: samples to show.
        answer: gives the model's answer beside a picture; None shows the truth alone.
    """

    batches: Sequence[Batch]
    pictures: Sequence[Sample] = ()
    answer: Answerer | None = None
    bf16: bool = False

    def __call__(self, learner: Learner, journal: Journal, step: int) -> dict[str, float]:
        meter = Meter()
        with evaluating(learner), torch.autocast(learner.model.device.type, torch.bfloat16, enabled=self.bf16):
            for batch in self.batches:
                self._measure(learner, batch.to(learner.model.device), meter)
            for i, sample in enumerate(self.pictures):
                self._show(learner, journal, step, i, sample)
        return {f"validation/{name}": value for name, value in sorted(meter.means().items())}

    def _measure(self, learner: Learner, batch: Batch, meter: Meter) -> None:
        if not isinstance(batch, AnswerBatch):
            for name, (value, weight) in learner(batch).metrics.items():
                meter.add("loss" if name in ("preference", "contrast") else name, float(value), weight)
            return
        sums, counts = learner(batch, per_sequence=True).total.unbind(-1)
        for task, loss, count in zip(batch.tasks, sums.tolist(), counts.tolist(), strict=True):
            for name in (task, "loss") if count else ():
                meter.add(name, loss, count)

    def _show(self, learner: Learner, journal: Journal, step: int, number: int, sample: Sample) -> None:
        picture = next((_picture(part.image) for part in sample.media if part.type == "image"), None)
        if picture is None:
            return
        words = {"question": sample.question, "truth": sample.answer}
        if self.answer is not None:
            words["model"] = self.answer(learner.model, sample)
        journal.sample(number, picture, words, step)


def _picture(source: Any) -> Image.Image:
    if isinstance(source, Image.Image):
        return source
    return source.image if isinstance(source, Picture) else load_image(source).image


def held_out_batches(
    samples: Sequence[Sample], collator: Collator, seq_len: int, parallel: ParallelDims
) -> list[Batch]:
    """All samples packed, a share for each rank; ranks with fewer batches get batches without labels."""
    rows = [collator.prepare(sample) for sample in samples]
    packs: list[tuple[int, ...]] = []
    left = list(range(len(rows)))
    while left:
        plan = plan_packs([rows[i].size for i in left], 1, seq_len)
        packs.append(tuple(left[i] for i in plan.packs[0]))
        left = [left[i] for i in plan.left]
    packs += [()] * (-len(packs) % parallel.data_world)
    mine = packs[parallel.data_rank :: parallel.data_world]
    return [
        collator.collate([collator.load(rows[i]) for i in pack], pack) if pack else collator.empty() for pack in mine
    ]
