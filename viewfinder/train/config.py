"""`TrainConfig`: everything a run depends on, frozen and strict; a recipe is a function returning one.

The resolved config is saved beside the run. A run may be resumed under other settings than it began with
(a lower rate, another mixture); then the saved config is that of the last part.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from viewfinder.config import ModelConfig
from viewfinder.errors import ViewfinderError


class ConfigError(ViewfinderError):
    """A training setting that does not exist or cannot be."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OptimizerConfig(_Strict):
    """Muon for the matrices inside blocks, AdamW for everything else.

    Attributes:
        muon_lr, adamw_lr: peak learning rates.
        tower_scale: factor on both for the vision tower (0 freezes it).
        warmup: steps of linear warm-up.
        cooldown: share of the steps, at the end, over which the rate falls linearly to `final` of its peak.
        clip: largest gradient norm.
        ema: decay of the averaged weights, which are the ones exported.
    """

    muon_lr: float = Field(default=0.02, ge=0)
    adamw_lr: float = Field(default=3e-3, ge=0)
    tower_scale: float = Field(default=1.0, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: int = Field(default=100, ge=0)
    cooldown: float = Field(default=0.3, ge=0, le=1)
    final: float = Field(default=0.03, ge=0, le=1)
    clip: float = Field(default=1.0, gt=0)
    ema: float = Field(default=0.998, ge=0, lt=1)


class TrainConfig(_Strict):
    """One run.

    Attributes:
        recipe: name of the recipe that made it; its stream of batches is found by it.
        model: sizes.
        answer_weight, dense_weight: of the two losses; an answer weight of 0 leaves the language model out.
        data: settings of the stream, known to the recipe.
        max_bad_steps: losses that are not finite before the run stops.
    """

    recipe: str
    seed: int = 0
    steps: int = Field(gt=0)
    model: ModelConfig
    answer_weight: float = Field(default=1.0, ge=0)
    dense_weight: float = Field(default=0.5, ge=0)
    optimizer: OptimizerConfig = OptimizerConfig()
    data: dict[str, Any] = Field(default_factory=dict)
    threads: int = Field(default=2, gt=0)
    workers: int = Field(default=1, ge=0)
    log_every: int = Field(default=20, gt=0)
    save_every: int = Field(default=100, gt=0)
    max_bad_steps: int = Field(default=5, ge=0)

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
