"""Run a recipe from what users give: `viewfinder train RECIPE --out DIR [key=value ...]`.

The same command resumes a run that was stopped.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from viewfinder.data.sample import Sample
from viewfinder.engine.engine import generate
from viewfinder.errors import DataError
from viewfinder.messages import Sampling
from viewfinder.model.layers import compute_dtype
from viewfinder.model.lora import add_adapters, load_adapter
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.outputs.json_lines import append_values
from viewfinder.processor.processor import Processor
from viewfinder.recipes.grpo import rollout_loader
from viewfinder.recipes.language import open_language
from viewfinder.recipes.sizes import (
    Start,
    build,
    export_processor,
    read_heads,
    start_from,
    start_of_size,
    with_language,
)
from viewfinder.recipes.sources import DataConfig, Sources, open_sources
from viewfinder.recipes.stages import CHAINS, RECIPES
from viewfinder.recipes.summary import run_summary
from viewfinder.storage.atomic import replacing
from viewfinder.storage.system_errors import system_errors
from viewfinder.train.batches import Dataloader, PreferenceBatch
from viewfinder.train.collators import AnswerCollator, Collator, ContrastiveCollator, PreferenceCollator
from viewfinder.train.config import ConfigError, TrainConfig
from viewfinder.train.contrast import ContrastHead
from viewfinder.train.dataloader import PackedLoader, in_worker
from viewfinder.train.distributed import ParallelDims, init_distributed, pick_device
from viewfinder.train.extra_losses import ExtraLosses, ExtraLossesBuilder, check_known
from viewfinder.train.learner import Learner, Reference
from viewfinder.train.reference import precompute, with_reference
from viewfinder.train.trainer import Trainer
from viewfinder.train.validation import Validation, held_out_batches


@system_errors()
def train(
    recipe: str,
    out: Path,
    settings: list[str] | None = None,
    *,
    init: str | None = None,
    size: str | None = None,
    language: Path | None = None,
    extra: ExtraLossesBuilder | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, float]:
    """Train a recipe, or a chain of them, to its end; returns the last figures.

    Args:
        settings: `key=value`; in a chain `step:key=value` is for one of its steps.
        init: a run, a checkpoint directory or "tiny" to start from. Without it, or a size, "tiny" for the
            recipes that tune, fresh weights of that size for those that pre-train.
        size: fresh weights of a size.
        language: a Qwen2 or Llama model, a directory or a GGUF file, that stands behind the tower of `init` or `size`.
        extra: builds the losses that `extra_losses` names. `viewfinder.tiny.extra_losses.build` has the losses that
            "vision-align" and "vision-end-to-end" use on generated pictures.
        tell: called with sentences for people before the first step: start weights, frame of places, cost.

    Raises:
        ConfigError: no such recipe or setting.
    """
    settings = settings or []
    if recipe in CHAINS:
        return _train_chain(recipe, out, settings, init=init, size=size, language=language, extra=extra, tell=tell)
    if recipe not in RECIPES:
        known = ", ".join([*CHAINS, *RECIPES])
        raise ConfigError(f"there is no recipe {recipe!r}; recipes are {known}")
    if init and size:
        raise ConfigError("init brings weights and size draws new ones, and both were given; give one")
    fresh = recipe.startswith(("vision", "pretrain"))
    start = start_from(init) if init else start_of_size(size or "tiny") if size or fresh else start_from("tiny")
    if language is not None:
        start = with_language(start, open_language(language))
    config = resolve(start, recipe, [*machine_settings(settings), *settings])
    trainer = build_trainer(start, config, out, extra)
    for line in [trainer.place, *run_summary(start, config, trainer.step)]:
        tell(line)
    return trainer.run()


def _train_chain(recipe: str, out: Path, settings: list[str], **options: Any) -> dict[str, float]:
    latest: dict[str, float] = {}
    for number, step in enumerate(CHAINS[recipe], 1):
        own = [s.split(":", 1)[1] for s in settings if s.startswith(f"{step}:")]
        common = [s for s in settings if s.split(":", 1)[0] not in CHAINS[recipe]]
        directory = out / f"{number}-{step}"
        latest = train(step, directory, [*common, *own], **options)
        options |= {"init": str(directory), "size": None, "language": None}
    return latest


def machine_settings(settings: list[str]) -> list[str]:
    """Settings before the user's own: products in float32 where the device of the run has no arithmetic for bfloat16,
    since they would take many times longer in it."""
    wanted = [setting.removeprefix("device=") for setting in settings if setting.startswith("device=")]
    device = torch.device(pick_device(wanted[-1] if wanted else "auto"))
    return [] if compute_dtype(torch.bfloat16, device) == torch.bfloat16 else ["bf16=false"]


def resolve(start: Start, recipe: str, settings: list[str]) -> TrainConfig:
    """The config of a recipe with settings applied and the section `data` checked.

    Raises:
        ConfigError: a setting that does not exist or cannot be.
    """
    config = RECIPES[recipe](start).with_overrides(settings)
    data = DataConfig.read(config.data)
    return config.model_copy(update={"data": data.model_dump()})


def build_trainer(
    start: Start,
    config: TrainConfig,
    out: Path,
    extra: ExtraLossesBuilder | None = None,
) -> Trainer:
    """Everything a recipe needs, ready to `run`."""
    data = DataConfig.read(config.data)
    processor = with_budgets(start.processor, data)
    start = replace(start, processor=processor)
    parallel = init_distributed(config.parallel, config.device)
    torch.manual_seed(config.seed)
    learner = build_learner(start, config, extra)
    sources = open_sources(data, config.seed)
    collator = build_collator(config, processor, learner.extra)
    if config.objective == "preference" and config.preference.reference == "precomputed":
        learner.to(parallel.device)
        collator = with_reference(collator, _reference_table(learner, collator, sources, config, out))
    trainer = Trainer(
        config,
        learner,
        _dataloader(config, learner, collator, processor, sources, parallel),
        out,
        parallel=parallel,
        export=partial(export_processor, processor),
        validate=_validation(config, sources, collator, processor, parallel),
        stamp=processor.stamp.hash,
    )
    if sources.refused and not trainer.step and not parallel.data_rank:
        trainer.journal.refuse([{"step": 0, **row} for row in sources.refused])
    return trainer


def _dataloader(
    config: TrainConfig,
    learner: Learner,
    collator: Collator,
    processor: Processor,
    sources: Sources,
    parallel: ParallelDims,
) -> Dataloader:
    if config.objective == "policy":
        return rollout_loader(config, learner, processor, sources.training, parallel)
    packed = PackedLoader(
        sources.training, collator, config.seq_len, config.global_batch_size, parallel.data_rank, parallel.data_world
    )
    return in_worker(packed, config.workers, pin_memory=parallel.device == "cuda")


def with_budgets(processor: Processor, data: DataConfig) -> Processor:
    """The processor with the run's own largest picture and frame."""
    most = {"max_pixels": data.max_pixels, "video_max_pixels": data.video_max_pixels}
    given = {name: value for name, value in most.items() if value}
    return Processor(processor.tokenizer, processor.settings.with_(**given)) if given else processor


def build_learner(start: Start, config: TrainConfig, extra: ExtraLossesBuilder | None = None) -> Learner:
    """Model, heads, adapters and reference of a config."""
    model = build(start, config.seed, config.lora.torch_dtype if config.lora is not None else torch.float32)
    contrast = reference = None
    if config.objective == "contrastive":
        assert config.contrastive is not None
        contrast = ContrastHead(config.contrastive, config.model.vision.out_hidden_size)
    losses = ExtraLosses()
    if config.extra_loss_names():
        losses = extra(config, start.processor) if extra else losses
        check_known(config, losses)
    read_heads({"contrast": contrast} if contrast is not None else losses.heads, start.states)
    if config.lora is not None and config.lora.start:
        load_adapter(model, config.lora.start)
    elif config.lora is not None:
        add_adapters(model, config.lora.rank, config.lora.alpha, config.lora.targets)
    elif (config.objective == "preference" and config.preference.reference == "copy") or (
        config.objective == "policy" and config.grpo.kl
    ):
        reference = Reference(model)
    return Learner(config, model, reference, contrast=contrast, extra=losses)


def build_collator(config: TrainConfig, processor: Processor, extra: ExtraLosses) -> Collator:
    """What makes batches for the objective of a config."""
    if config.objective == "contrastive":
        return ContrastiveCollator(processor, config.model, config.seq_len)
    if config.objective == "preference":
        return PreferenceCollator(processor, config.model, config.seq_len)
    return AnswerCollator(processor, config.model, config.seq_len, extra.sample_labels)


def _reference_table(
    learner: Learner, collator: Collator, sources: Sources, config: TrainConfig, out: Path
) -> torch.Tensor:
    """Log-probabilities of the reference for each row, computed once and kept beside the run."""
    path = out / "reference.safetensors"
    if path.exists():
        return load_file(path)["log_probs"]
    if DataConfig.read(config.data).epochs != 1:
        raise ConfigError("precomputed log-probabilities go with data.epochs=1, so that each pair has one number")
    out.mkdir(parents=True, exist_ok=True)
    dataloader = PackedLoader(sources.training, collator, config.seq_len, config.global_batch_size)
    table = precompute(learner, _pairs(dataloader, out))
    with replacing(path) as partial_path:
        save_file({"log_probs": table}, partial_path)
    return table


def _pairs(dataloader: PackedLoader, out: Path) -> Iterator[PreferenceBatch]:
    """All pairs once; where none can be read, the reasons are kept before training has begun."""
    refused: list[dict[str, Any]] = []
    try:
        for step in dataloader(None):
            refused += [{"step": 0, **row} for row in step.refused]
            yield from (batch for batch in step.batches if isinstance(batch, PreferenceBatch))
    except DataError:
        append_values(out / "quarantine.jsonl", refused)
        raise


def _validation(
    config: TrainConfig, sources: Sources, collator: Collator, processor: Processor, parallel: ParallelDims
) -> Validation | None:
    if not config.validate_every or not sources.held_out:
        return None
    batches = held_out_batches(sources.held_out, collator, config.seq_len, parallel)
    shown = sources.held_out[:4] if parallel.rank == 0 else ()
    answer = partial(_answer, processor) if parallel.world == 1 else None
    return Validation(batches, shown, answer, config.bf16 and parallel.world == 1)


def _answer(processor: Processor, model: Qwen2_5_VL, sample: Sample) -> str:
    """The model's greedy words to the first question, at most 48 tokens."""
    first = next(i for i, m in enumerate(sample.messages) if m.role == "assistant")
    inputs = processor(sample.messages[:first])
    end = processor.tokenizer.token_id("<|im_end|>")
    tokens = generate(model, inputs, Sampling(max_new_tokens=48), eos_token_ids=(end,))
    return processor.tokenizer.decode([token.id for token in tokens if token.id != end])
