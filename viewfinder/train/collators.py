"""From samples to what an objective takes: one maker for each objective, with the same four steps.

`measure` tells a sample's size without decoding its media, `encode` makes its inputs, `join` packs several,
`empty` is a pack without samples, for a rank that has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from viewfinder.config import ModelConfig
from viewfinder.data import places
from viewfinder.data.packing import Size
from viewfinder.data.sample import Sample
from viewfinder.errors import DataError
from viewfinder.inputs import IGNORE_INDEX, ModelInputs, pack
from viewfinder.messages import Message, TextPart
from viewfinder.processor.cost import vision_flops
from viewfinder.processor.processor import Processor
from viewfinder.train.batches import AnswerBatch, Batch, ContrastiveBatch, pair_batch
from viewfinder.train.checks import check_conversation, check_length, check_places
from viewfinder.train.flops import text_flops


class Maker(Protocol):
    """What a feed needs to know of an objective."""

    def measure(self, sample: Sample) -> Size: ...
    def encode(self, sample: Sample) -> Any: ...
    def join(self, items: Sequence[Any], numbers: Sequence[int]) -> Batch: ...
    def empty(self) -> Batch: ...


@dataclass(frozen=True)
class AnswerMaker:
    """Conversations with loss on the assistant's turns.

    Attributes:
        length: tokens of a pack; longer samples are refused.
        dense: carry the labels of the dense heads that a sample brings as `truth["dense"]`.
    """

    processor: Processor
    model: ModelConfig
    length: int
    dense: bool = False

    def measure(self, sample: Sample) -> Size:
        check_conversation(sample)
        prepared = places.prepare(sample, self.processor, pixels=False)
        check_places(sample, prepared.media)
        return _size(self.model, prepared.inputs, self.length)

    def encode(self, sample: Sample) -> AnswerBatch:
        inputs = places.prepare(sample, self.processor).inputs
        labels = sample.truth.get("dense", {}) if self.dense else {}
        return AnswerBatch(inputs, {n: torch.as_tensor(v) for n, v in labels.items()}, (sample.task,))

    def join(self, items: Sequence[AnswerBatch], numbers: Sequence[int]) -> AnswerBatch:
        packed = pack([item.inputs for item in items])
        whole = all(item.dense for item in items if item.inputs.grid_thw is not None)
        labels = [item.dense for item in items if item.dense]
        dense = {n: torch.cat([part[n] for part in labels]) for n in labels[0]} if labels and whole else {}
        return AnswerBatch(packed, dense, tuple(task for item in items for task in item.tasks))

    def empty(self) -> AnswerBatch:
        return AnswerBatch(blank_inputs(self.processor), {}, ("",))


@dataclass(frozen=True)
class PairMaker:
    """Preference pairs: the sample's conversation with its last turn, and with its `rejected` one.

    Both answers share one preparation of the media. A rejected turn whose conversation shows other media is
    given by `truth["rejected_messages"]`, a whole conversation of its own.
    """

    processor: Processor
    model: ModelConfig
    length: int

    def measure(self, sample: Sample) -> Size:
        sizes = []
        for side in self._sides(sample):
            check_conversation(side)
            prepared = places.prepare(side, self.processor, pixels=False)
            check_places(side, prepared.media)
            sizes.append(_size(self.model, prepared.inputs, self.length))
        one, other = sizes
        check_length(one.tokens + other.tokens, self.length)
        return Size(one.tokens + other.tokens, one.cost + other.cost)

    def encode(self, sample: Sample) -> tuple[ModelInputs, ModelInputs]:
        sides = self._sides(sample)
        chosen = places.prepare(sides[0], self.processor).inputs
        if "rejected_messages" in sample.truth:
            return chosen, places.prepare(sides[1], self.processor).inputs
        rejected = places.prepare(sides[1], self.processor, pixels=False).inputs
        return chosen, replace(rejected, pixel_values=chosen.pixel_values)

    def join(self, items: Sequence[tuple[ModelInputs, ModelInputs]], numbers: Sequence[int]) -> Batch:
        return pair_batch(items, numbers)

    def empty(self) -> Batch:
        blank = blank_inputs(self.processor)
        return pair_batch([(blank, blank)])

    @staticmethod
    def _sides(sample: Sample) -> tuple[Sample, Sample]:
        """Two plain samples; earlier assistant turns are part of the question in both."""
        if "rejected_messages" in sample.truth:
            return sample, replace(sample, messages=tuple(sample.truth["rejected_messages"]))
        if sample.rejected is None:
            raise DataError("a preference pair has no rejected answer; give both")
        return sample, replace(sample, messages=(*sample.messages[:-1], sample.rejected))


@dataclass(frozen=True)
class ContrastMaker:
    """A picture (or clip) and its caption, which is the sample's last answer."""

    processor: Processor
    model: ModelConfig
    length: int
    max_caption: int = 128

    def measure(self, sample: Sample) -> Size:
        inputs = places.prepare(_look_only(sample), self.processor, pixels=False).inputs
        return _size(self.model, inputs, self.length)

    def encode(self, sample: Sample) -> tuple[ModelInputs, list[int]]:
        inputs = places.prepare(_look_only(sample), self.processor).inputs
        ids = self.processor.tokenizer.encode(sample.answer)[: self.max_caption]
        return inputs, [*ids, self.processor.tokenizer.token_id("<|im_end|>")]

    def join(self, items: Sequence[tuple[ModelInputs, list[int]]], numbers: Sequence[int]) -> ContrastiveBatch:
        pixels = [inputs.pixel_values for inputs, _ in items if inputs.pixel_values is not None]
        grids = [inputs.grid_thw for inputs, _ in items if inputs.grid_thw is not None]
        return ContrastiveBatch(
            pixel_values=torch.cat(pixels),
            grid_thw=torch.cat(grids),
            captions=torch.tensor([token for _, ids in items for token in ids]),
            seqlens=tuple(len(ids) for _, ids in items),
        )

    def empty(self) -> ContrastiveBatch:
        end = self.processor.tokenizer.token_id("<|im_end|>")
        return ContrastiveBatch(
            torch.zeros(4, self.model.vision.patch_dim),
            torch.tensor([[1, 2, 2]]),
            torch.tensor([end]),
            (1,),
            blank=True,
        )


def _look_only(sample: Sample) -> Sample:
    """The first medium and the caption, without the question."""
    if not sample.media or not sample.answer.strip():
        raise DataError("contrastive pre-training needs a picture and a caption; this sample lacks one")
    messages = (
        Message(role="user", parts=(sample.media[0],)),
        Message(role="assistant", parts=(TextPart(text=sample.answer),)),
    )
    return replace(sample, messages=messages, forms=())


def _size(model: ModelConfig, inputs: ModelInputs, length: int) -> Size:
    tokens = len(inputs.input_ids)
    check_length(tokens, length)
    grids: list[list[int]] = [] if inputs.grid_thw is None else inputs.grid_thw.tolist()
    vision = sum(vision_flops(model.vision, (t, h, w)) for t, h, w in grids)
    return Size(tokens, float(vision + text_flops(model.text, inputs.seqlens, tokens)))


def blank_inputs(processor: Processor) -> ModelInputs:
    """One short sequence without labels."""
    inputs = processor([{"role": "user", "content": ""}, {"role": "assistant", "content": ""}], train=True)
    assert inputs.labels is not None
    return replace(inputs, labels=torch.full_like(inputs.labels, IGNORE_INDEX))
