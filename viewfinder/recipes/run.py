"""Run a recipe from what users give: `viewfinder train RECIPE --out DIR [key=value ...]`.

The same command goes on with a run that was stopped. Also `python -m viewfinder.recipes.run` for the recipes of
the built-in model.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from viewfinder.data.sample import Sample
from viewfinder.engine.engine import generate
from viewfinder.errors import DataError, ViewfinderError
from viewfinder.messages import Sampling
from viewfinder.model.layers import compute_dtype
from viewfinder.model.lora import add_adapters, load_adapter
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.outputs.json_lines import append_values
from viewfinder.processor.processor import Processor
from viewfinder.recipes import tiny
from viewfinder.recipes.sizes import Start, build, export_processor, read_heads, start_from, start_of_size
from viewfinder.recipes.sources import DataConfig, Sources, open_sources
from viewfinder.recipes.stages import CHAINS, RECIPES
from viewfinder.train.batches import PairBatch
from viewfinder.train.config import ConfigError, TrainConfig
from viewfinder.train.contrast import ContrastHead
from viewfinder.train.feed import SampleFeed, ahead
from viewfinder.train.learner import Learner, Reference
from viewfinder.train.makers import AnswerMaker, ContrastMaker, Maker, PairMaker
from viewfinder.train.ranks import Ranks, start_ranks
from viewfinder.train.reference import precompute, with_reference
from viewfinder.train.symbols import SymbolTables
from viewfinder.train.trainer import Trainer
from viewfinder.train.validation import Validation, held_out_batches


def train(
    recipe: str,
    out: Path,
    settings: list[str] | None = None,
    *,
    init: str | None = None,
    size: str | None = None,
    language: Path | None = None,
) -> dict[str, float]:
    """Train a recipe, or a chain of them, to its end; returns the last figures.

    Args:
        settings: `key=value`; in a chain `step:key=value` is for one of its steps.
        init: a run, a checkpoint directory or "tiny" to start from. Without it, or a size, "tiny" for the
            recipes that tune, fresh weights of that size for those that pre-train.
        size: fresh weights of a size.
        language: weights for the language model alone.

    Raises:
        ConfigError: no such recipe or setting.
    """
    settings = settings or []
    if recipe in tiny.RECIPES:
        return _train_built_in(recipe, out, Path(init) if init else None, settings)
    if recipe in CHAINS:
        return _train_chain(recipe, out, settings, init=init, size=size, language=language)
    if recipe not in RECIPES:
        known = ", ".join([*CHAINS, *RECIPES, *tiny.RECIPES])
        raise ConfigError(f"there is no recipe {recipe!r}; recipes are {known}")
    if init and size:
        raise ConfigError("init brings weights and size draws new ones, and both were given; give one")
    fresh = recipe.startswith(("vision", "pretrain"))
    start = start_from(init) if init else start_of_size(size or "tiny") if size or fresh else start_from("tiny")
    config = resolve(start, recipe, [*machine_settings(), *settings])
    return build_trainer(start, config, out, language).run()


def _train_chain(recipe: str, out: Path, settings: list[str], **options: Any) -> dict[str, float]:
    latest: dict[str, float] = {}
    for number, step in enumerate(CHAINS[recipe], 1):
        own = [s.split(":", 1)[1] for s in settings if s.startswith(f"{step}:")]
        common = [s for s in settings if s.split(":", 1)[0] not in CHAINS[recipe]]
        directory = out / f"{number}-{step}"
        latest = train(step, directory, [*common, *own], **options)
        options = {"init": str(directory), "size": None, "language": None}
    return latest


def machine_settings() -> list[str]:
    """Settings before the user's own: products in float32 where this machine has no arithmetic for bfloat16, since they
    would take many times longer in it."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return [] if compute_dtype(torch.bfloat16, device) == torch.bfloat16 else ["bf16=false"]


def resolve(start: Start, recipe: str, settings: list[str]) -> TrainConfig:
    """The config of a recipe with settings applied and the section `data` checked.

    Raises:
        ConfigError: a setting that does not exist or cannot be.
    """
    config = RECIPES[recipe](start).with_overrides(settings)
    data = DataConfig.read(config.data)
    return config.model_copy(update={"data": data.model_dump()})


def build_trainer(start: Start, config: TrainConfig, out: Path, language: Path | None = None) -> Trainer:
    """Everything a recipe needs, ready to `run`."""
    data = DataConfig.read(config.data)
    processor = with_budgets(start.processor, data)
    start = replace(start, processor=processor)
    ranks = start_ranks(config.parallel)
    torch.manual_seed(config.seed)
    learner = build_learner(start, config, language)
    sources = open_sources(data, config.seed)
    maker = build_maker(config, processor)
    feed = SampleFeed(sources.training, maker, config.length, config.packs, ranks.data_rank, ranks.data_world)
    if config.objective == "preference" and config.preference.reference == "precomputed":
        table = _reference_table(learner, maker, sources, config, out)
        maker = with_reference(maker, table)
        feed = replace(feed, maker=maker)
    trainer = Trainer(
        config,
        learner,
        ahead(feed, config.workers),
        out,
        ranks=ranks,
        export=partial(export_processor, processor),
        validate=_validation(config, sources, maker, processor, ranks),
        stamp=processor.stamp.hash,
    )
    if sources.refused and not trainer.step and not ranks.data_rank:
        trainer.journal.refuse([{"step": 0, **row} for row in sources.refused])
    return trainer


def with_budgets(processor: Processor, data: DataConfig) -> Processor:
    """The processor with the run's own largest picture and frame."""
    most = {"max_pixels": data.max_pixels, "video_max_pixels": data.video_max_pixels}
    given = {name: value for name, value in most.items() if value}
    return Processor(processor.tokenizer, processor.settings.with_(**given)) if given else processor


def build_learner(start: Start, config: TrainConfig, language: Path | None = None) -> Learner:
    """Model, heads, adapters and reference of a config."""
    model = build(start, config.seed, language)
    heads: dict[str, torch.nn.Module] = {}
    if config.objective == "contrastive":
        assert config.contrastive is not None
        heads["contrast"] = ContrastHead(config.contrastive, config.model.vision.out_hidden_size)
    elif config.dense_weight and config.objective == "answer":
        heads |= tiny.build_heads(config, start.processor)
    read_heads(heads, start.states)
    reference = None
    if config.lora is not None and config.lora.start:
        load_adapter(model, config.lora.start)
    elif config.lora is not None:
        add_adapters(model, config.lora.rank, config.lora.alpha, config.lora.targets)
    elif config.objective == "preference" and config.preference.reference == "copy":
        reference = Reference(model)
    return Learner(config, model, heads, reference)


def build_maker(config: TrainConfig, processor: Processor) -> Maker:
    """What makes batches for the objective of a config."""
    if config.objective == "contrastive":
        return ContrastMaker(processor, config.model, config.length)
    if config.objective == "preference":
        return PairMaker(processor, config.model, config.length)
    return AnswerMaker(processor, config.model, config.length, dense=config.dense_weight > 0)


def _reference_table(learner: Learner, maker: Maker, sources: Sources, config: TrainConfig, out: Path) -> torch.Tensor:
    """Log-probabilities of the reference for each row, computed once and kept beside the run."""
    path = out / "reference.safetensors"
    if path.exists():
        return load_file(path)["log_probs"]
    if DataConfig.read(config.data).epochs != 1:
        raise ConfigError("precomputed log-probabilities go with data.epochs=1, so that each pair has one number")
    out.mkdir(parents=True, exist_ok=True)
    table = precompute(learner, _pairs(SampleFeed(sources.training, maker, config.length, config.packs), out))
    partial_path = path.with_suffix(".part")
    save_file({"log_probs": table}, partial_path)
    partial_path.replace(path)
    return table


def _pairs(feed: SampleFeed, out: Path) -> Iterator[PairBatch]:
    """All pairs once; where none can be read, the reasons are kept before training has begun."""
    refused: list[dict[str, Any]] = []
    try:
        for step in feed(None):
            refused += [{"step": 0, **row} for row in step.refused]
            yield from (batch for batch in step.packs if isinstance(batch, PairBatch))
    except DataError:
        append_values(out / "quarantine.jsonl", refused)
        raise


def _validation(
    config: TrainConfig, sources: Sources, maker: Maker, processor: Processor, ranks: Ranks
) -> Validation | None:
    if not config.validate_every or not sources.held_out:
        return None
    batches = held_out_batches(sources.held_out, maker, config.length, ranks)
    shown = sources.held_out[:4] if ranks.rank == 0 else ()
    answer = partial(_answer, processor) if ranks.world == 1 else None
    return Validation(batches, shown, answer, config.bf16 and ranks.world == 1)


def _answer(processor: Processor, model: Qwen2_5_VL, sample: Sample) -> str:
    """The model's greedy words to the first question, at most 48 tokens."""
    first = next(i for i, m in enumerate(sample.messages) if m.role == "assistant")
    inputs = processor(sample.messages[:first])
    end = processor.tokenizer.token_id("<|im_end|>")
    tokens = generate(model, inputs, Sampling(max_new_tokens=48), eos_token_ids=(end,))
    return processor.tokenizer.decode([token.id for token in tokens if token.id != end])


def _train_built_in(recipe: str, out: Path, init: Path | None, settings: list[str]) -> dict[str, float]:
    """The recipes that made the built-in model: batches by number, dense heads, no files of data."""
    processor = Processor.from_pretrained(init / "export") if init else tiny.build_processor()
    config = tiny.RECIPES[recipe](processor).with_overrides(settings)
    start = Start(config.model, processor, init / "export" if init else None)
    heads: dict[str, torch.nn.Module] = {**tiny.build_heads(config, processor)}
    learner = Learner(config, build(start, config.seed), heads)
    if isinstance(tables := heads.get("symbols"), SymbolTables) and init is None:
        tiny.lend_letters(tables, learner.model.model.embed_tokens.weight, processor)
    read_heads(heads, init / "states" if init else None)
    ranks = start_ranks(config.parallel)
    feed = ahead(tiny.feed(processor, config, ranks), config.workers)
    return Trainer(config, learner, feed, out, ranks=ranks, export=partial(export_processor, processor)).run()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=sorted([*tiny.RECIPES, *RECIPES, *CHAINS]))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", help="the run or checkpoint directory whose weights (and heads) are the start")
    parser.add_argument("settings", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args(arguments)
    try:
        train(options.recipe, options.out, options.settings, init=options.init)
    except ViewfinderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
