"""The extension point of training: losses that are added to the next-token loss.

`viewfinder.train` has none of its own. Who starts a run passes an `ExtraLosses`; `TrainConfig.extra_losses` gives the
weight of each loss by its name.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from viewfinder.data.sample import Sample
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.processor.processor import Processor
from viewfinder.train.batches import AnswerBatch
from viewfinder.train.config import ConfigError, TrainConfig


@dataclass(frozen=True)
class ModelOutputs:
    """What one forward pass made.

    Attributes:
        features: (M, D) of the M media tokens in order; None where the batch has no media.
        hidden: (T, D) last hidden states of the T tokens; None where the language model did not run.
    """

    model: Qwen2_5_VL
    batch: AnswerBatch
    features: Tensor | None
    hidden: Tensor | None

    def has(self, labels: Collection[str]) -> bool:
        """Whether the batch carries all these labels."""
        return set(labels) <= self.batch.extra_labels.keys()


class LossTerm(NamedTuple):
    """A mean loss (scalar tensor), its accuracy, and whether to report them; a zero keeps unused heads in the graph."""

    loss: Tensor
    accuracy: Tensor | None = None
    report: bool = True


class ExtraLoss(Protocol):
    """One loss.

    Attributes:
        name: its key in `TrainConfig.extra_losses`.
        labels: keys of `AnswerBatch.extra_labels` that it needs.
    """

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    def recording(self, model: Qwen2_5_VL) -> AbstractContextManager[None]:
        """A context around the forward pass of the language model, for a loss that keeps inner states."""
        ...

    def __call__(self, outputs: ModelOutputs) -> Mapping[str, LossTerm]:
        """Terms by the name under which they are reported. A batch without the labels gives none, or zeros."""
        ...


@dataclass(frozen=True)
class ExtraLosses:
    """All extra losses of a run.

    Attributes:
        losses: in the order in which they are added.
        heads: modules that they train; saved with the run under these names, not exported.
        sample_labels: the labels of one sample, by key; {} for a sample that has none.
    """

    losses: tuple[ExtraLoss, ...] = ()
    heads: Mapping[str, nn.Module] = field(default_factory=dict)
    sample_labels: Callable[[Sample], Mapping[str, Any]] = lambda _: {}


ExtraLossesBuilder = Callable[[TrainConfig, Processor | None], ExtraLosses]
"""Makes the extra losses of a config; without a processor only the shapes of the heads count (`viewfinder plan`)."""


def check_known(config: TrainConfig, extra: ExtraLosses) -> None:
    """Every loss of the config exists.

    Raises:
        ConfigError: one does not.
    """
    known = [loss.name for loss in extra.losses]
    unknown = [name for name in config.extra_loss_names() if name not in known]
    if unknown:
        raise ConfigError(
            f"extra_losses names {', '.join(unknown)}, this run has {', '.join(known) or 'none'}, so nothing would be "
            "learned from it; remove it, or pass `extra` (viewfinder.tiny.extra_losses.build for generated pictures)"
        )
