"""`TrainConfig`: everything a run depends on, frozen and strict; a recipe is a function returning one.

The resolved config is saved beside the run. A run may be resumed under other settings than it began with
(a lower rate, another mixture); then the saved config is that of the last part.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from viewfinder.config import ModelConfig, TextConfig
from viewfinder.errors import ViewfinderError


class ConfigError(ViewfinderError):
    """A training setting that does not exist or cannot be."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RatesConfig(_Strict):
    """Factor on the learning rates of each part; 0 freezes it.

    Attributes:
        tower: the vision tower but for its merger.
        merger: the layers between tower and language model.
        language: the language model with its embeddings.
        heads: dense heads, and text encoder and projections of the contrastive objective.
    """

    tower: float = Field(default=1.0, ge=0)
    merger: float = Field(default=1.0, ge=0)
    language: float = Field(default=1.0, ge=0)
    heads: float = Field(default=1.0, ge=0)


class OptimizerConfig(_Strict):
    """Muon for the matrices inside blocks (or AdamW for them too), AdamW for everything else.

    Attributes:
        matrices: which of the two moves the matrices inside blocks.
        muon_lr, adamw_lr: peak learning rates.
        warmup: steps of linear warm-up.
        schedule: "linear" stays at the peak and falls over the last `cooldown` of the steps, "cosine" falls
            from the end of the warm-up on; both end at `final` of the peak.
        clip: largest gradient norm.
        ema: decay of the averaged weights, which are then the ones exported; 0 keeps none.
    """

    matrices: Literal["muon", "adamw"] = "muon"
    muon_lr: float = Field(default=0.02, ge=0)
    adamw_lr: float = Field(default=3e-3, ge=0)
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: int = Field(default=100, ge=0)
    schedule: Literal["linear", "cosine"] = "linear"
    cooldown: float = Field(default=0.3, ge=0, le=1)
    final: float = Field(default=0.03, ge=0, le=1)
    clip: float = Field(default=1.0, gt=0)
    ema: float = Field(default=0.998, ge=0, lt=1)


class ParallelConfig(_Strict):
    """How a run is spread over the processes of `torchrun`; what tensor parallelism leaves is sharded (FSDP2).

    Attributes:
        tensor: ranks that share each matrix of the language model.
        reshard: free gathered weights after the forward pass (less memory, one more gathering).
    """

    tensor: int = Field(default=1, gt=0)
    reshard: bool = True


class GuardConfig(_Strict):
    """When a step is skipped instead of taken.

    Attributes:
        spike: a gradient norm over so many times the median of the last `window` is one; 0 turns this off.
        max_bad_steps: skipped steps before the run stops.
    """

    spike: float = Field(default=0.0, ge=0)
    window: int = Field(default=64, gt=1)
    max_bad_steps: int = Field(default=5, ge=0)


class LoraConfig(_Strict):
    """Low-rank adapters on the linear layers whose last name is in `targets`; all else is frozen.

    Attributes:
        start: a PEFT directory to go on from; its rank, alpha and targets then hold.
    """

    rank: int = Field(default=16, gt=0)
    alpha: float = Field(default=32.0, gt=0)
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    start: str = ""


class ContrastiveConfig(_Strict):
    """The text side of contrastive pre-training: a small causal encoder, read at each caption's last token."""

    text: TextConfig
    width: int = Field(default=256, gt=0)


class PreferenceConfig(_Strict):
    """Direct preference optimisation.

    Attributes:
        beta: strength of the pull towards the reference.
        label_smoothing: share of pairs taken to be the wrong way round.
        chosen_weight: of the next-token loss of the chosen answers beside it (Pang et al. 2024); without it both
            answers of a pair may grow unlikely as long as the rejected one does so faster.
        reference: "copy" keeps a frozen copy of the language model (or turns adapters off), "precomputed"
            computes the reference's log-probabilities once, before training, and drops it.
    """

    beta: float = Field(default=0.1, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    chosen_weight: float = Field(default=0.0, ge=0)
    reference: Literal["copy", "precomputed"] = "copy"


class TrainConfig(_Strict):
    """One run.

    Attributes:
        recipe: name of the recipe that made it; its stream of batches is found by it.
        model: sizes.
        objective: next token of answers, image-text contrast, or preference pairs.
        answer_weight, dense_weight, align_weight, pointing_weight, naming_weight: of the losses of the objective
            "answer": next token, dense heads, the tower's distance from the symbols, where one head of attention
            looks, and words for what is there. An answer weight of 0 leaves the language model out.
        see: what stands at media tokens: the tower's features, or symbols of what is there (`train.symbols`).
        rates: of each part; 0 freezes it.
        length: tokens of a pack; sequences longer than it are refused.
        packs: packs in one step, over all ranks and accumulated.
        bf16: matrix products in bfloat16; weights and optimiser stay float32.
        recompute: keep no activations inside blocks, compute them again in the backward pass.
        compile: compile the feed-forward layers.
        data: settings of the stream, known to the recipe.
        validate_every: steps between validations; 0 for none.
        keep: saved states that stay on disk, the newest.
        peak_flops: of this device, for MFU; 0 measures a matrix product at the start.
    """

    recipe: str
    seed: int = 0
    steps: int = Field(gt=0)
    model: ModelConfig
    objective: Literal["answer", "contrastive", "preference"] = "answer"
    answer_weight: float = Field(default=1.0, ge=0)
    dense_weight: float = Field(default=0.5, ge=0)
    align_weight: float = Field(default=0.0, ge=0)
    pointing_weight: float = Field(default=0.0, ge=0)
    naming_weight: float = Field(default=0.0, ge=0)
    see: Literal["pixels", "symbols"] = "pixels"
    contrastive: ContrastiveConfig | None = None
    preference: PreferenceConfig = PreferenceConfig()
    lora: LoraConfig | None = None
    rates: RatesConfig = RatesConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    guard: GuardConfig = GuardConfig()
    parallel: ParallelConfig = ParallelConfig()
    length: int = Field(default=8192, gt=0)
    packs: int = Field(default=1, gt=0)
    bf16: bool = False
    recompute: bool = False
    compile: bool = False
    data: dict[str, Any] = Field(default_factory=dict)
    threads: int = Field(default=2, gt=0)
    workers: int = Field(default=1, ge=0, le=1)
    log_every: int = Field(default=20, gt=0)
    save_every: int = Field(default=100, gt=0)
    validate_every: int = Field(default=0, ge=0)
    keep: int = Field(default=2, gt=0)
    peak_flops: float = Field(default=0.0, ge=0)

    def with_overrides(self, pairs: list[str]) -> "TrainConfig":
        """Apply `key=value` and `section.key=value`; values are JSON where they parse as it, else text.

        Raises:
            ConfigError: a key that does not exist, or a value that cannot be.
        """
        raw = self.model_dump(mode="json")
        for pair in pairs:
            key, separator, value = pair.partition("=")
            *sections, last = key.split(".")
            place: Any = raw
            for section in sections:
                if section == "lora" and place is raw and raw["lora"] is None:
                    raw["lora"] = LoraConfig().model_dump(mode="json")
                place = place.get(section) if isinstance(place, dict) else None
            known = isinstance(place, dict) and (last in place or sections == ["data"])
            if not separator or not known:
                raise ConfigError(
                    f"{pair!r} sets no setting of the recipe {self.recipe!r}; write key=value, for example steps=500"
                )
            place[last] = _parse(value)
        try:
            return TrainConfig.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ConfigError(f"{where} is {first['input']!r}: {first['msg']}; correct the setting") from error

    def save(self, path: Path) -> None:
        path.write_text(self.model_dump_json(indent=2) + "\n")


def _parse(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
