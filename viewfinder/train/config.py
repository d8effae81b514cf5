"""`TrainConfig`: every setting of a run, frozen and strict. A recipe is a function that returns one.

The resolved config is saved as `config.json` beside the run. A run may be resumed with other settings than it began
with (a lower learning rate, another mixture); the saved config is then that of the last part.
"""

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from viewfinder.config import ModelConfig, TextConfig
from viewfinder.errors import ViewfinderError
from viewfinder.storage.atomic import write_whole
from viewfinder.train.deprecated_keys import RENAMED, current_keys, current_pair
from viewfinder.train.grpo_config import GrpoConfig


class ConfigError(ViewfinderError):
    """A training setting that does not exist or cannot be."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LrScaleConfig(_Strict):
    """Learning-rate scale of each part of the model; 0 freezes the part.

    Attributes:
        tower: the vision tower without its merger.
        merger: the layers between the vision tower and the language model.
        language: the language model with its embeddings.
        heads: what is trained and thrown away: heads of extra losses; text encoder and projections of contrast.
    """

    tower: float = Field(default=1.0, ge=0)
    merger: float = Field(default=1.0, ge=0)
    language: float = Field(default=1.0, ge=0)
    heads: float = Field(default=1.0, ge=0)


class OptimizerConfig(_Strict):
    """Muon (or AdamW) for the matrices inside blocks, AdamW for all other parameters.

    Attributes:
        matrices: the optimizer of the matrices inside blocks.
        muon_lr, adamw_lr: peak learning rates.
        warmup: steps of linear warm-up.
        schedule: "linear" stays at the peak and decays over the last `cooldown` (share) of the steps; "cosine" decays
            from the end of the warm-up. Both end at `final` (share) of the peak.
        clip: largest gradient norm.
        ema: decay of the averaged weights. They are exported instead of the last weights; 0 keeps none.
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
    """How a run is spread over the processes of `torchrun`: tensor parallelism inside groups, FSDP2 over the groups.

    Attributes:
        tensor: ranks that share each matrix of the language model.
        reshard: free gathered weights after the forward pass (less memory, one more all-gather).
    """

    tensor: int = Field(default=1, gt=0)
    reshard: bool = True


class StepGuardConfig(_Strict):
    """When a step is skipped.

    Attributes:
        spike: skip a gradient norm above `spike` times the median of the last `window` norms; 0 turns this off.
        max_bad_steps: steps skipped in a row before the run stops.
    """

    spike: float = Field(default=0.0, ge=0)
    window: int = Field(default=64, gt=1)
    max_bad_steps: int = Field(default=5, ge=0)


class LoraConfig(_Strict):
    """Low-rank adapters on the linear layers named in `targets`; all other weights are frozen.

    Attributes:
        start: a PEFT directory whose adapters are trained further; its rank, alpha and targets are then used.
        base_dtype: of the frozen weights. In bfloat16, as released checkpoints have them, they take half the memory;
            one process only.
    """

    rank: int = Field(default=16, gt=0)
    alpha: float = Field(default=32.0, gt=0)
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    start: str = ""
    base_dtype: Literal["float32", "bfloat16"] = "float32"

    @property
    def torch_dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.base_dtype == "bfloat16" else torch.float32


class ContrastiveConfig(_Strict):
    """The text encoder of contrastive pre-training: small, causal, read at the last token of each caption."""

    text: TextConfig
    width: int = Field(default=256, gt=0)


class PreferenceConfig(_Strict):
    """Direct preference optimization (DPO).

    Attributes:
        beta: strength of the pull towards the reference model.
        label_smoothing: assumed share of pairs whose order is wrong.
        chosen_weight: weight of the next-token loss of the chosen answers (Pang et al. 2024). Without it both answers
            of a pair may become less likely, as long as the rejected one does so faster.
        reference: "copy" keeps a frozen copy of the language model (or turns adapters off); "precomputed" computes
            the log-probabilities of the reference once, before training, and drops the reference.
    """

    beta: float = Field(default=0.1, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    chosen_weight: float = Field(default=0.0, ge=0)
    reference: Literal["copy", "precomputed"] = "copy"


class TrainConfig(_Strict):
    """One run.

    Attributes:
        recipe: name of the recipe that made this config.
        minutes: a run (resumed or not) ends after so many minutes of training, its learning rate cooled down by then;
            0 for no limit. `steps` still ends it too.
        model: sizes of the model.
        objective: "answer" is next-token prediction on answers; "contrastive" compares pictures with captions;
            "preference" is DPO on pairs of answers; "policy" is GRPO on answers that the model writes itself.
        answer_weight: weight of the next-token loss; 0 does not run the language model.
        extra_losses: weight of each loss that is added to the next-token loss, by name (see `train.extra_losses`).
        lr_scale: of each part of the model; 0 freezes the part.
        seq_len: tokens of a packed sequence. A longer sample is refused.
        global_batch_size: packed sequences in one step, over all ranks, accumulated ones included.
        device: "auto" takes a GPU when there is one.
        bf16: matrix products in bfloat16; weights and optimizer state stay float32, the export is bfloat16.
        recompute: keep no activations inside blocks, compute them again in the backward pass.
        compile: compile the feed-forward layers.
        data: settings of the data, known to the recipe.
        threads: CPU threads of the training process.
        workers: processes that prepare data ahead; more than one where the dataloader can share its steps among them
            (all but that of `policy` can).
        validate_every: steps between validations; 0 for none.
        keep: how many of the newest saved states stay on disk.
        peak_flops: FLOP/s of this device, for MFU; 0 measures a matrix product at the start.
    """

    recipe: str
    seed: int = 0
    steps: int = Field(gt=0)
    minutes: float = Field(default=0.0, ge=0)
    model: ModelConfig
    objective: Literal["answer", "contrastive", "preference", "policy"] = "answer"
    answer_weight: float = Field(default=1.0, ge=0)
    extra_losses: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    contrastive: ContrastiveConfig | None = None
    preference: PreferenceConfig = PreferenceConfig()
    grpo: GrpoConfig = GrpoConfig()
    lora: LoraConfig | None = None
    lr_scale: LrScaleConfig = LrScaleConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    guard: StepGuardConfig = StepGuardConfig()
    parallel: ParallelConfig = ParallelConfig()
    seq_len: int = Field(default=8192, gt=0)
    global_batch_size: int = Field(default=1, gt=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    bf16: bool = False
    recompute: bool = False
    compile: bool = False
    data: dict[str, Any] = Field(default_factory=dict)
    threads: int = Field(default=2, gt=0)
    workers: int = Field(default=1, ge=0, le=64)
    log_every: int = Field(default=20, gt=0)
    save_every: int = Field(default=100, gt=0)
    validate_every: int = Field(default=0, ge=0)
    keep: int = Field(default=2, gt=0)
    peak_flops: float = Field(default=0.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _accept_old_keys(cls, raw: Any) -> Any:
        return current_keys(raw, cls.model_fields) if isinstance(raw, dict) and raw.keys() & RENAMED.keys() else raw

    def extra_loss_names(self) -> list[str]:
        """Names of the extra losses that are on; only next-token prediction has any."""
        return [name for name, weight in self.extra_losses.items() if weight and self.objective == "answer"]

    def with_overrides(self, pairs: list[str]) -> Self:
        """Apply `key=value` and `section.key=value`. A value is JSON if it parses as JSON, else text.

        Raises:
            ConfigError: a key that does not exist, or a value that cannot be.
        """
        raw = self.model_dump(mode="json")
        for pair in pairs:
            key, separator, value = pair.partition("=")
            if key.partition(".")[0] in RENAMED:
                key, _, value = current_pair(pair).partition("=")
            *sections, last = key.split(".")
            place: Any = raw
            for section in sections:
                if section == "lora" and place is raw and raw["lora"] is None:
                    raw["lora"] = LoraConfig().model_dump(mode="json")
                place = place.get(section) if isinstance(place, dict) else None
            known = isinstance(place, dict) and (last in place or sections in (["data"], ["extra_losses"]))
            if not separator or not known:
                raise ConfigError(f"{pair!r} sets no setting of the recipe {self.recipe!r}; write {_meant(raw, key)}")
            place[last] = _parse(value)
        try:
            return type(self).model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ConfigError(f"{where} is {first['input']!r}: {first['msg']}; correct the setting") from error

    def save(self, path: Path) -> None:
        write_whole(path, self.model_dump_json(indent=2) + "\n")


def _parse(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _meant(raw: dict[str, Any], key: str) -> str:
    """The pair that a mistyped one may have been meant for; an example where no setting is called nearly so."""
    inner = [f"{section}.{name}" for section, part in raw.items() if isinstance(part, dict) for name in part]
    by_last = {name.rpartition(".")[2]: name for name in inner}
    near = get_close_matches(key, [*raw, *inner], 1) or get_close_matches(key.rpartition(".")[2], by_last, 1)
    return f"{by_last.get(near[0], near[0])}=..." if near else "key=value, for example steps=500"
