"""What one forward pass takes, for each objective; `batch_units` is the number that its loss is a sum over."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from viewfinder.inputs import IGNORE_INDEX, ModelInputs, pack


class MovableBatch(ABC):
    """A batch whose tensors go to the device of the model; grids and bounds stay on the CPU, where indices are
    computed."""

    @abstractmethod
    def map_tensors(self, move: Callable[[Tensor], Tensor]) -> Self:
        """`move` applied to every tensor that belongs on the device."""

    def to(self, device: torch.device | str) -> Self:
        """On `device`; copies from pinned memory to a GPU do not wait."""
        is_async = torch.device(device).type == "cuda"
        return self.map_tensors(lambda tensor: tensor.to(device, non_blocking=is_async))


@dataclass(frozen=True)
class AnswerBatch(MovableBatch):
    """Packed conversations.

    Attributes:
        extra_labels: what extra losses need, by key: one row a media token in order, or one a token.
        tasks: what each sequence teaches.
    """

    inputs: ModelInputs
    extra_labels: dict[str, Tensor] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()

    def map_tensors(self, move: Callable[[Tensor], Tensor]) -> Self:
        labels = {key: move(value) for key, value in self.extra_labels.items()}
        return replace(self, inputs=self.inputs.map_tensors(move), extra_labels=labels)


@dataclass(frozen=True)
class ContrastiveBatch(MovableBatch):
    """Pictures or clips and one caption for each: `captions` packed, `seqlens` tokens each.

    `grid_thw` has one row a pair; pictures do not attend to each other. A `blank` batch holds one pair that does not
    count, for a rank that has none.
    """

    pixel_values: Float[Tensor, "P patch_dim"]
    grid_thw: Int[Tensor, "B 3"]
    captions: Int[Tensor, " T"]
    seqlens: tuple[int, ...]
    blank: bool = False

    @property
    def pairs(self) -> int:
        """How many count."""
        return 0 if self.blank else len(self.seqlens)

    def __post_init__(self) -> None:
        assert len(self.grid_thw) == len(self.seqlens)
        assert sum(self.seqlens) == len(self.captions)

    def map_tensors(self, move: Callable[[Tensor], Tensor]) -> Self:
        return replace(self, pixel_values=move(self.pixel_values), captions=move(self.captions))


@dataclass(frozen=True)
class PreferenceBatch(MovableBatch):
    """Preference pairs: sequences are chosen, rejected, chosen, rejected ...; pixels of each medium are held once.

    Attributes:
        inputs: all sequences, without pixels.
        pixel_values, grid_thw: of the distinct media; None without any.
        feature_index: for each media token of `inputs` in order, its row among the features of the vision tower.
        reference: log-probabilities under the reference (chosen, rejected), if they were computed before.
        numbers: row number of each pair in its set.
    """

    inputs: ModelInputs
    pixel_values: Tensor | None
    grid_thw: Tensor | None
    feature_index: Int[Tensor, " M"]
    reference: Float[Tensor, "B 2"] | None = None
    numbers: tuple[int, ...] = ()

    def map_tensors(self, move: Callable[[Tensor], Tensor]) -> Self:
        return replace(
            self,
            inputs=self.inputs.map_tensors(move),
            pixel_values=None if self.pixel_values is None else move(self.pixel_values),
            feature_index=move(self.feature_index),
            reference=None if self.reference is None else move(self.reference),
        )


@dataclass(frozen=True)
class PolicyBatch(MovableBatch):
    """Answers that the model wrote, packed behind their prompts. A prompt is held once, with the pixels of its media.

    What is told of each of the N tokens of answers stands in their order.

    Attributes:
        inputs: prompts and answers as sequences, and `before`: what each goes on from (see `Continuations`).
        tokens: of the answers; `predicted_at` is the place in the pack after which each was chosen.
        advantages: of the answer that the token is of.
        weights: of the token in the loss; 0 for answers that are not learned from.
        rollout_log_probs: under the distribution that the token was drawn from, as the rollout computed them.
        old_log_probs: the same from a training pass with those weights; None where they are the weights of now.
        kept: which tokens of the vocabulary could be drawn, one bit each, 8 in a byte (lowest bit first); None for all.
        units: the share of this batch in the number that the loss of a step is divided by.
        kinds: of each answer what its prompt shows ("text", "picture", "several", "clip"), and its tokens.
        figures: sums and the numbers that they are sums over, by name, for the report.
    """

    inputs: ModelInputs
    before: tuple[int, ...]
    tokens: Int[Tensor, " N"]
    predicted_at: Int[Tensor, " N"]
    advantages: Float[Tensor, " N"]
    weights: Float[Tensor, " N"]
    rollout_log_probs: Float[Tensor, " N"]
    old_log_probs: Float[Tensor, " N"] | None = None
    kept: UInt8[Tensor, "N B"] | None = None
    units: float = 0.0
    kinds: tuple[tuple[str, int], ...] = ()
    figures: dict[str, tuple[float, float]] = field(default_factory=dict)

    def map_tensors(self, move: Callable[[Tensor], Tensor]) -> Self:
        names = ("tokens", "predicted_at", "advantages", "weights", "rollout_log_probs", "old_log_probs", "kept")
        tensors = {name: move(value) for name in names if (value := getattr(self, name)) is not None}
        return replace(self, inputs=self.inputs.map_tensors(move), **tensors)


Batch = AnswerBatch | ContrastiveBatch | PreferenceBatch | PolicyBatch

Position = dict[str, Any]
"""Where a dataloader is, as JSON; None is its beginning."""


@dataclass(frozen=True)
class Step:
    """What one step takes.

    Attributes:
        batches: those of this rank, as many on every rank; their gradients are accumulated.
        position: of the dataloader after this step; a function is called when a state is saved, by all ranks.
        refused: rows that were left out, each with the reason.
    """

    batches: Sequence[Batch]
    position: Position | Callable[[], Position] = field(default_factory=dict)
    refused: tuple[dict[str, str], ...] = ()

    def pin_memory(self) -> Self:
        """The same in page-locked memory, from which copies to a GPU do not wait. A `DataLoader` calls this."""
        return replace(self, batches=[batch.map_tensors(Tensor.pin_memory) for batch in self.batches])


Dataloader = Callable[[Position | None], Iterator[Step]]


def batch_units(batch: Batch) -> float:
    """What the loss of a step is averaged over: labelled tokens, pairs, or what the variant of GRPO says."""
    if isinstance(batch, PolicyBatch):
        return batch.units
    if isinstance(batch, ContrastiveBatch):
        return batch.pairs
    if isinstance(batch, PreferenceBatch):
        return batch.inputs.num_sequences // 2
    assert batch.inputs.labels is not None
    return int((next_labels(batch.inputs) != IGNORE_INDEX).sum())


def batch_tokens(batch: Batch) -> int:
    """Tokens of the batch (for contrast: media tokens and tokens of captions)."""
    if isinstance(batch, ContrastiveBatch):
        return len(batch.captions) + int(batch.grid_thw.prod(1).sum()) // 4
    return len(batch.inputs.input_ids)


def next_labels(inputs: ModelInputs) -> Int[Tensor, " T"]:
    """The label of the next token at each token: `[-, -, 5, 6]` becomes `[-, 5, 6, -]`. A sequence's last has none."""
    assert inputs.labels is not None
    shifted = torch.cat([inputs.labels[1:], inputs.labels.new_full((1,), IGNORE_INDEX)])
    shifted[inputs.cu_seqlens[1:].long() - 1] = IGNORE_INDEX
    return shifted


def sequence_sums(values: Float[Tensor, " T"], inputs: ModelInputs) -> Float[Tensor, " S"]:
    """Sum over the tokens of each sequence."""
    lengths = inputs.cu_seqlens.diff().long().to(values.device)
    owner = torch.repeat_interleave(torch.arange(len(lengths), device=values.device), lengths)
    return values.new_zeros(len(lengths)).index_add(0, owner, values)


def preference_batch(pairs: Sequence[tuple[ModelInputs, ModelInputs]], numbers: Sequence[int] = ()) -> PreferenceBatch:
    """Pack (chosen, rejected) inputs. Media that both sides show (equal grids, equal pixels) are kept once."""
    pixels, grids, index = shared_media(pairs)
    bare = [replace(side, pixel_values=None) for pair in pairs for side in pair]
    return PreferenceBatch(pack(bare), pixels, grids, index, numbers=tuple(numbers))


def shared_media(groups: Sequence[Sequence[ModelInputs]]) -> tuple[Tensor | None, Tensor | None, Int[Tensor, " M"]]:
    """Pixels and grids of groups of conversations, each group's once where all show the same as its first, and for
    each media token in order its row among the features.

    Two answers about one picture of 8 patches (2 tokens) give 8 rows of pixels and [0, 1, 0, 1].
    """
    pixels: list[Tensor] = []
    grids: list[Tensor] = []
    index: list[Tensor] = []
    rows = 0
    for group in groups:
        start = rows
        for side in group:
            if side.pixel_values is None or side.grid_thw is None:
                continue
            count = len(side.pixel_values) // 4
            if side is not group[0] and _same_media(group[0], side):
                index.append(torch.arange(start, start + count))
                continue
            pixels.append(side.pixel_values)
            grids.append(side.grid_thw)
            index.append(torch.arange(rows, rows + count))
            rows += count
    return (
        torch.cat(pixels) if pixels else None,
        torch.cat(grids) if grids else None,
        torch.cat(index) if index else torch.empty(0, dtype=torch.int64),
    )


def _same_media(a: ModelInputs, b: ModelInputs) -> bool:
    if a.pixel_values is None or b.pixel_values is None or a.grid_thw is None or b.grid_thw is None:
        return False
    if a.pixel_values is b.pixel_values:
        return True
    return torch.equal(a.grid_thw, b.grid_thw) and torch.equal(a.pixel_values, b.pixel_values)
