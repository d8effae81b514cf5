"""From samples to batches: one collator for each objective, with the same four methods.

`prepare` reads a sample once: tokens, labels and sizes, no pixels. `load` adds the pixels of a sample that this process
trains on. `collate` packs several; `empty` is a batch without samples, for a rank that has none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch

from viewfinder.config import ModelConfig
from viewfinder.data import places
from viewfinder.data.packs import Size
from viewfinder.data.sample import Sample
from viewfinder.errors import DataError
from viewfinder.inputs import IGNORE_INDEX, ModelInputs, pack
from viewfinder.messages import Message, TextPart
from viewfinder.processor.cost import vision_flops
from viewfinder.processor.processor import Processor
from viewfinder.train.batches import AnswerBatch, Batch, ContrastiveBatch, preference_batch
from viewfinder.train.checks import check_conversation, check_length, check_places
from viewfinder.train.flops import text_flops


class Collator(Protocol):
    """What a dataloader needs to know of an objective; `item` is whatever the collator makes."""

    def prepare(self, sample: Sample) -> "PreparedRow": ...
    def load(self, row: "PreparedRow") -> Any: ...
    def collate(self, items: Sequence[Any], numbers: Sequence[int]) -> Batch: ...
    def empty(self) -> Batch: ...


@dataclass(frozen=True)
class PreparedRow:
    """A sample that was tokenized and measured; its media are not decoded yet.

    Attributes:
        inputs: one conversation; the chosen and the rejected one of a preference pair.
    """

    sample: Sample
    size: Size
    inputs: tuple[ModelInputs, ...]


@dataclass(frozen=True)
class AnswerCollator:
    """Conversations with loss on the assistant's turns.

    Attributes:
        seq_len: tokens of a packed sequence; a longer sample is refused.
        sample_labels: labels of a sample for extra losses, by key.
    """

    processor: Processor
    model: ModelConfig
    seq_len: int
    sample_labels: Callable[[Sample], Mapping[str, Any]] = lambda _: {}

    def prepare(self, sample: Sample) -> PreparedRow:
        inputs = _checked(sample, self.processor)
        return PreparedRow(sample, _size(self.model, inputs, self.seq_len), (inputs,))

    def load(self, row: PreparedRow) -> AnswerBatch:
        labels = {name: torch.as_tensor(value) for name, value in self.sample_labels(row.sample).items()}
        return AnswerBatch(_with_pixels(row.inputs[0], row.sample, self.processor), labels, (row.sample.task,))

    def collate(self, items: Sequence[AnswerBatch], numbers: Sequence[int]) -> AnswerBatch:
        packed = pack([item.inputs for item in items])
        whole = all(item.extra_labels for item in items if item.inputs.grid_thw is not None)
        parts = [item.extra_labels for item in items if item.extra_labels]
        labels = {n: torch.cat([part[n] for part in parts]) for n in parts[0]} if parts and whole else {}
        return AnswerBatch(packed, labels, tuple(task for item in items for task in item.tasks))

    def empty(self) -> AnswerBatch:
        return AnswerBatch(blank_inputs(self.processor), {}, ("",))


@dataclass(frozen=True)
class PreferenceCollator:
    """Preference pairs: the sample's conversation with its last turn, and with its `rejected` turn.

    Both answers share the pixels. A rejected turn whose conversation shows other media is given by
    `truth["rejected_messages"]`, a whole conversation.
    """

    processor: Processor
    model: ModelConfig
    seq_len: int

    def prepare(self, sample: Sample) -> PreparedRow:
        sides = tuple(_checked(side, self.processor) for side in _sides(sample))
        sizes = [_size(self.model, inputs, self.seq_len) for inputs in sides]
        size = Size(sum(one.tokens for one in sizes), sum(one.cost for one in sizes))
        check_length(size.tokens, self.seq_len)
        return PreparedRow(sample, size, sides)

    def load(self, row: PreparedRow) -> tuple[ModelInputs, ModelInputs]:
        chosen, rejected = _with_pixels(row.inputs[0], row.sample, self.processor), row.inputs[1]
        if "rejected_messages" in row.sample.truth:
            return chosen, _with_pixels(rejected, _sides(row.sample)[1], self.processor)
        return chosen, replace(rejected, pixel_values=chosen.pixel_values)

    def collate(self, items: Sequence[tuple[ModelInputs, ModelInputs]], numbers: Sequence[int]) -> Batch:
        return preference_batch(items, numbers)

    def empty(self) -> Batch:
        blank = blank_inputs(self.processor)
        return preference_batch([(blank, blank)])


@dataclass(frozen=True)
class ContrastiveCollator:
    """A picture (or clip) and its caption, which is the sample's last answer."""

    processor: Processor
    model: ModelConfig
    seq_len: int
    max_caption: int = 128

    def prepare(self, sample: Sample) -> PreparedRow:
        bare = _first_medium(sample)
        inputs = places.prepare(bare, self.processor, pixels=False).inputs
        return PreparedRow(bare, _size(self.model, inputs, self.seq_len), (inputs,))

    def load(self, row: PreparedRow) -> tuple[ModelInputs, list[int]]:
        ids = self.processor.tokenizer.encode(row.sample.answer)[: self.max_caption]
        inputs = _with_pixels(row.inputs[0], row.sample, self.processor)
        return inputs, [*ids, self.processor.tokenizer.token_id("<|im_end|>")]

    def collate(self, items: Sequence[tuple[ModelInputs, list[int]]], numbers: Sequence[int]) -> ContrastiveBatch:
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


def load_sample(collator: Collator, sample: Sample) -> Any:
    """`prepare` and `load` of one sample."""
    return collator.load(collator.prepare(sample))


def _checked(sample: Sample, processor: Processor) -> ModelInputs:
    """The inputs of a sample whose turns and places are right, without pixels; raises DataError for others."""
    check_conversation(sample)
    prepared = places.prepare(sample, processor, pixels=False)
    check_places(sample, prepared.media)
    return prepared.inputs


def _with_pixels(inputs: ModelInputs, sample: Sample, processor: Processor) -> ModelInputs:
    return replace(inputs, pixel_values=processor.pixel_values(sample.messages))


def _sides(sample: Sample) -> tuple[Sample, Sample]:
    """Chosen and rejected as plain samples; earlier assistant turns are part of the question in both."""
    if "rejected_messages" in sample.truth:
        return sample, replace(sample, messages=tuple(sample.truth["rejected_messages"]))
    if sample.rejected is None:
        raise DataError("a preference pair has no rejected answer; give both")
    return sample, replace(sample, messages=(*sample.messages[:-1], sample.rejected))


def _first_medium(sample: Sample) -> Sample:
    """The first medium and the caption, without the question."""
    if not sample.media or not sample.answer.strip():
        raise DataError("contrastive pre-training needs a picture and a caption; this sample lacks one")
    messages = (
        Message(role="user", parts=(sample.media[0],)),
        Message(role="assistant", parts=(TextPart(text=sample.answer),)),
    )
    return replace(sample, messages=messages, forms=())


def _size(model: ModelConfig, inputs: ModelInputs, seq_len: int) -> Size:
    tokens = len(inputs.input_ids)
    check_length(tokens, seq_len)
    grids: list[list[int]] = [] if inputs.grid_thw is None else inputs.grid_thw.tolist()
    vision = sum(vision_flops(model.vision, (t, h, w)) for t, h, w in grids)
    return Size(tokens, float(vision + text_flops(model.text, inputs.seqlens, tokens)))


def blank_inputs(processor: Processor) -> ModelInputs:
    """One short sequence without labels."""
    inputs = processor([{"role": "user", "content": ""}, {"role": "assistant", "content": ""}], train=True)
    assert inputs.labels is not None
    return replace(inputs, labels=torch.full_like(inputs.labels, IGNORE_INDEX))
